/*
 * CPU quotas from /proc/self/cgroup, /proc/self/mountinfo and the files they lead to
 * (cgroups(7), cgroup_namespaces(7), proc(5)).
 */
#include "machine/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "base/status.h"

weft_status wf_limits_add(hwloc_bitmap_t set, const struct wf_cpu_mask *mask) {
    for (size_t cpu = 0; cpu < mask->bytes * 8; cpu++)
        if (CPU_ISSET_S(cpu, mask->bytes, mask->set) && hwloc_bitmap_set(set, (unsigned)cpu))
            return wf_fail(WEFT_ENOMEM, "no memory for a set of CPUs");
    return WEFT_OK;
}

/* Which of the two control-group versions a mount or a line of /proc/self/cgroup belongs to. */
enum version { VERSION_1, VERSION_2 };

struct search {
    const char *root;
    char group[2][PATH_MAX]; /* the process's group per version, "" if it has none there */
    struct wf_quota *quota;
    struct wf_quota_places *places; /* NULL: nobody wants to look again */
    int error;                      /* why something that exists could not be read, 0: nothing was */
};

static bool list_holds(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, word, length) && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* What cannot be read for lack of descriptors or bytes, though it may exist, is a failure. */
static bool lacks(int error) {
    return error == ENOMEM || error == EMFILE || error == ENFILE;
}

/* What is not there, or not ours to read, bounds nothing that we could know; too few descriptors or bytes are a failure. */
static FILE *open_under(struct search *search, const char *path) {
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s", search->root, path);
    if (length < 0 || (size_t)length >= sizeof full)
        return NULL;
    FILE *file = fopen(full, "re");
    if (!file && lacks(errno))
        search->error = errno;
    return file;
}

/* One line without its end; false at the end of the file. */
static bool read_line(struct search *search, FILE *file, char **line, size_t *room) {
    errno = 0;
    if (getline(line, room, file) <= 0) {
        if (errno == ENOMEM)
            search->error = errno;
        return false;
    }
    (*line)[strcspn(*line, "\n")] = 0;
    return true;
}

/* Lines "id:controllers:path"; version 2 has id 0 and no controllers. */
static void read_groups(struct search *search) {
    FILE *file = open_under(search, "/proc/self/cgroup");
    char *line = NULL;
    size_t room = 0;
    if (!file)
        return;
    while (read_line(search, file, &line, &room)) {
        char *controllers = strchr(line, ':');
        char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path || path[1] != '/')
            continue;
        *path++ = 0;
        controllers++;
        if (!*controllers)
            snprintf(search->group[VERSION_2], PATH_MAX, "%s", path);
        else if (list_holds(controllers, "cpu"))
            snprintf(search->group[VERSION_1], PATH_MAX, "%s", path);
    }
    free(line);
    fclose(file);
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' && from[2] <= '7' && from[3] >= '0' &&
                     from[3] <= '7';
        *to = octal ? (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0')) : *from;
        from += octal ? 4 : 1;
    }
    *to = 0;
}

/* The files of a group's directory in which its quota stands; version 2 has one. */
static const char *const quota_files[2][2] = {{"cpu.cfs_quota_us", "cpu.cfs_period_us"}, {"cpu.max", NULL}};

struct wf_held_file wf_held_open(const char *path) {
    struct stat info;
    struct wf_held_file file = {.descriptor = open(path, O_RDONLY | O_CLOEXEC)};
    if (file.descriptor >= 0 && !fstat(file.descriptor, &info)) {
        file.device = info.st_dev;
        file.inode = info.st_ino;
    }
    return file;
}

static bool is_ours(const struct wf_held_file *file) {
    struct stat info;
    return file->descriptor >= 0 && !fstat(file->descriptor, &info) && info.st_dev == file->device && info.st_ino == file->inode;
}

ssize_t wf_held_read(const struct wf_held_file *file, void *bytes, size_t room, off_t offset) {
    return is_ours(file) ? pread(file->descriptor, bytes, room, offset) : -1;
}

void wf_held_close(const struct wf_held_file *file) {
    if (is_ours(file))
        close(file->descriptor);
}

