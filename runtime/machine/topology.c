/*
 * Loads topologies and keeps the live one. One mutex covers the live pointer and the moments in which the environment is
 * changed for an fsroot; it is held during discovery, so that concurrent first plans discover once.
 */
#include "machine/topology.h"

#include <errno.h>
#include <fcntl.h>
#include <hwloc/plugins.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"

/* More PUs than this in a synthetic string is a slip of the keyboard, and hwloc would try to build them all. */
#define MAX_SYNTHETIC_PUS (1u << 17)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wf_topology *live; /* under lock; the process's own reference */

/*
 * hwloc 2.9 does not survive running out of memory everywhere (it crashes, or leaves out objects without a word), and takes
 * files that cannot be opened for files that do not exist. What a load may need is looked for first: ROOM_BYTES, and for each
 * PU or byte of XML several times what the largest of 100 recorded machines took.
 */
#define ROOM_BYTES ((size_t)256 << 10)
#define ROOM_BYTES_PER_PU ((size_t)8 << 10)
#define ROOM_PER_XML_BYTE ((size_t)16)
#define ROOM_DESCRIPTORS 4

static weft_status expect_memory(const char *name, size_t bytes) {
    void *room = bytes > SIZE_MAX - ROOM_BYTES
                     ? MAP_FAILED
                     : mmap(NULL, bytes += ROOM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED)
        return wf_fail(WEFT_ENOMEM, "no memory to load the topology of \"%s\": it may take %zu bytes (see ulimit -v)", name,
                       bytes);
    munmap(room, bytes);
    return WEFT_OK;
}

static weft_status expect_descriptors(const char *name) {
    int files[ROOM_DESCRIPTORS], count = 0, error = 0;
    while (count < ROOM_DESCRIPTORS && (files[count] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0)
        count++;
    if (count < ROOM_DESCRIPTORS)
        error = errno;
    for (int i = 0; i < count; i++)
        close(files[i]);
    if (error == EMFILE || error == ENFILE)
        return wf_fail(WEFT_EPERM, "no file descriptors to read the topology of \"%s\": %s (%d are needed, see ulimit -n)", name,
                       strerror(error), ROOM_DESCRIPTORS);
    if (error == ENOMEM)
        return wf_fail(WEFT_ENOMEM, "no memory to read the topology of \"%s\"", name);
    return WEFT_OK;
}

/* What reading this machine's /sys, or a copy of one, may take. */
static weft_status expect_room_for_files(const char *name) {
    long pus = sysconf(_SC_NPROCESSORS_CONF);
    weft_status status = expect_memory(name, pus > 0 ? (size_t)pus * ROOM_BYTES_PER_PU : 0);
    return status ? status : expect_descriptors(name);
}

/* Discovery steps that rebind the calling thread are left out, where hwloc has a flag to say so. */
static unsigned long load_flags(void) {
    unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED;
#if HWLOC_API_VERSION >= 0x00020500
    flags |= HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING;
#endif
    return flags;
}

/*
 * hwloc writes to stderr when a system contradicts itself, which a machine does while a CPU goes off. It asks the environment once
 * whether to be silent, so it is made to ask while `environ` is a copy that says so. Whoever reads the environment meanwhile reads
 * the copy, which therefore stays.
 */
static char **silent_environment;

static void quieten_hwloc(void) {
    static char silence[] = "HWLOC_HIDE_ERRORS=2";
    char **before = environ;
    size_t count = 0;
    while (before && before[count])
        count++;
    if (!getenv("HWLOC_HIDE_ERRORS") && (silent_environment = calloc(count + 2, sizeof *silent_environment))) {
        if (count)
            memcpy(silent_environment + 1, before, count * sizeof *before);
        silent_environment[0] = silence;
        environ = silent_environment;
    }
    hwloc_hide_errors(); /* keeps the answer */
    environ = before;
}

static weft_status topology_new(struct wf_topology **topology) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, quieten_hwloc);
    weft_status status = expect_memory("any machine", 0); /* hwloc's own start has an assertion on malloc() */
    if (status)
        return status;
    struct wf_topology *made = calloc(1, sizeof *made);
    if (!made)
        return wf_fail(WEFT_ENOMEM, "no memory for a topology");
    if (hwloc_topology_init(&made->hwloc)) {
        free(made);
        return wf_fail(WEFT_ENOMEM, "no memory for a topology");
    }
    wf_store(&made->references, 1, WF_RELAXED); /* nobody else knows it yet */
    hwloc_topology_set_flags(made->hwloc, load_flags());
    *topology = made;
    return WEFT_OK;
}

