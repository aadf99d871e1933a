/*
 * Counters of one worker. The owner adds without a locked instruction; anybody may read.
 */
#ifndef WF_SCHEDULER_STATS_H
#define WF_SCHEDULER_STATS_H

#include "base/atomic.h"
#include "weft/pool.h"

/* Written by the owner only (load and store, no read-modify-write); relaxed: counters order nothing. */
struct wf_counters {
    wf_atomic_u64 tasks, inbox_tasks, steals_cache, steals_node, steals_remote[WEFT_REMOTE_CLASSES];
    wf_atomic_u64 failed_rounds, parks, wakes, loop_iterations, loop_iterations_local, overflows;
    wf_atomic_u64 attempts_local, attempts_remote, remote_rounds;
};

static inline void wf_count(wf_atomic_u64 *counter, uint64_t amount) {
    wf_store(counter, wf_load(counter, WF_RELAXED) + amount, WF_RELAXED);
}

#endif
