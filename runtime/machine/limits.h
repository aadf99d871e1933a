/*
 * What bounds the process besides the topology: its affinity mask and the CPU quota of its control groups.
 * Threading: any thread; each call reads the system afresh, but for wf_quota_recent().
 */
#ifndef WF_MACHINE_LIMITS_H
#define WF_MACHINE_LIMITS_H

#include <hwloc.h>
#include <limits.h>
#include <sys/types.h>

#include "machine/cpu_mask.h"
#include "weft/status.h"

/* Add the CPUs of a mask to a set. WEFT_ENOMEM. */
weft_status wf_limits_add(hwloc_bitmap_t set, const struct wf_cpu_mask *mask);

struct wf_quota {
    double cpus;           /* 0: none */
    char source[PATH_MAX]; /* the file it was read from, "" if none */
};

/*
 * The tightest CPU quota over the process's control group and all its ancestors, v1 and v2, as far as this process can see
 * them. `root` is put before every path ("" for the running system). What cannot be read does not limit. WEFT_ENOMEM, WEFT_EPERM:
 * no memory or descriptors to read what may be there.
 */
weft_status wf_quota_read(const char *root, struct wf_quota *quota);

/*
 * The quota of this process as of the last second: read now, or by somebody a moment ago. wf_quota_note() tells what was read.
 * WEFT_ENOMEM, WEFT_EPERM as above.
 */
weft_status wf_quota_recent(struct wf_quota *quota);
void wf_quota_note(const struct wf_quota *quota);

/* A file held open. It is known again: a program may have closed its descriptor, as it were its own, and opened another there. */
struct wf_held_file {
    int descriptor; /* -1: none */
    dev_t device;
    ino_t inode;
};

struct wf_held_file wf_held_open(const char *path);
ssize_t wf_held_read(const struct wf_held_file *file, void *bytes, size_t room, off_t offset); /* as pread(2) */
void wf_held_close(const struct wf_held_file *file);

/* Files of control groups in which a quota may stand, found once, held open, and read often. */
struct wf_quota_places {
    struct wf_quota_place *list;
    unsigned count;
};

/* As wf_quota_read("", quota), and keep where it looked; what cannot be kept for lack of memory is not read
 * again. */
weft_status wf_quota_find(struct wf_quota_places *places, struct wf_quota *quota);

/* The tightest quota of the places, which stay the same as long as the process's control groups do. */
void wf_quota_read_again(const struct wf_quota_places *places, struct wf_quota *quota);

void wf_quota_places_release(struct wf_quota_places *places);

#endif
