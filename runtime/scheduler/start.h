/*
 * The begin of a pool's threads. All are created before weft_pool_create() returns, so that one the system refuses is its failure;
 * but it does not wait until they run, which takes a wake-up on another CPU each.
 *
 * A worker is born parked: the creator sets its bit in `parked` (park.h) before the thread begins, and the thread begins by waiting
 * for TOKEN. So the first offer wakes it as it would any sleeper, a pool that is ended at once is ended as ever, and nobody spins
 * for work in a pool that has had none. As whoever goes to sleep has asked the others for work (deque.h), all are asked from the
 * beginning. A worker that rests from the start has no bit and begins as one that rests.
 *
 * Where memory has several nodes, each worker makes its own part on its own thread (setup.c), the first of a node that of the node
 * as well. The creator waits until all have told, sets their bits, and lets them go on, which it does not wait for.
 *
 *   edge                                             from                            to
 *   worker and node, made by the creator             pthread_create()                the thread
 *   worker and node, made by its thread              started, release                started, acquire (let_go())
 *   all of them, and `parked`, for each worker       go, release (let_go())          go, acquire (wf_start_set_up())
 *   name and id of the thread                        tid, release                    tid, acquire (wf_worker_tid())
 *
 * Rejected: a barrier at the begin everywhere (two wake-ups per worker on the creator's path). Creating a thread when its bit is first
 * claimed: a creation that fails then has no caller to tell, and static parts of a worker that never comes are nobody's. Keeping
 * threads of ended pools for the next: the destructors of what tasks left in thread-local storage would run at any time, or after
 * their code is unloaded.
 */
#ifndef WF_SCHEDULER_START_H
#define WF_SCHEDULER_START_H

#include <signal.h>

#include "scheduler/pool.h"

/*
 * Make what the workers need and start them. WEFT_ENOMEM; WEFT_EPERM: a thread is refused; WEFT_ESTRICT: a mask is, in a strict
 * pool. On failure all threads have ended; the pool holds what was made.
 */
weft_status wf_pool_start(weft_pool *pool);

/* What weft's threads block: all signals but the faults of the thread itself; Linux kills a process for a blocked one, whatever handler it
 * has. */
void wf_start_signals(sigset_t *blocked);

/* The part of it that a worker does on its own thread where memory has several nodes. False: the thread is to end. */
bool wf_start_set_up(weft_pool *pool, unsigned id);

#endif
