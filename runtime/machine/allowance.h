/*
 * What this process may use now, looked at again and again: CPUs, memory nodes, CPU quota. Cheap enough to do every second.
 *
 * CPUs are those of a scout: a thread whose own mask allows every CPU, so that what the kernel lets it use is what the control
 * groups allow, of the CPUs that are online. `taskset -a`, which binds every thread of the process, binds the scout as well. A main
 * thread that only binds itself (an OpenMP runtime does that to its caller) changes nothing here: it means its own place, not the
 * program's.
 *
 * Threading: the caller's lock, but for the opening, which is the scout's.
 */
#ifndef WF_MACHINE_ALLOWANCE_H
#define WF_MACHINE_ALLOWANCE_H

#include "machine/cpu_mask.h"

struct wf_allowance;

/* What changed between two looks. */
enum {
    WF_CHANGED_CPUS = 1,   /* what the scout may use */
    WF_CHANGED_MEMORY = 2, /* allowed memory nodes */
    WF_CHANGED_QUOTA = 4,  /* the tightest CPU quota */
};

/* What the scout's thread is to be bound to before it runs: every CPU that there is and will be. */
weft_status wf_allowance_scout_mask(struct wf_cpu_mask *mask);

/* The calling thread becomes the scout. WEFT_ENOMEM; WEFT_EPERM: masks cannot be read. */
weft_status wf_allowance_open(struct wf_allowance **allowance);
void wf_allowance_close(struct wf_allowance *allowance);

/* Look again; what changed since the last look, 0: nothing. What cannot be read has not changed. */
unsigned wf_allowance_look(struct wf_allowance *allowance);

/* The CPUs that the scout may use, as of the last look. */
const struct wf_cpu_mask *wf_allowance_cpus(const struct wf_allowance *allowance);

/* The main thread's mask as of the last look. Its changes alone are not reported. */
const struct wf_cpu_mask *wf_allowance_process(const struct wf_allowance *allowance);

/* The tightest CPU quota as of the last look, in CPUs; 0: none. */
double wf_allowance_quota(const struct wf_allowance *allowance);

#endif
