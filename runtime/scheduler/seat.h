/*
 * Threads outside the pool that take part: a caller borrows the identity of a worker that sleeps, and is that worker until it
 * gives the seat back. It runs parts of loops, spawns, steals and waits as on the worker's own thread, which sleeps on.
 *
 * A seat is a worker's `parked` bit (park.h). Whoever clears a bit has the worker, alone: a waker passes it to the worker's
 * thread with TOKEN, a caller keeps it. Nobody counts a caller as a searcher: it is a busy worker.
 *
 *   edge            who                operation                          order and partner
 *   take            caller             fetch_and(parked, ~bit)            seq_cst; acquires what the last holder wrote
 *   leave 1         caller             fetch_or(parked, bit)              seq_cst; releases what it wrote to the worker
 *   leave 2         caller             looks at resting and all sources   seq_cst, after leave 1; pairs with offers, which make
 *                                      of work                            work visible and then look for parked bits
 *   leave 3         caller, if 2 saw   takes the bit again and wakes      as any waker, see park.h
 *                   something          the worker's thread
 *   give way        caller, once it    store(give_way, 1)                 relaxed: a hint. The thread of the worker that has the
 *                   got no seat                                           caller's CPU parks without a spin once it is idle
 *
 * Invariant: at any time a worker is used by one of: its thread, one caller, or (bit set) nobody. So its memory needs no more
 * locks than before; it is handed over by the read-modify-writes of the parked word. A thread that has set its own bit and has
 * not got it back touches nothing of its worker but atomics until TOKEN. The pool does not end meanwhile: a caller counts as
 * outside work of a node (wf_pool_admit()) from before it takes a seat until after it has left.
 *
 * The caller's own thread is not bound to anything, so it takes the seat of the worker whose CPU it is on, else, where memory is the
 * same for all, any; on a pool of several nodes only one of the node it is on. Loops that place memory by first touch take
 * none: their parts run on bound threads only.
 *
 * A caller that finds nothing more to do for its loop gives the seat back before it sleeps: there may be other loops, and whoever has a
 * seat runs nothing of theirs. Inside a task it keeps the seat, since the task is that worker's.
 *
 * Two threads may sleep in the name of one worker, its own for work and a caller inside a task, so these have a futex word each
 * (worker.h: token, signal).
 *
 * Rejected: seats of workers that search (they would have to be asked and waited for; the hint to give way does it for the next
 * call); keeping a seat between calls (work for that worker would have to call it back); an extra deque per caller (thieves
 * would have to look at them all).
 */
#ifndef WF_SCHEDULER_SEAT_H
#define WF_SCHEDULER_SEAT_H

#include "scheduler/pool.h"

struct wf_seat {
    struct wf_worker *worker; /* who the caller is now */
    struct wf_worker *outer;  /* who it was: a worker of another pool, or NULL */
    struct wf_frame frame;    /* below what runs on the seat */
};

/* Become a worker of the pool, which has admitted the caller. False: no seat is free. The caller is no worker of this pool. */
bool wf_seat_take(weft_pool *pool, struct wf_seat *seat);

/* The worker that has a CPU of this machine; worker_count: none has. */
unsigned wf_seat_on(const weft_pool *pool, unsigned cpu);

/* Give the worker back. What was spawned on it has ended then. */
void wf_seat_leave(struct wf_seat *seat);

#endif
