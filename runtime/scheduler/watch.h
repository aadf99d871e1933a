/*
 * One thread per process that looks every 0.8 seconds at what the process may use, and lets the pools follow. It starts with the first
 * pool that follows and ends with the last.
 */
#ifndef WF_SCHEDULER_WATCH_H
#define WF_SCHEDULER_WATCH_H

#include "scheduler/pool.h"

/* Let a running pool follow. Where the thread is refused nothing is followed; the pool's `unwatched` and effective state tell. */
void wf_watch_add(weft_pool *pool);

/* The pool is to be destroyed. Waits for a re-planning that is under way. Any pool, also one that was not added. */
void wf_watch_remove(weft_pool *pool);

/* The lock of all pools' wf_replan and effective state; it survives a fork. */
void wf_watch_lock(void);
void wf_watch_unlock(void);

#endif