static weft_status topology_load(struct wf_topology *topology, const char *name) {
    errno = 0;
    if (hwloc_topology_load(topology->hwloc)) {
        if (errno == ENOMEM)
            return wf_fail(WEFT_ENOMEM, "no memory to load the topology of \"%s\"", name);
        return wf_fail(WEFT_ETOPOLOGY, "topology \"%s\" cannot be loaded: hwloc finds nothing valid in it", name);
    }
    hwloc_topology_refresh(topology->hwloc); /* afterwards concurrent readers change nothing inside hwloc */
    topology->this_system = hwloc_topology_is_thissystem(topology->hwloc);
    return WEFT_OK;
}

static weft_status load_live(struct wf_topology *topology) {
    weft_status status = expect_room_for_files("this machine");
    return status ? status : topology_load(topology, "this machine");
}

static weft_status load_xml(struct wf_topology *topology, const char *path) {
    struct stat info;
    if (stat(path, &info))
        return wf_fail(WEFT_ETOPOLOGY, "topology file \"%s\": %s", path, strerror(errno));
    size_t bytes = info.st_size > 0 ? (size_t)info.st_size : 0;
    weft_status status = expect_memory(path, bytes < SIZE_MAX / ROOM_PER_XML_BYTE ? bytes * ROOM_PER_XML_BYTE : SIZE_MAX);
    if (status || (status = expect_descriptors(path)))
        return status;
    if (hwloc_topology_set_xml(topology->hwloc, path))
        return wf_fail(WEFT_ETOPOLOGY, "\"%s\" is not an hwloc version 2 XML file (lstopo --export-xml-flags v2 writes one)",
                       path);
    return topology_load(topology, path);
}

/* Product of the counts of the levels "type:count", as far as it matters. */
static uint64_t synthetic_pus(const char *text) {
    uint64_t pus = 1;
    unsigned inside = 0; /* brackets: attributes and attached memory */
    for (const char *at = text; *at; at++) {
        inside += *at == '(' || *at == '[';
        inside -= inside && (*at == ')' || *at == ']');
        bool number = at[0] >= '0' && at[0] <= '9' && (at == text || at[-1] == ' ' || at[-1] == ':');
        if (inside || !number)
            continue;
        uint64_t count = strtoull(at, NULL, 10);
        if (count > MAX_SYNTHETIC_PUS || (pus *= count ? count : 1) > MAX_SYNTHETIC_PUS)
            return UINT64_MAX;
    }
    return pus;
}

static weft_status load_synthetic(struct wf_topology *topology, const char *text) {
    uint64_t pus = synthetic_pus(text);
    if (pus > MAX_SYNTHETIC_PUS)
        return wf_fail(WEFT_ETOPOLOGY, "topology \"%s\" has more than %u processing units", text, MAX_SYNTHETIC_PUS);
    weft_status status = expect_memory(text, (size_t)pus * ROOM_BYTES_PER_PU);
    if (status)
        return status;
    if (hwloc_topology_set_synthetic(topology->hwloc, text))
        return wf_fail(WEFT_ETOPOLOGY,
                       "topology \"%s\" is no file, no directory and no synthetic description such as \"node:2 core:4 pu:2\"",
                       text);
    return topology_load(topology, text);
}

static bool holds_file(const char *directory, const char *file) {
    char *path = NULL;
    struct stat info;
    if (asprintf(&path, "%s/%s", directory, file) < 0)
        return false;
    bool found = !stat(path, &info);
    free(path);
    return found;
}

/* Set a variable and keep what it was (NULL: unset), or put that back. False: no memory, and it is what it was. */
static bool swap_environment(const char *name, const char *value, char **kept) {
    const char *before = getenv(name);
    *kept = before ? strdup(before) : NULL;
    if ((before && !*kept) || setenv(name, value, 1)) {
        free(*kept);
        return false;
    }
    return true;
}

static void restore_environment(const char *name, char *kept) {
    if (kept)
        setenv(name, kept, 1);
    else
        unsetenv(name);
    free(kept);
}

