/*
 * What bounds the process besides the topology: its affinity mask and the CPU quota of its control groups.
 * Threading: any thread; each call reads the system afresh.
 */
#ifndef WF_MACHINE_LIMITS_H
#define WF_MACHINE_LIMITS_H

#include <hwloc.h>
#include <limits.h>

#include "weft/status.h"

/* Set *mask, whatever the number of CPUs, to the process's affinity mask (its main thread's). WEFT_EPERM, WEFT_ENOMEM. */
weft_status wf_affinity_mask(hwloc_bitmap_t mask);

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

#endif
