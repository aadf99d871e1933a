/*
 * CPU quotas: /proc/self/cgroup, /proc/self/mountinfo and the files they lead to, all served from the input instead of the
 * disk (fopen() and open() are wrapped by the linker). Input: the two files, then the files of control groups in turn, separated by lines
 * "==".
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "machine/limits.h"

#define ROOT "/fuzz-root"
#define FILES_MOST 8

static struct {
    const uint8_t *data;
    size_t size;
} files[FILES_MOST];
static unsigned file_count, opened;
static char paths[64][PATH_MAX + 64]; /* of control-group files that were opened */

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

static FILE *serve(unsigned file) {
    if (file >= file_count) {
        errno = ENOENT;
        return NULL;
    }
    FILE *made =
        files[file].size ? fmemopen((void *)(uintptr_t)files[file].data, files[file].size, "r") : __real_fopen("/dev/null", "re");
    return made;
}

FILE *__wrap_fopen(const char *path, const char *mode) {
    if (strncmp(path, ROOT, strlen(ROOT)))
        return __real_fopen(path, mode);
    FUZZ_CHECK(strlen(path) < PATH_MAX && !strcmp(mode, "re"), "%s is opened as %s", path, mode);
    if (!strcmp(path, ROOT "/proc/self/cgroup"))
        return serve(0);
    if (!strcmp(path, ROOT "/proc/self/mountinfo"))
        return serve(1);
    fuzz_failed(__FILE__, __LINE__, "known", "%s is not where quotas are looked for", path);
}

/* The files of control groups are read by descriptor: each open() gives one of a file in memory. */
int __wrap_open(const char *path, int flags, ...) {
    if (strncmp(path, ROOT, strlen(ROOT)))
        return __real_open(path, flags, 0);
    FUZZ_CHECK((flags & (O_ACCMODE | O_CLOEXEC)) == (O_RDONLY | O_CLOEXEC), "%s is opened with flags %x", path, (unsigned)flags);
    if (strlen(path) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    static const char *const names[] = {"/cpu.max", "/cpu.cfs_quota_us", "/cpu.cfs_period_us"};
    bool known = false;
    for (unsigned i = 0; i < 3; i++)
        known |= strlen(path) >= strlen(names[i]) && !strcmp(path + strlen(path) - strlen(names[i]), names[i]);
    FUZZ_CHECK(known, "%s is none of the files that quotas stand in", path);
    snprintf(paths[opened % 64], sizeof paths[0], "%s", path);
    unsigned file = 2 + opened++ % (FILES_MOST - 2);
    if (file >= file_count) {
        errno = ENOENT;
        return -1;
    }
    int made = memfd_create("weft-fuzz-quota", MFD_CLOEXEC);
    FUZZ_CHECK(made >= 0 && write(made, files[file].data, files[file].size) == (ssize_t)files[file].size, "no memory file");
    return made;
}

static void split(const uint8_t *data, size_t size) {
    static const uint8_t mark[] = {'=', '=', '\n'};
    file_count = opened = 0;
    while (file_count < FILES_MOST) {
        const uint8_t *end = file_count + 1 < FILES_MOST && size ? memmem(data, size, mark, sizeof mark) : NULL;
        files[file_count].data = data;
        files[file_count++].size = end ? (size_t)(end - data) : size;
        if (!end)
            break;
        size -= (size_t)(end - data) + sizeof mark;
        data = end + sizeof mark;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct wf_quota quota;
    memset(&quota, 0x7f, sizeof quota);
    split(data, size);
    fuzz_begin();
    weft_status status = wf_quota_read(ROOT, &quota);
    fuzz_end(status);
    FUZZ_CHECK(status == WEFT_OK, "%s", weft_error_detail());
    FUZZ_CHECK(isfinite(quota.cpus) && quota.cpus >= 0, "a quota of %g CPUs", quota.cpus);
    FUZZ_CHECK(memchr(quota.source, 0, sizeof quota.source), "the source has no end");
    FUZZ_CHECK(quota.cpus > 0 || !*quota.source, "no quota from %s", quota.source);
    FUZZ_CHECK(quota.cpus <= 0 || *quota.source, "a quota of %g CPUs from nowhere", quota.cpus);
    bool seen = quota.cpus <= 0;
    for (unsigned i = 0; i < opened && i < 64; i++)
        seen |= !strcmp(paths[i], quota.source);
    FUZZ_CHECK(seen || opened > 64, "%s was not opened", quota.source);
    return 0;
}
