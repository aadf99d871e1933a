/*
 * Who keeps the scratch arenas of a pool: each node those that came from it, and each worker one more at hand, so that the next
 * task on it gets the pages that the last one has warmed without a lock. A pool that needs no arenas pays a mutex per node.
 *
 * Conservation, whenever nobody is inside a call: arenas of a node = in use + idle + kept by its workers.
 * Field letters: I fixed after init, O the worker only (or a caller on its seat), A atomic, L under the node's lock.
 */
#ifndef WF_SCHEDULER_SCRATCH_CACHE_H
#define WF_SCHEDULER_SCRATCH_CACHE_H

#include <pthread.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "memory/scratch.h"

/* Written by the worker (or under the node's lock), read by anybody; relaxed: counters order nothing. */
struct wf_scratch_counters {
    wf_atomic_u64 acquired, released, made, trimmed, peak_bytes, peaks_sum;
};

/* A worker's part. */
struct wf_scratch_slot {
    struct wf_scratch *kept; /* O: of its node; NULL: none */
    struct wf_scratch_counters counters;
};

/* A node's part. */
struct wf_scratch_home {
    WF_LINE_ALIGNED pthread_mutex_t lock;
    struct wf_scratch *idle;             /* L: by next_idle, last released first */
    struct wf_scratch *made;             /* L: all that exist, by next_made */
    wf_atomic_u64 idle_count, arenas;    /* written L, read by anybody; relaxed */
    struct wf_scratch_counters counters; /* written L: what threads did that had no worker of the node */
};

/* What weft_scratch_configure() has set: A, relaxed, 0: the default. */
struct wf_scratch_settings {
    wf_atomic_u64 limit_bytes, keep_bytes;
    wf_atomic_u32 idle, base_pages;
};

void wf_scratch_home_init(struct wf_scratch_home *home);

/* Unmap all arenas, those in use as well. Nobody uses the node any more. */
void wf_scratch_home_destroy(struct wf_scratch_home *home);

#endif