static weft_status load_fsroot(struct wf_topology *topology, const char *directory) {
    if (!holds_file(directory, "sys/devices/system/cpu") && !holds_file(directory, "proc/cpuinfo"))
        return wf_fail(WEFT_ETOPOLOGY, "directory \"%s\" is no fsroot: it has neither sys/devices/system/cpu nor proc/cpuinfo",
                       directory);
    weft_status status = expect_room_for_files(directory);
    if (status)
        return status;
    topology->fsroot = strdup(directory);
    if (!topology->fsroot)
        return wf_fail(WEFT_ENOMEM, "no memory for a topology");
    pthread_mutex_lock(&lock);
    char *fsroot = NULL;
    if (swap_environment("HWLOC_FSROOT", directory, &fsroot)) {
        status = topology_load(topology, directory);
        restore_environment("HWLOC_FSROOT", fsroot);
    } else {
        status = wf_fail(WEFT_ENOMEM, "no memory to name \"%s\" in the environment", directory);
    }
    pthread_mutex_unlock(&lock);
    return status;
}

static weft_status load_text(struct wf_topology *topology, const char *text) {
    struct stat info;
    size_t length = strlen(text);
    if (!stat(text, &info))
        return S_ISDIR(info.st_mode) ? load_fsroot(topology, text) : load_xml(topology, text);
    if (strchr(text, '/') || (length >= 4 && !strcmp(text + length - 4, ".xml")))
        return load_xml(topology, text);
    return load_synthetic(topology, text);
}

static void retain(struct wf_topology *topology) {
    wf_fetch_add(&topology->references, 1, WF_RELAXED); /* the caller holds the lock or a reference: it cannot vanish */
}

void wf_topology_release(struct wf_topology *topology) {
    /* acq_rel: the last releaser sees everything the others did with the topology before it destroys it */
    if (!topology || wf_fetch_sub(&topology->references, 1, WF_ACQ_REL) != 1)
        return;
    hwloc_topology_destroy(topology->hwloc);
    free(topology->fsroot);
    free(topology);
}

static weft_status topology_make(const char *text, struct wf_topology **topology, double *load_ms) {
    struct wf_topology *made = NULL;
    uint64_t start_ns = wf_now_ns();
    weft_status status = topology_new(&made);
    if (status)
        return status;
    status = text ? load_text(made, text) : load_live(made);
    if (status) {
        wf_topology_release(made);
        return status;
    }
    *load_ms = (double)(wf_now_ns() - start_ns) / 1e6;
    *topology = made;
    return WEFT_OK;
}

weft_status wf_topology_acquire(const char *text, struct wf_topology **topology, double *load_ms) {
    if (text)
        return *text ? topology_make(text, topology, load_ms) : wf_fail(WEFT_EINVAL, "the topology is an empty string");
    pthread_mutex_lock(&lock);
    *load_ms = 0;
    weft_status status = live ? WEFT_OK : topology_make(NULL, &live, load_ms);
    if (!status) {
        retain(live);
        *topology = live;
    }
    pthread_mutex_unlock(&lock);
    return status;
}

weft_status wf_topology_refresh(void) {
    struct wf_topology *fresh = NULL;
    double load_ms;
    weft_status status = topology_make(NULL, &fresh, &load_ms);
    if (status)
        return status;
    pthread_mutex_lock(&lock);
    struct wf_topology *stale = live;
    live = fresh;
    pthread_mutex_unlock(&lock);
    wf_topology_release(stale);
    return WEFT_OK;
}

static void lock_for_fork(void) {
    pthread_mutex_lock(&lock);
}

static void unlock_after_fork(void) {
    pthread_mutex_unlock(&lock);
}

/* A child must not inherit the lock taken by a thread that it does not have. Registered before the other rooms' handlers, so that a
 * fork takes this lock after theirs, as everybody does. */
__attribute__((constructor(101))) static void survive_fork(void) {
    pthread_atfork(lock_for_fork, unlock_after_fork, unlock_after_fork);
}

/* At exit or when the library is unloaded; plans that still live keep their own reference. */
__attribute__((destructor)) static void release_live(void) {
    pthread_mutex_lock(&lock);
    wf_topology_release(live);
    live = NULL;
    free(silent_environment);
    silent_environment = NULL;
    pthread_mutex_unlock(&lock);
}

hwloc_bitmap_t wf_topology_bitmap(const struct wf_topology *topology) {
    hwloc_bitmap_t bitmap = hwloc_bitmap_dup(hwloc_topology_get_complete_cpuset(topology->hwloc));
    if (bitmap)
        hwloc_bitmap_zero(bitmap); /* keeps its words */
    return bitmap;
}
