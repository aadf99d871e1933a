/*
 * Loads topologies and keeps the live one. One mutex covers the live pointer and the moments in which the environment is
 * changed for an fsroot; it is held during discovery, so that concurrent first plans discover once.
 */
#include "machine/topology.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <hwloc/plugins.h>
#include <limits.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"
#include "machine/xml.h"

/* More PUs than this in a synthetic string is a slip of the keyboard, and hwloc would try to build them all. */
#define MAX_SYNTHETIC_PUS (1u << 17)
#define MAX_SYNTHETIC_INDEX 65535
#define NO_SYNTHETIC "topology \"%s\" is no file, no directory and no synthetic description such as \"node:2 core:4 pu:2\""

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
    char *text;
    size_t bytes;
    weft_status status = wf_xml_load(path, &text, &bytes);
    if (status)
        return status;
    status = expect_memory(path, bytes * ROOM_PER_XML_BYTE);
    if (!status)
        status = expect_descriptors(path);
    if (!status && hwloc_topology_set_xmlbuffer(topology->hwloc, text, (int)bytes)) /* the file is bounded, so this fits */
        status = wf_fail(errno == ENOMEM ? WEFT_ENOMEM : WEFT_ETOPOLOGY, "hwloc does not take the XML file \"%s\"", path);
    if (!status)
        status = topology_load(topology, path);
    free(text); /* hwloc has a copy */
    return status;
}

/* "(memory=1GB indexes=0,2)" at *at, which moves behind it. hwloc makes a bit per index, so large ones are refused. */
static bool skip_attributes(const char **at) {
    const char *end = strchr(*at, ')'), *indexes = strstr(*at, "indexes=");
    if (!end || strcspn(*at + 1, "([])") != (size_t)(end - *at) - 1)
        return false;
    for (const char *digit = indexes && indexes < end ? indexes : end; digit < end;) {
        size_t skip = strcspn(digit, "0123456789)"), digits = strspn(digit + skip, "0123456789");
        if (digits && strtoull(digit + skip, NULL, 10) > MAX_SYNTHETIC_INDEX)
            return false;
        digit += skip + digits + !digits;
    }
    *at = end + 1;
    return true;
}

/* "core:4" or "4" at *at, which moves behind it; *pus is multiplied and becomes UINT64_MAX when it is too many. */
static bool skip_level(const char **at, uint64_t *pus) {
    bool typed = !(**at >= '0' && **at <= '9');
    size_t type = typed ? strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") : 0;
    const char *count = *at + type + typed;
    if (typed && (!type || (*at)[type] != ':'))
        return false;
    if (*count < '1' || *count > '9') /* hwloc would read 010 as 8, 0x9 as 9 and -1 as very many */
        return false;
    uint64_t number = strtoull(count, NULL, 10);
    *pus = number > MAX_SYNTHETIC_PUS || *pus * number > MAX_SYNTHETIC_PUS ? UINT64_MAX : *pus * number;
    *at = count + strspn(count, "0123456789");
    return **at != '(' || skip_attributes(at);
}

/* Levels "type:count" from the outermost to the PUs, with memory attached as "[numa(memory=1GB)]". */
static weft_status check_synthetic(const char *text, uint64_t *pus) {
    uint64_t nodes = 0;
    const char *at = text;
    bool fits = *at != '(' || skip_attributes(&at);
    while (fits && *at && *pus <= MAX_SYNTHETIC_PUS && nodes <= MAX_SYNTHETIC_PUS) {
        if (*at == ' ' || *at == '\n') {
            at++;
        } else if (*at == '[') {
            nodes += *pus;
            at += 1 + strcspn(at + 1, "([])");
            fits = (*at != '(' || skip_attributes(&at)) && *at == ']';
            at += fits;
        } else {
            fits = skip_level(&at, pus);
        }
    }
    if (*pus > MAX_SYNTHETIC_PUS || nodes > MAX_SYNTHETIC_PUS)
        return wf_fail(WEFT_ETOPOLOGY, "topology \"%s\" has more than %u processing units or nodes", text, MAX_SYNTHETIC_PUS);
    if (!fits)
        return wf_fail(WEFT_ETOPOLOGY, NO_SYNTHETIC, text);
    return WEFT_OK;
}

/*
 * hwloc 2.9 leaks what it has made of attached memory where it then dislikes the levels, so these are tried alone first. Memory
 * both attached and as a level is the only fault left, which a level named like one shows.
 */
static bool takes_levels(const char *text) {
    char *levels = strchr(text, '[') ? strdup(text) : NULL, *to = levels;
    bool inside = false, takes = true;
    if (!levels)
        return !strchr(text, '[');
    for (const char *at = text; *at; at++) {
        inside |= *at == '[';
        if (!inside)
            *to++ = *at;
        inside &= *at != ']';
    }
    *to = 0;
    for (const char *at = levels; takes && *at; at += *at != 0) {
        takes = strncasecmp(at, "no", 2) && strncasecmp(at, "nu", 2); /* hwloc takes these for NUMA nodes */
        at += strcspn(at, " \n)0123456789");
    }
    hwloc_topology_t trial;
    if (takes && (takes = !hwloc_topology_init(&trial))) {
        takes = !hwloc_topology_set_synthetic(trial, levels);
        hwloc_topology_destroy(trial);
    }
    free(levels);
    return takes;
}

static weft_status load_synthetic(struct wf_topology *topology, const char *text) {
    uint64_t pus = 1;
    weft_status status = check_synthetic(text, &pus);
    if (!status)
        status = expect_memory(text, (size_t)pus * ROOM_BYTES_PER_PU);
    if (status)
        return status;
    if (!takes_levels(text) || hwloc_topology_set_synthetic(topology->hwloc, text))
        return wf_fail(WEFT_ETOPOLOGY, NO_SYNTHETIC, text);
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

/* A list like "0-3,8": at least one number, none beyond any machine, no range that runs backwards. */
static bool is_number_list(const char *text) {
    for (;; text++) {
        char *end;
        unsigned long first = strtoul(text, &end, 10), last = first;
        if (*text < '0' || *text > '9')
            return false;
        if (*end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoul(end + 1, &end, 10);
        if (last < first || last > MAX_SYNTHETIC_INDEX || !strchr(",\n", *end))
            return false;
        if (*end != ',')
            return true;
        text = end;
    }
}

static bool holds_node(const char *path) {
    DIR *list = opendir(path);
    bool found = !list; /* no such directory is one node */
    for (struct dirent *entry; !found && (entry = readdir(list));)
        found = !strncmp(entry->d_name, "node", 4) && entry->d_name[4] >= '0' && entry->d_name[4] <= '9';
    if (list)
        closedir(list);
    return found;
}

/* hwloc 2.9 ends the process where the directory of nodes holds none, or its list is empty. */
static bool nodes_are_sound(const char *directory) {
    char path[PATH_MAX], text[512] = "";
    int length = snprintf(path, sizeof path, "%s/sys/devices/system/node/online", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    bool listed = file && fgets(text, sizeof text, file);
    bool sound = !file || (listed && is_number_list(text));
    if (file)
        fclose(file);
    path[(size_t)length - strlen("/online")] = 0;
    return sound && holds_node(path);
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
    if (!nodes_are_sound(directory))
        return wf_fail(WEFT_ETOPOLOGY, "directory \"%s\" is no fsroot: its sys/devices/system/node names no node", directory);
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

bool wf_topology_is_live(const struct wf_topology *topology) {
    pthread_mutex_lock(&lock);
    bool is = topology == live;
    pthread_mutex_unlock(&lock);
    return is;
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
