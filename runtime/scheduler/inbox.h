/*
 * The inbox of one node: where submitted tasks wait for the node's workers. It has several lanes, so that threads which submit at
 * once do not meet on one line; a thread keeps to its lane unless another one holds it. A lane is a list of chunks that tasks are
 * written into by value, one after the other: who takes reads memory in order, which the hardware fetches ahead.
 *
 * `put` counts the tasks that were ever put into a lane, and holds two bits: LOCKED, the submitters' lock, and CLOSED. `taken`
 * counts those that were ever taken, by whoever holds `taking`, the workers' try-lock. The one never waits for the other.
 *
 *   edge       who        operation                  order and partner
 *   lock       submitter  cas(put, LOCKED)           acquire: the last submitter's or closer's release
 *   put        submitter  store(put, count, open)    seq_cst: tasks and links before, the takers' acquire; then the look at sleepers
 *   close      closer     store(put, CLOSED)         release, under the lock: a task is put before, and counted, or refused
 *   take       worker     load(put)                  acquire: put (seq_cst when a worker is about to sleep)
 *   hand on    worker     exchange, store(taking)    acquire and release: head and head_used
 *   reuse      worker     a chunk that is used up    see record_pool.h
 *
 * Invariant: a lane's tail has room for a task. The last entry of a chunk is published with the next chunk linked, so a taker that
 * has used a chunk up knows its successor, and no submitter knows the chunk any more: it may be freed.
 *
 * What closes counts `put` of all lanes and compares with the tasks that have ended (pool.h); nothing is counted per task
 * that two threads write. The backlog is a lane of the workers: what does not fit into their ready queues. It is never closed, and
 * its tasks are counted by the workers that made them.
 *
 * Rejected: liburcu's wfcqueue of records (a cache miss per task to find the next, one more to free it; 100 ns a task); a lane per
 * thread (one locked operation less, but lanes then outlive threads, or threads pools). A submitter that is interrupted while it
 * holds a lane makes nobody wait but closers: others take the next lane.
 */
#ifndef WF_SCHEDULER_INBOX_H
#define WF_SCHEDULER_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "memory/record_pool.h"
#include "scheduler/ready_queue.h"

#ifndef WF_LANES /* a test may want few of both */
#define WF_LANES 4u
#define WF_CHUNK_TASKS 127u /* 4 KiB, two tasks a line */
#endif

#define WF_LANE_LOCKED UINT64_C(1)
#define WF_LANE_CLOSED UINT64_C(2)
#define WF_LANE_ONE UINT64_C(4)

struct wf_chunk {
    struct wf_chunk *next; /* written before the last task is published */
    _Alignas(32) struct wf_task tasks[WF_CHUNK_TASKS];
};

struct wf_lane {
    WF_LINE_ALIGNED wf_atomic_u64 put;   /* A: see above */
    struct wf_chunk *first;              /* L: LOCKED; the first there ever was, for takers */
    struct wf_chunk *tail;               /* L: LOCKED */
    uint32_t tail_used;                  /* L: LOCKED */
    WF_LINE_ALIGNED wf_atomic_u64 taken; /* A: changed under taking; relaxed, an old value shows work that is gone */
    wf_atomic_u32 taking;                /* A: the takers' try-lock */
    uint32_t head_used;                  /* L: taking */
    struct wf_chunk *head;               /* L: taking; NULL: as `first` */
};

struct wf_inbox {
    struct wf_lane lanes[WF_LANES + 1]; /* the last is the backlog */
    WF_LINE_ALIGNED pthread_mutex_t chunk_lock;
    struct wf_record_pool chunks; /* L: chunk_lock to allocate; takers free */
};

/* Everything but `chunks`. */
void wf_inbox_init(struct wf_inbox *inbox);

/*
 * Any thread: put tasks that are the same but for their arguments, one per argument (`task->arg` counts for nothing), into a lane, in order; all or none. `lane`: which one
 * to try first, any number. Without text: WEFT_ECLOSED; WEFT_ENOMEM.
 */
weft_status wf_inbox_put(struct wf_inbox *inbox, unsigned lane, const struct wf_task *task, void *const *args, size_t count);

/* Any worker: put one task into the backlog. WEFT_ENOMEM, without text. */
weft_status wf_inbox_put_backlog(struct wf_inbox *inbox, const struct wf_task *task);

/*
 * Any worker: up to 1 + `room` tasks of one lane, in order. The oldest is copied out, the others are filled into `own`, a queue of
 * the caller with that much room, for it to publish. `lane`: where to begin. Returns how many; 0: none, or others are taking.
 */
unsigned wf_inbox_take(struct wf_inbox *inbox, unsigned lane, struct wf_ready_queue *own, uint32_t room, struct wf_task *oldest);

/* The same for the backlog or one of the other lanes, [0, WF_LANES), alone. */
unsigned wf_inbox_take_lane(struct wf_inbox *inbox, unsigned lane, struct wf_ready_queue *own, uint32_t room,
                            struct wf_task *oldest);

/* From now on submitters are refused; waits for those that hold a lane. */
void wf_inbox_close(struct wf_inbox *inbox);

/* Tasks that were ever put by submitters. After wf_inbox_close(). */
uint64_t wf_inbox_accepted(const struct wf_inbox *inbox);

/* Tasks that wait in a lane, at least while nobody takes. */
static inline uint64_t wf_lane_waiting(const struct wf_lane *lane) {
    uint64_t taken = wf_load(&lane->taken, WF_RELAXED);
    return wf_load(&lane->put, WF_SEQ_CST) / WF_LANE_ONE - taken;
}

static inline bool wf_lane_has_work(const struct wf_lane *lane) {
    return wf_lane_waiting(lane) != 0;
}

/* Any worker: whether a task waits. */
static inline bool wf_inbox_has_work(const struct wf_inbox *inbox) {
    for (unsigned i = 0; i <= WF_LANES; i++)
        if (wf_lane_has_work(&inbox->lanes[i]))
            return true;
    return false;
}

#endif
