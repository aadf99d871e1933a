/*
 * The ready queue of one worker: a bounded ring of submitted tasks, first in, first out. The owner puts, everybody takes.
 *
 * `first` and `last` count up for ever (32 bits, compared by difference). A taker reads the entry and then moves `first` by
 * compare-exchange; if that fails the entry it read is void. The owner overwrites an entry only when `first` has passed it,
 * and then the slow taker's compare-exchange fails. A taker that sleeps through exactly 2^32 takes between its two steps
 * would be fooled; at 10 ns a take that is 43 s inside two instructions.
 *
 *   edge   who     operation                         order and partner
 *   put    owner   store last                        seq_cst: entry before; then the look at sleepers
 *   take   anyone  load last                         acquire: put (seq_cst when a thief is about to sleep)
 *   take   anyone  cas first                         release: the owner that reuses the entry; acquire: other takers
 *   put    owner   load first                        acquire: take
 */
#ifndef WF_SCHEDULER_READY_QUEUE_H
#define WF_SCHEDULER_READY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

#ifndef WF_READY_CAPACITY /* a test may want few; a power of two, so that it divides 2^32 */
#define WF_READY_CAPACITY 256u
#endif

struct wf_ready_queue {
    WF_LINE_ALIGNED wf_atomic_u32 first; /* A: takers */
    WF_LINE_ALIGNED wf_atomic_u32 last;  /* A: written by the owner only */
    WF_LINE_ALIGNED wf_atomic_ptr entries[WF_READY_CAPACITY];
};

/* Owner: entries it may put now. */
static inline uint32_t wf_ready_queue_room(const struct wf_ready_queue *queue) {
    return WF_READY_CAPACITY - (wf_load(&queue->last, WF_RELAXED) - wf_load(&queue->first, WF_ACQUIRE));
}

/* Owner: add one; there is room. */
static inline void wf_ready_queue_put(struct wf_ready_queue *queue, void *task) {
    uint32_t last = wf_load(&queue->last, WF_RELAXED);
    wf_store(&queue->entries[last % WF_READY_CAPACITY], task, WF_RELAXED);
    wf_store(&queue->last, last + 1, WF_SEQ_CST);
}

/* Anyone: whether it holds a task now. */
static inline bool wf_ready_queue_has_work(const struct wf_ready_queue *queue) {
    return wf_load(&queue->first, WF_SEQ_CST) != wf_load(&queue->last, WF_SEQ_CST);
}

/* Anyone: how many tasks it holds, about. Relaxed: a guess, for who takes many. */
static inline uint32_t wf_ready_queue_length(const struct wf_ready_queue *queue) {
    uint32_t first = wf_load(&queue->first, WF_RELAXED);
    int32_t length = (int32_t)(wf_load(&queue->last, WF_RELAXED) - first);
    return length > 0 ? (uint32_t)length : 0;
}

/* Anyone: the oldest task, or NULL if it is empty. */
static inline void *wf_ready_queue_take(struct wf_ready_queue *queue) {
    uint32_t first = wf_load(&queue->first, WF_ACQUIRE);
    for (;;) {
        uint32_t last = wf_load(&queue->last, WF_ACQUIRE);
        if ((int32_t)(last - first) <= 0)
            return NULL;
        void *task = wf_load(&queue->entries[first % WF_READY_CAPACITY], WF_RELAXED);
        if (wf_cas(&queue->first, &first, first + 1, WF_ACQ_REL, WF_ACQUIRE))
            return task;
    }
}

#endif
