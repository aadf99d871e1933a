/*
 * The slot: one spawned task, in its worker's deque from spawn to sync.
 */
#ifndef WF_SCHEDULER_SLOT_H
#define WF_SCHEDULER_SLOT_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/task.h"

struct wf_frame;
struct wf_worker;
struct wf_slot;

/* Runs a slot. It reads what it needs from the slot before it calls user code: the owner's nested spawns reuse the slot. */
typedef void (*wf_slot_run)(struct wf_worker *worker, struct wf_slot *slot);

/*
 * slot.state, one word so that the thief's end and the owner's sleep cannot miss each other:
 *   0                    nobody but the owner has it, or a thief has just won it and is about to say so
 *   thief << SHIFT       running on worker (thief - 1)
 *   | WAITING            the owner sleeps, or is about to, until it is done
 *   | DONE               ended; its results are visible to whoever acquires this
 */
#define WF_SLOT_DONE 1u
#define WF_SLOT_WAITING 2u
#define WF_SLOT_THIEF_SHIFT 2

/* One spawned task. Everything but `state` is written by the deque's owner before the slot becomes public and read by the
 * one who holds the task: the owner, or the thief after its compare-exchange on the deque word. */
struct wf_slot {
    WF_LINE_ALIGNED wf_slot_run run;
    union {
        weft_task_fn fn;
        void *job;
    } call;
    void *arg;
    struct wf_frame *parent; /* the frame that spawned it, which waits for it before it ends */
    size_t first, last;      /* for runs that split an index range */
    wf_atomic_u32 state;     /* A: see above */
};
_Static_assert(sizeof(struct wf_slot) == WF_LINE, "a slot is one cache line");

#endif