/* A file's whole text, from its beginning: these few bytes are made anew by each read. */
static bool read_text(const struct wf_held_file *file, char *text, size_t room) {
    ssize_t length = wf_held_read(file, text, room - 1, 0);
    if (length <= 0)
        return false;
    text[length] = 0;
    return true;
}

/* A quota that a kernel could mean: the files of a copied or mounted tree may hold "inf", "nan" or 1e-308. */
static bool to_cpus(double us, double period_us, double *cpus) {
    *cpus = us / period_us;
    return us > 0 && period_us > 0 && *cpus > 0 && isfinite(*cpus);
}

/* "quota period" or "max period" in microseconds; false: no limit, or nothing that a kernel writes. */
static bool quota_v2(const struct wf_held_file *files, double *cpus) {
    char text[64], quota[32], *end;
    double period;
    if (!read_text(&files[0], text, sizeof text) || sscanf(text, "%31s %lf", quota, &period) != 2)
        return false;
    double us = strtod(quota, &end);
    return !*end && to_cpus(us, period, cpus);
}

static bool quota_v1(const struct wf_held_file *files, double *cpus) {
    char quota[64], period[64];
    double us, period_us;
    if (!read_text(&files[0], quota, sizeof quota) || !read_text(&files[1], period, sizeof period) ||
        sscanf(quota, "%lf", &us) != 1 || sscanf(period, "%lf", &period_us) != 1)
        return false;
    return to_cpus(us, period_us, cpus); /* -1: no limit */
}

/* A group's directory with its files open. */
struct wf_quota_place {
    enum version version;
    struct wf_held_file files[2];
    char *quota_path; /* of the first */
};

static bool open_place(struct wf_quota_place *place, struct search *search, enum version version, const char *directory) {
    *place = (struct wf_quota_place){.version = version, .files = {{.descriptor = -1}, {.descriptor = -1}}};
    for (unsigned i = 0; i < 2 && quota_files[version][i]; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s%s/%s", search->root, directory, quota_files[version][i]) < 0) {
            search->error = ENOMEM;
            return i > 0;
        }
        place->files[i] = wf_held_open(path);
        if (place->files[i].descriptor < 0 && lacks(errno))
            search->error = errno;
        if (i)
            free(path);
        else
            place->quota_path = path;
    }
    return true;
}

static void close_place(struct wf_quota_place *place) {
    for (unsigned i = 0; i < 2; i++)
        wf_held_close(&place->files[i]);
    free(place->quota_path);
}

static void consider(struct wf_quota *quota, const struct wf_quota_place *place) {
    double cpus;
    bool limited = place->version == VERSION_2 ? quota_v2(place->files, &cpus) : quota_v1(place->files, &cpus);
    if (!limited || (quota->cpus > 0 && quota->cpus <= cpus))
        return;
    quota->cpus = cpus;
    int length = snprintf(quota->source, sizeof quota->source, "%s", place->quota_path);
    if (length < 0 || (size_t)length >= sizeof quota->source)
        quota->source[0] = 0;
}

/* True: the places have it now. */
static bool keep_place(struct wf_quota_places *places, const struct wf_quota_place *place) {
    if (!places || place->files[0].descriptor < 0)
        return false;
    struct wf_quota_place *grown = realloc(places->list, (places->count + 1) * sizeof *grown);
    if (!grown)
        return false;
    places->list = grown;
    places->list[places->count++] = *place;
    return true;
}

/*
 * The group's path below the mount. Both paths are relative to the namespace's root. A container often mounts its own group
 * only (mount_root is the group or an ancestor). Where the group is not below what is mounted ("/../x" across namespaces,
 * /proc of the host), the best we can see is the mount itself.
 */
static const char *path_below(const char *group, const char *mount_root) {
    if (!strcmp(group, "/") || !strncmp(group, "/..", 3))
        return "";
    if (!strcmp(mount_root, "/"))
        return group;
    size_t length = strlen(mount_root);
    bool below = !strncmp(group, mount_root, length) && (group[length] == '/' || !group[length]);
    return below ? group + length : "";
}

