/*
 * The ready queue of one worker: a bounded ring of submitted tasks, first in, first out. The owner puts, everybody takes.
 *
 * `first` and `last` count up for ever (32 bits, compared by difference). Tasks lie in it by value. A taker copies what it wants
 * and then moves `first` by compare-exchange; if that fails its copies are void. The owner overwrites an entry only when `first`
 * has passed it, and then the slow taker's compare-exchange fails. A taker that sleeps through exactly 2^32 takes between its
 * two steps would be fooled; at 10 ns a take that is 43 s inside two instructions.
 *
 *   edge   who     operation                         order and partner
 *   put    owner   store last                        seq_cst: entries before; then the look at sleepers
 *   take   anyone  load last                         acquire: put (seq_cst when a thief is about to sleep)
 *   take   anyone  cas first                         release: the owner that reuses the entries; acquire: other takers
 *   put    owner   load first                        acquire: take
 *
 * Rejected: pointers to records, because each take then pays a second cache miss, and who frees the record pays for it again.
 */
#ifndef WF_SCHEDULER_READY_QUEUE_H
#define WF_SCHEDULER_READY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/task.h"

#ifndef WF_READY_CAPACITY /* a test may want few; a power of two, so that it divides 2^32 */
#define WF_READY_CAPACITY 256u
#endif

/* One submitted task, as it lies in inboxes and ready queues. */
struct wf_task {
    weft_task_fn fn; /* NULL: `arg` is a wf_task_record, the task is listed by its group as well (group.h) */
    void *arg;
    weft_group *group; /* NULL: none */
    uint32_t home;     /* 1 + the node it was placed on (placed.h); 0: none */
    uint32_t room;     /* 1 + the node in whose room it counts (room.h); 0: in none */
};

struct wf_ready_queue {
    WF_LINE_ALIGNED wf_atomic_u32 first; /* A: takers */
    WF_LINE_ALIGNED wf_atomic_u32 last;  /* A: written by the owner only */
    WF_LINE_ALIGNED struct wf_ready_entry {
        wf_atomic_u64 fn;
        wf_atomic_ptr arg, group;
        wf_atomic_u32 home, room;
    } entries[WF_READY_CAPACITY]; /* A: relaxed, ordered by first and last */
};

/* Owner: entries it may put now. */
static inline uint32_t wf_ready_queue_room(const struct wf_ready_queue *queue) {
    return WF_READY_CAPACITY - (wf_load(&queue->last, WF_RELAXED) - wf_load(&queue->first, WF_ACQUIRE));
}

/* Owner: write the entry that lies `ahead` behind the newest; there is room. Nobody sees it before wf_ready_queue_publish(). */
static inline void wf_ready_queue_fill(struct wf_ready_queue *queue, uint32_t ahead, const struct wf_task *task) {
    struct wf_ready_entry *entry = &queue->entries[(wf_load(&queue->last, WF_RELAXED) + ahead) % WF_READY_CAPACITY];
    wf_store(&entry->fn, (uint64_t)(uintptr_t)task->fn, WF_RELAXED);
    wf_store(&entry->arg, task->arg, WF_RELAXED);
    wf_store(&entry->group, task->group, WF_RELAXED);
    wf_store(&entry->home, task->home, WF_RELAXED);
    wf_store(&entry->room, task->room, WF_RELAXED);
}

/* Owner: `count` filled entries become part of the queue. */
static inline void wf_ready_queue_publish(struct wf_ready_queue *queue, uint32_t count) {
    wf_store(&queue->last, wf_load(&queue->last, WF_RELAXED) + count, WF_SEQ_CST);
}

/* Owner: add one; there is room. */
static inline void wf_ready_queue_put(struct wf_ready_queue *queue, const struct wf_task *task) {
    wf_ready_queue_fill(queue, 0, task);
    wf_ready_queue_publish(queue, 1);
}

/* Anyone: whether it holds a task now. */
static inline bool wf_ready_queue_has_work(const struct wf_ready_queue *queue) {
    return wf_load(&queue->first, WF_SEQ_CST) != wf_load(&queue->last, WF_SEQ_CST);
}

/* A copy of an entry that may be void. */
static inline struct wf_task wf_ready_queue_look(const struct wf_ready_queue *queue, uint32_t at) {
    const struct wf_ready_entry *entry = &queue->entries[at % WF_READY_CAPACITY];
    return (struct wf_task){(weft_task_fn)(uintptr_t)wf_load(&entry->fn, WF_RELAXED), wf_load(&entry->arg, WF_RELAXED),
                            wf_load(&entry->group, WF_RELAXED), wf_load(&entry->home, WF_RELAXED),
                            wf_load(&entry->room, WF_RELAXED)};
}

/* Anyone: the oldest task; false: it is empty. */
static inline bool wf_ready_queue_take(struct wf_ready_queue *queue, struct wf_task *task) {
    uint32_t first = wf_load(&queue->first, WF_ACQUIRE);
    for (;;) {
        uint32_t last = wf_load(&queue->last, WF_ACQUIRE);
        if ((int32_t)(last - first) <= 0)
            return false;
        struct wf_task copy = wf_ready_queue_look(queue, first);
        if (wf_cas(&queue->first, &first, first + 1, WF_ACQ_REL, WF_ACQUIRE)) {
            *task = copy;
            return true;
        }
    }
}

/*
 * Anyone but the owner: the older half of what it holds, rounded up and at most 1 + `room`. The oldest is copied out, the others
 * are filled into `own`, a queue of the caller with that much room, for it to publish. Returns how many were taken.
 */
static inline uint32_t wf_ready_queue_steal(struct wf_ready_queue *queue, struct wf_ready_queue *own, uint32_t room,
                                            struct wf_task *oldest) {
    uint32_t first = wf_load(&queue->first, WF_ACQUIRE);
    for (;;) {
        uint32_t last = wf_load(&queue->last, WF_ACQUIRE);
        if ((int32_t)(last - first) <= 0)
            return 0;
        uint32_t count = (last - first + 1) / 2;
        count = count < room + 1 ? count : room + 1;
        struct wf_task copy = wf_ready_queue_look(queue, first);
        for (uint32_t i = 1; i < count; i++) {
            struct wf_task other = wf_ready_queue_look(queue, first + i);
            wf_ready_queue_fill(own, i - 1, &other);
        }
        if (wf_cas(&queue->first, &first, first + count, WF_ACQ_REL, WF_ACQUIRE)) {
            *oldest = copy;
            return count;
        }
    }
}

#endif
