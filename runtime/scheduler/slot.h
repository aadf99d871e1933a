/*
 * The slot: one spawned task, in its worker's deque from spawn to sync. The struct is public (weft/fork.h), since spawn and sync are
 * compiled into the program. Field letters: O the deque's owner, H whoever holds the task, A atomic.
 *
 *   run      H: runs the slot. It reads what it needs before it calls user code: the owner's nested spawns reuse the slot
 *   live     A: TYPED or PLAIN from spawn to sync, else 0; written by the owner only; see deque.h
 *   state    A: 0 unless the task was stolen (or ran in a deque that was full), see below
 *   payload  H: arguments, then the result
 *   parent   A: the frame that spawned it, which waits for it before it ends; NULL: private, or made public by a thief. Relaxed: who
 *            reads NULL for a frame only knows less
 *
 * Holder is the owner, or the thief from its compare-exchange on the deque's word to DONE.
 */
#ifndef WF_SCHEDULER_SLOT_H
#define WF_SCHEDULER_SLOT_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/fork.h"

_Static_assert(sizeof(weft_slot) == WF_LINE, "a slot is one cache line");

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

/* slot.live: who syncs it, a typed task or weft_sync(). */
#define WF_SLOT_TYPED 1u
#define WF_SLOT_PLAIN 2u

static inline wf_atomic_u32 *wf_slot_state(weft_slot *slot) {
    return (wf_atomic_u32 *)&slot->state;
}

static inline wf_atomic_ptr *wf_slot_parent(weft_slot *slot) {
    return (wf_atomic_ptr *)&slot->parent;
}

static inline wf_atomic_u32 *wf_slot_live(weft_slot *slot) {
    return (wf_atomic_u32 *)&slot->live;
}

#endif
