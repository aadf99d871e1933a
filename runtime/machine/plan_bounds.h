/*
 * Plans that are bounded by more than their options: the layout of a pool that is to grow with the machine, and the plans made anew
 * while a pool runs. hwloc-free, for the scheduler.
 */
#ifndef WF_MACHINE_PLAN_BOUNDS_H
#define WF_MACHINE_PLAN_BOUNDS_H

#include "machine/cpu_mask.h"
#include "weft/plan.h"

struct wf_quota;

struct wf_plan_bounds {
    const struct wf_cpu_mask *within; /* instead of the process's affinity mask; NULL: that */
    const struct wf_quota *quota;     /* of this process, read already; NULL: it is read */
    bool whole;                       /* every PU that is present, whatever the process may use and the quota grants */
    const weft_plan *again; /* whose own the options are: the environment has been asked, `workers` may be missed, and what was
                               measured is that plan's, read before. NULL: none */
    unsigned most;          /* workers; 0: no limit */
};

/* As weft_plan_create(). */
weft_status wf_plan_create_bounded(weft_plan **plan, const weft_plan_options *options, const struct wf_plan_bounds *bounds);

/*
 * The plan for a new pool, as weft_plan_create(), but that the CPU quota may be one that was read within the last second. Where
 * the last such plan is what would come of it, it is that one: plans do not change.
 */
weft_status wf_plan_create_shared(weft_plan **plan, const weft_plan_options *options);

/* Look at this machine again for the plans that are made from now on. On failure they are made as before, and the detail text says
 * why. */
weft_status wf_plan_refresh_machine(void);

/* The options a plan was made with, after the environment was asked. Lives as long as the plan. */
const weft_plan_options *wf_plan_options(const weft_plan *plan);

#endif