/* The group's directory and every one above it, up to and including the mount point. */
static void search_mount(struct search *search, enum version version, const char *mount_root, const char *mount_point) {
    if (!search->group[version][0])
        return;
    char directory[PATH_MAX];
    size_t stop = strlen(mount_point);
    int length = snprintf(directory, sizeof directory, "%s%s", mount_point, path_below(search->group[version], mount_root));
    if (length < 0 || (size_t)length >= sizeof directory)
        return;
    for (;;) {
        struct wf_quota_place place;
        if (open_place(&place, search, version, directory)) {
            consider(search->quota, &place);
            if (!keep_place(search->places, &place))
                close_place(&place);
        }
        char *slash = strrchr(directory, '/');
        if (!slash || strlen(directory) <= stop)
            return;
        *slash = 0;
    }
}

/* One line: id parent major:minor root mount_point options [tags] - type source super_options. */
static void search_line(struct search *search, char *line) {
    char *tail = strstr(line, " - ");
    char *save = NULL;
    if (!tail)
        return;
    *tail = 0;
    char *fields[5];
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(fields); i++)
        if (!(fields[i] = strtok_r(i ? NULL : line, " ", &save)))
            return;
    char *type = strtok_r(tail + 3, " ", &save);
    char *source = type ? strtok_r(NULL, " ", &save) : NULL;
    char *options = source ? strtok_r(NULL, " ", &save) : NULL;
    if (!type)
        return;
    unescape(fields[3]);
    unescape(fields[4]);
    if (!strcmp(type, "cgroup2"))
        search_mount(search, VERSION_2, fields[3], fields[4]);
    else if (!strcmp(type, "cgroup") && options && list_holds(options, "cpu"))
        search_mount(search, VERSION_1, fields[3], fields[4]);
}

static weft_status read_all(const char *root, struct wf_quota *quota, struct wf_quota_places *places) {
    struct search search = {.root = root, .quota = quota, .places = places};
    quota->cpus = 0;
    quota->source[0] = 0;
    read_groups(&search);
    FILE *file = open_under(&search, "/proc/self/mountinfo");
    char *line = NULL;
    size_t room = 0;
    while (file && read_line(&search, file, &line, &room))
        search_line(&search, line);
    free(line);
    if (file)
        fclose(file);
    if (!search.error)
        return WEFT_OK;
    return wf_fail(search.error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM,
                   "the CPU quota cannot be read: %s (see ulimit -n, ulimit -v)", strerror(search.error));
}

weft_status wf_quota_read(const char *root, struct wf_quota *quota) {
    return read_all(root, quota, NULL);
}

/* A little less than a second, as the watch's interval. */
#define RECENT_NS 800000000u

/* What was read last. Taken by trylock only: whoever comes second, or in a child whose parent held it at the fork, reads anew. */
static struct {
    pthread_mutex_t lock;
    pid_t process;
    uint64_t when_ns;
    struct wf_quota quota;
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void copy_quota(struct wf_quota *to, const struct wf_quota *from) {
    to->cpus = from->cpus;
    strcpy(to->source, from->source);
}

void wf_quota_note(const struct wf_quota *quota) {
    if (pthread_mutex_trylock(&last.lock))
        return;
    copy_quota(&last.quota, quota);
    last.process = getpid();
    last.when_ns = wf_now_ns();
    pthread_mutex_unlock(&last.lock);
}

static bool is_recent(struct wf_quota *quota) {
    if (pthread_mutex_trylock(&last.lock))
        return false;
    bool recent = last.process == getpid() && wf_now_ns() - last.when_ns < RECENT_NS;
    if (recent)
        copy_quota(quota, &last.quota);
    pthread_mutex_unlock(&last.lock);
    return recent;
}

weft_status wf_quota_recent(struct wf_quota *quota) {
    if (is_recent(quota))
        return WEFT_OK;
    weft_status status = wf_quota_read("", quota);
    if (!status)
        wf_quota_note(quota);
    return status;
}

weft_status wf_quota_find(struct wf_quota_places *places, struct wf_quota *quota) {
    wf_quota_places_release(places);
    return read_all("", quota, places);
}

void wf_quota_read_again(const struct wf_quota_places *places, struct wf_quota *quota) {
    quota->cpus = 0;
    quota->source[0] = 0;
    for (unsigned i = 0; i < places->count; i++)
        consider(quota, &places->list[i]);
}

void wf_quota_places_release(struct wf_quota_places *places) {
    for (unsigned i = 0; i < places->count; i++)
        close_place(&places->list[i]);
    free(places->list);
    *places = (struct wf_quota_places){0};
}
