/*
 * Counters of pipelines. Each participant (a worker of the pool, a stage's thread) has its own of each stage, and one more for tokens that
 * end on it; a reader adds them up. Field letters: O the participant only, W written by it alone and read by anybody, relaxed.
 */
#ifndef WF_PARALLEL_PIPELINE_STATS_H
#define WF_PARALLEL_PIPELINE_STATS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

struct wf_stage_counts {
    WF_LINE_ALIGNED wf_atomic_u64 tokens; /* W: calls; of the last one, finished tokens */
    wf_atomic_u64 dropped;                /* W: by the stage; of the last one, because the run stopped */
    wf_atomic_u64 bytes;                  /* W */
    wf_atomic_u64 remote;                 /* W: calls away from the token's home */
    wf_atomic_u64 busy_ns;                /* W */
    wf_atomic_u64 watched_ns;             /* W: calls that were watched for sleep */
    wf_atomic_u64 slept_ns;               /* W: of that, asleep */
    uint64_t unwatched_ns;                /* O: since the last that was */
    uint64_t timed_at;                    /* O: the call that is timed next */
    uint32_t weight;                      /* O: calls that it stands for */
    bool begun;                           /* O: begin() has succeeded; read by destroy */
};

/* Tokens that wait for a stage: A, relaxed, changed only where a token waits. */
struct wf_stage_queue {
    WF_LINE_ALIGNED wf_atomic_u32 now;
    wf_atomic_u32 most;
    wf_atomic_u64 found; /* sum of what each found before it */
};

static inline void wf_count_more(wf_atomic_u64 *count, uint64_t more) {
    wf_store(count, wf_load(count, WF_RELAXED) + more, WF_RELAXED);
}

static inline void wf_queue_enter(struct wf_stage_queue *queue) {
    uint32_t before = wf_fetch_add(&queue->now, 1, WF_RELAXED), most = wf_load(&queue->most, WF_RELAXED);
    while (most < before + 1 && !wf_cas(&queue->most, &most, before + 1, WF_RELAXED, WF_RELAXED))
        ;
    wf_fetch_add(&queue->found, before, WF_RELAXED);
}

static inline void wf_queue_leave(struct wf_stage_queue *queue) {
    wf_fetch_sub(&queue->now, 1, WF_RELAXED);
}

#endif
