/*
 * Running spawned tasks and waiting for them. A worker that waits runs only what belongs to its own subtree: its own slots,
 * newest first; slots of the thief that has its child (leapfrogging, Wagner and Calder 1993); and its own parts of static
 * loops, which nobody else may run. Where the pool asks for it (weft_help) it then runs whatever there is.
 */
#ifndef WF_SCHEDULER_JOIN_H
#define WF_SCHEDULER_JOIN_H

#include "scheduler/pool.h"

/* Spawn: the returned slot's run and payload are filled by the caller, and it is pushed with wf_spawned(). NULL: the deque is full,
 * the caller runs the task inline. */
static inline weft_slot *wf_spawn_slot(struct wf_worker *worker) {
    struct wf_deque *deque = &worker->deque;
    weft_slot *head = wf_deque_settle(deque);
    return WF_LIKELY(head < deque->slots + deque->capacity) ? head : NULL;
}

/* Thieves have asked: make some of the tasks below `head` public, and wake somebody if nobody looks. */
WF_COLD void wf_answer_request(struct wf_worker *worker, uint32_t head);

static inline void wf_spawned(struct wf_worker *worker, weft_slot *slot) {
    struct wf_deque *deque = &worker->deque;
    wf_store(wf_slot_live(slot), WF_SLOT_PLAIN, WF_RELEASE); /* as weft_slot_push() */
    deque->face.head = slot + 1;
    if (WF_UNLIKELY(wf_deque_asked(deque)))
        wf_answer_request(worker, (uint32_t)(slot + 1 - deque->slots));
}

/* A frame around user code that may spawn: begins here, ends with an implicit sync. */
static inline void wf_frame_enter(struct wf_worker *worker, struct wf_frame *frame, const struct wf_frame *parent,
                                  const weft_group *group) {
    *frame = (struct wf_frame){.outer = worker->frame, .parent = parent, .group = group, .base = wf_deque_head(&worker->deque)};
    worker->frame = frame;
}
void wf_frame_leave(struct wf_worker *worker, struct wf_frame *frame);

/* Run a slot in a frame of its own, a child of `parent`, with an implicit sync at its end. */
void wf_run_slot(struct wf_worker *worker, weft_slot *slot, const struct wf_frame *parent);

/* Run a function in a frame of its own, with an implicit sync at its end. */
void wf_run_call(struct wf_worker *worker, weft_task_fn fn, void *arg, const struct wf_frame *parent, const weft_group *group);

/* Wait for all children of the running task but those that typed tasks wait for. */
void wf_sync(struct wf_worker *worker);

/* Run and wait until the deque is down to `base` slots; placed children (placed.h) are not waited for. */
void wf_sync_to(struct wf_worker *worker, uint32_t base);

/* Something a worker waits for inside a task. */
struct wf_wait {
    bool (*ready)(void *what);                          /* is it over? acquire */
    bool (*help)(struct wf_worker *worker, void *what); /* run one piece of it; false: there is none now */
    bool (*announce)(struct wf_worker *worker,
                     void *what); /* before sleep: the end will HINT this worker; true: it is over already */
    void (*retract)(struct wf_worker *worker, void *what); /* after sleep; NULL: nothing to do */
    void *what;
    unsigned spins;  /* sleep after so many times the pool's spin budget; 0: once */
    uint64_t end_ns; /* wait no longer than until then, CLOCK_MONOTONIC; 0: no end */
};

/* Wait: help, serve own static parts, spin for the pool's budget, then sleep. Publishes private tasks first. False: its
 * end has come. */
bool wf_wait_for(struct wf_worker *worker, const struct wf_wait *wait);

/* The part of it before the sleep. False: it is not over, and there has been nothing to do for the budget. */
bool wf_wait_awake(struct wf_worker *worker, const struct wf_wait *wait);

#endif
