/*
 * Which candidates get a worker: the node list, reserved cores, the number asked for, the CPU quota.
 * Threading: part of building a plan.
 */
#ifndef WF_MACHINE_SELECT_H
#define WF_MACHINE_SELECT_H

#include "machine/plan.h"

/* The options that decide, after the environment was asked for those that were zero. */
struct wf_selection {
    const char *nodes; /* NULL: all */
    unsigned reserved_cores;
    unsigned workers;        /* 0: as many as there are */
    const char *workers_who; /* where the number came from, for messages: "worker count" or "WEFT_WORKERS" */
    bool may_miss;           /* fewer than `workers` are no error */
    unsigned most;           /* 0: no limit */
    double quota_cpus;       /* 0: none; limits only if `workers` is 0 */
    bool smt;
};

/* Set plan->chosen, worker_count, fewer_than_machine and limits.reason. WEFT_EINVAL, WEFT_ENOMEM. */
weft_status wf_select_workers(struct weft_plan *plan, const struct wf_selection *selection);

#endif
