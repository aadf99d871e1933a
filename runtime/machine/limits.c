/*
 * Affinity masks of any size, and CPU quotas from /proc/self/cgroup, /proc/self/mountinfo and the files they lead to
 * (cgroups(7), cgroup_namespaces(7), proc(5)).
 */
#include "machine/limits.h"

#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/status.h"

/* The kernel wants a mask as long as its own (EINVAL otherwise) and does not tell how long that is: double until it fits. */
#define FIRST_MASK_CPUS 1024
#define MAX_MASK_CPUS (1 << 22)

static int mask_get(hwloc_bitmap_t mask, size_t cpus) {
    size_t bytes = CPU_ALLOC_SIZE(cpus);
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (!set)
        return ENOMEM;
    int error = sched_getaffinity(getpid(), bytes, set) ? errno : 0;
    hwloc_bitmap_zero(mask);
    for (size_t cpu = 0; !error && cpu < cpus; cpu++)
        if (CPU_ISSET_S(cpu, bytes, set) && hwloc_bitmap_set(mask, (unsigned)cpu))
            error = ENOMEM;
    CPU_FREE(set);
    return error;
}

weft_status wf_affinity_mask(hwloc_bitmap_t mask) {
    int error = EINVAL;
    for (size_t cpus = FIRST_MASK_CPUS; error == EINVAL && cpus <= MAX_MASK_CPUS; cpus *= 2)
        error = mask_get(mask, cpus);
    if (!error)
        return WEFT_OK;
    return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM, "the affinity mask cannot be read: %s", strerror(error));
}

/* Which of the two control-group versions a mount or a line of /proc/self/cgroup belongs to. */
enum version { VERSION_1, VERSION_2 };

struct search {
    const char *root;
    char group[2][PATH_MAX]; /* the process's group per version, "" if it has none there */
    struct wf_quota *quota;
    int error; /* why something that exists could not be read, 0: nothing was */
};

static bool list_holds(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, word, length) && (at[length] == ',' || !at[length]))
            return true;
    return false;
}

/* What is not there, or not ours to read, bounds nothing that we could know; too few descriptors or bytes are a failure. */
static FILE *open_under(struct search *search, const char *path) {
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s%s", search->root, path);
    if (length < 0 || (size_t)length >= sizeof full)
        return NULL;
    FILE *file = fopen(full, "re");
    if (!file && (errno == ENOMEM || errno == EMFILE || errno == ENFILE))
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

/* "quota period" or "max period" in microseconds; false: no limit, or nothing that a kernel writes. */
static bool read_cpu_max(FILE *file, double *cpus) {
    char quota[32];
    double period;
    if (fscanf(file, "%31s %lf", quota, &period) != 2)
        return false;
    char *end;
    double us = strtod(quota, &end);
    *cpus = us / period;
    return !*end && us > 0 && period > 0;
}

static bool read_number(struct search *search, const char *directory, const char *name, double *number) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", directory, name) >= (int)sizeof path)
        return false;
    FILE *file = open_under(search, path);
    bool read = file && fscanf(file, "%lf", number) == 1;
    if (file)
        fclose(file);
    return read;
}

static bool quota_v1(struct search *search, const char *directory, double *cpus) {
    double us, period;
    if (!read_number(search, directory, "cpu.cfs_quota_us", &us) || !read_number(search, directory, "cpu.cfs_period_us", &period))
        return false;
    *cpus = us / period;
    return us > 0 && period > 0; /* -1: no limit */
}

static bool quota_v2(struct search *search, const char *directory, double *cpus) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/cpu.max", directory) >= (int)sizeof path)
        return false;
    FILE *file = open_under(search, path);
    bool limited = file && read_cpu_max(file, cpus);
    if (file)
        fclose(file);
    return limited;
}

static void consider(struct search *search, enum version version, const char *directory) {
    double cpus;
    bool limited = version == VERSION_2 ? quota_v2(search, directory, &cpus) : quota_v1(search, directory, &cpus);
    if (!limited || (search->quota->cpus > 0 && search->quota->cpus <= cpus))
        return;
    search->quota->cpus = cpus;
    int length = snprintf(search->quota->source, sizeof search->quota->source, "%s%s/%s", search->root, directory,
                          version == VERSION_2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (length < 0 || (size_t)length >= sizeof search->quota->source)
        search->quota->source[0] = 0;
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
        consider(search, version, directory);
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

weft_status wf_quota_read(const char *root, struct wf_quota *quota) {
    struct search search = {.root = root, .quota = quota};
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
