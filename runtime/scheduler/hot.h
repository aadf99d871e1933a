/*
 * Hot pools: workers that stay awake between pieces of work, for programs whose next loop comes before a sleeper could be woken.
 *
 * One word of the pool says how many callers want it hot and how long a worker looks for work in vain before it sleeps all the same.
 * It is looked at where a worker decides whether to sleep (worker.c), so it changes no protocol: a hot worker is a searcher that has
 * not given up yet (park.h). Relaxed: it carries no data, and a worker that reads an old value sleeps once too early or too late.
 *
 * A worker that notices that it was off its CPU for WF_HOT_GAP_NS while it only looked for work has met somebody else who wants that
 * CPU: it sleeps until it is needed, when the kernel lets it run before those who have run meanwhile.
 */
#ifndef WF_SCHEDULER_HOT_H
#define WF_SCHEDULER_HOT_H

#include <stdbool.h>

#include "scheduler/pool.h"

#define WF_HOT_GAP_NS 200000u

/* How long a worker looks for work before it sleeps; 0: the pool is not hot. */
static inline uint64_t wf_hot_idle_ns(const weft_pool *pool) {
    uint64_t word = wf_load(&pool->hot, WF_RELAXED);
    return word >> 32 ? (word & UINT32_MAX) * 1000 : 0;
}

/* Whether a worker that has looked for `idle_ns`, and not in the last `gap_ns` of them, goes on. */
static inline bool wf_hot_goes_on(const weft_pool *pool, uint64_t idle_ns, uint64_t gap_ns) {
    return idle_ns < wf_hot_idle_ns(pool) && gap_ns < WF_HOT_GAP_NS && wf_load(&pool->spin_ns, WF_RELAXED);
}

#endif
