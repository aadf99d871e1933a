/*
 * One thread per process that looks every 0.8 seconds at what the process may use, and lets the pools follow. It starts with the
 * first pool that follows. When none is left at the time of its next look it ends by itself, so that programs that make pools in
 * turn do not start and join a thread for each.
 *
 * While all workers of all pools are parked, or rest, it sleeps without an end: `wf_watch_asleep` is set. Whoever has got a worker's
 * parked bit wakes it (the worker itself, or the caller that takes its seat), and so do questions about a pool (wf_watch_stir()).
 * It looks at once if its last look is older than the interval.
 *
 *   edge      watch                                      who works
 *   sleep     asleep = 1, then reads the parked bits     a parked bit is claimed (park.h), then whoever uses the worker reads
 *                                                        asleep; all seq_cst: one of the two sees the other
 *
 * Rejected: a look by workers that park (a pool whose workers are all busy for long would not follow); no end at all of the thread
 * (a program that is through with weft would keep it); joining it with the last pool (two wake-ups and a thread's life for each pool).
 */
#ifndef WF_SCHEDULER_WATCH_H
#define WF_SCHEDULER_WATCH_H

#include "scheduler/pool.h"

extern wf_atomic_u32 wf_watch_asleep; /* A: the thread's futex word while it sleeps without an end */

/* The cold half of wf_watch_stir(). */
WF_COLD void wf_watch_wake(void);

/* Somebody works, or wants to know. Any thread. */
static inline void wf_watch_stir(void) {
    if (WF_UNLIKELY(wf_load(&wf_watch_asleep, WF_SEQ_CST))) /* pairs with the watch, see above */
        wf_watch_wake();
}

/* Let a running pool follow. Where the thread is refused nothing is followed; the pool's `unwatched` and effective state tell. */
void wf_watch_add(weft_pool *pool);

/* The pool is to be destroyed. Waits for a re-planning that is under way. Any pool, also one that was not added. */
void wf_watch_remove(weft_pool *pool);

/* The lock of all pools' wf_replan and effective state; it survives a fork. */
void wf_watch_lock(void);
void wf_watch_unlock(void);

#endif
