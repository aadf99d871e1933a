/*
 * Where a pool's workers run, and which of them take work, after what the process may use has changed.
 *
 * The layout of a pool never changes: ids, nodes, parts of loops and arrays, order of victims are those of weft_pool_plan(). What
 * changes is the current plan. Each of its workers is played by a worker of the layout: by the one that has its CPU, else by one of
 * its node, else by any, whose memory is then moved. Who plays none rests (worker.h).
 *
 * Threading: everything here is under the lock of watch.h, except before the pool's threads run.
 */
#ifndef WF_SCHEDULER_REPLAN_H
#define WF_SCHEDULER_REPLAN_H

#include "machine/cpu_mask.h"
#include "scheduler/pool.h"

/* One worker's place in the current plan. */
struct wf_place {
    int role;                /* index of the current plan's worker that it plays, -1: rests */
    unsigned pu;             /* of its role, or of the last one */
    int os_node;             /* OS index of the node of its role, or of the last one */
    int memory_node;         /* OS index of the node where its memory is */
    struct wf_cpu_mask mask; /* what it is bound to; no set: nothing */
    int refusal;             /* errno of the binding, 0: bound */
};

struct wf_replan {
    weft_plan *current;         /* the pool's own reference */
    struct wf_place *places;    /* one per worker */
    struct wf_cpu_mask process; /* the main thread's mask as it was last seen */
    bool alone;                 /* no other thread was bound to it */
    struct wf_cpu_mask within;  /* the process's mask where it is narrower than the control groups allow; no set: it is not */
    uint64_t count;             /* changes that were followed */
    char last[256];             /* what the last one was, or why it could not be followed */
    unsigned restored;          /* the worker that wf_replan_restore() begins with */
    bool fresh;                 /* not compared with the allowance since the pool was made */
    bool failed;                /* to be tried again */
    weft_pool *next;            /* in the watch's list */
};

/* Places for a new pool: layout and current plan are given. Takes over the reference. WEFT_ENOMEM. */
weft_status wf_replan_begin(weft_pool *pool, weft_plan *current);
void wf_replan_release(weft_pool *pool);

/*
 * Make the current plan anew inside `within` and follow it. On failure everything stays as it was, and `last` says why.
 */
weft_status wf_replan(weft_pool *pool, const struct wf_cpu_mask *within, const char *why);

/* Whether the current plan is what a new one inside `within` would be, as far as CPUs and quota go. */
bool wf_replan_is_current(const weft_pool *pool, const struct wf_cpu_mask *within, double quota_cpus);

/* Whether one of the `most` workers that wf_replan_restore() looks at next is bound to just these CPUs now, by whomever. */
bool wf_replan_any_bound_to(const weft_pool *pool, const struct wf_cpu_mask *cpus, unsigned most);

/*
 * Bind the workers again that somebody else has bound elsewhere: the kernel does when a CPU goes, or a control group changes. At
 * most `most` are looked at, another lot each time.
 */
void wf_replan_restore(weft_pool *pool, unsigned most);

#endif
