/*
 * Room for submitted tasks: how many of a node's have not ended, in pools with a limit (weft_pool_options.submit_limit), and how a
 * submitter waits for one of them to end. Pools without a limit keep no such count.
 *
 * `state` holds the count (times WF_ROOM_ONE) and two bits in one word: SLEEPER, somebody waits for room, and CLOSED, nobody gets any.
 * A task that counts says so itself (wf_task.room), and whoever has run it gives its place back, wherever that was.
 *
 *   edge    who         operation
 *   take    submitter   cas(state, + n), if n fit and it is not CLOSED
 *   sleep   submitter   1 enter waiters.h   2 take, or cas(state, | SLEEPER)   3 sleep until HINT, go to 2
 *   give    worker      1 fetch_sub(state, n)   2 if SLEEPER was set: fetch_and(state, ~SLEEPER)   3 wake all by the state's address
 *   close   closer      1 fetch_or(state, CLOSED)   2 wake all, whatever the bit says
 *
 * Why no sleeper is forgotten: take its last mark. All of these change one word, so each reads the newest, and the word was full and open
 * then. As long as the mark stands, whoever makes room sees it and clears it; and whoever clears it, or closes, wakes all afterwards.
 * The sleeper is in the table by then: it entered before its mark; had it entered after that wake's turn, the table's lock would order
 * the clearing, or closing, before the mark. So it is woken and looks again. All are woken, so one that needs more than there is keeps
 * nobody asleep.
 * All orders are relaxed: the word guards no data, and sleepers are ordered by the table's lock.
 *
 * A worker of the pool never waits: it may run what it would wait for. Its tasks count, beyond the limit if they must.
 *
 * Rejected: the counts of submit.h (told in batches, and nobody sums them while the pool is open); waking only once half the room is free
 * (the running tasks may wait for what the sleeper submits); waking one sleeper (it may need more than there is, and others less).
 */
#ifndef WF_SCHEDULER_ROOM_H
#define WF_SCHEDULER_ROOM_H

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/task.h"

#define WF_ROOM_SLEEPER UINT64_C(1)
#define WF_ROOM_CLOSED UINT64_C(2)
#define WF_ROOM_ONE UINT64_C(4)

#define WF_ROOM_MOST (1u << 22) /* no limit is higher: an inbox holds no more */

/* One per node. */
struct wf_room {
    WF_LINE_ALIGNED wf_atomic_u64 state; /* A: relaxed, see above */
};

/* Any thread: make room for `count` tasks on a node of a pool with a limit; `full`: what to do if there is none. WEFT_EAGAIN; WEFT_ECLOSED;
 * WEFT_EINVAL: more than the limit. */
weft_status wf_room_take(weft_pool *pool, unsigned node, size_t count, weft_full full);

/* Tasks have ended, or were not accepted. */
void wf_room_give(weft_pool *pool, unsigned node, size_t count);

/* Nobody gets room from now on; those that wait for some go on with WEFT_ECLOSED. */
void wf_room_close(weft_pool *pool, unsigned node);

#endif
