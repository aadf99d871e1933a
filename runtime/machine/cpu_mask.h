/*
 * CPU masks of any size, as the kernel's affinity calls take them.
 * Threading: a mask belongs to whoever made it; the calls read and set the masks of other threads.
 */
#ifndef WF_MACHINE_CPU_MASK_H
#define WF_MACHINE_CPU_MASK_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "weft/status.h"

struct wf_cpu_mask {
    size_t bytes;
    cpu_set_t *set; /* NULL: no mask */
};

/* Set *mask, whose content is not looked at, to the affinity mask of a thread (0: the caller). WEFT_EPERM, WEFT_ENOMEM. */
weft_status wf_cpu_mask_of(pid_t thread, struct wf_cpu_mask *mask);

/* The affinity mask of the process: its main thread's. */
weft_status wf_cpu_mask_of_process(struct wf_cpu_mask *mask);

/* Bind a thread of this process. 0, or errno: EINVAL where the system allows none of these CPUs now. */
int wf_cpu_mask_apply(pid_t thread, const struct wf_cpu_mask *mask);

/* An own copy; WEFT_ENOMEM. */
weft_status wf_cpu_mask_copy(struct wf_cpu_mask *to, const struct wf_cpu_mask *from);

/* The same CPUs, whatever the masks' sizes. */
bool wf_cpu_mask_equal(const struct wf_cpu_mask *a, const struct wf_cpu_mask *b);

/* Drop the CPUs that are not in `other`. */
void wf_cpu_mask_narrow(struct wf_cpu_mask *mask, const struct wf_cpu_mask *other);

void wf_cpu_mask_release(struct wf_cpu_mask *mask);

#endif
