/*
 * A future, and how it becomes done. future.c makes them and settles them, future_wait.c waits for them.
 *
 * Whoever sets CLAIMED in `state` settles the future, alone: a worker that runs its function, who sets it, who cancels it, the last of its
 * sources. It writes the result, sets DONE, and closes the list of links: links that were pushed before are its to fire, and who
 * finds the list closed fires the own one.
 *
 *   edge      who        operation                      order and partner
 *   claim     anybody    fetch_or(state, CLAIMED)       relaxed: one wins; the sources it reads were seen done before (look)
 *   cancel    anybody    cas(state, + CLAIMED           relaxed: who then fails to claim finds both in the same word
 *                        and CANCELED)
 *   settle 1  claimer    fetch_or(state, DONE)          seq_cst: the result is before it; then 3
 *   settle 2  claimer    exchange(links, CLOSED)        acq_rel: a closer acquires the links, who finds it closed the result
 *   settle 3  claimer    load(pool->future_waiters)     seq_cst: not 0: wake the tasks that sleep for futures
 *   follow    anybody    cas(links)                     release: the link is before it; failing acquire: the result is there
 *   look      anybody    load(state)                    seq_cst: acquires settle 1; the last look before sleep
 *   sleep     outside    enter waiters.h, then          acq_rel: DONE is there, or settle 1 sees SLEEPER and wakes by the
 *                        fetch_or(state, SLEEPER)       future's address
 *   sleep     task       enter waiters.h, future_waiters += 1 (seq_cst), look once more, sleep
 *   fd        anybody    make it, then                  acq_rel: as sleep; DONE: the caller writes into it itself
 *                        fetch_or(state, DESCRIPTOR)
 *
 * A task sleeps for the pool's futures as a whole, not for one: it looks again after each that is done, as any of them may have made
 * one ready that it can run.
 *
 * References: the program's; one for each task that is to run it; one of each link that leads to it (fired or not); one by each
 * link that comes from it, until the target is settled.
 *
 * Rejected: a group for each future (a lock and two lines, for one task); links under a lock (a future that is done is followed
 * without one).
 */
#ifndef WF_PARALLEL_FUTURE_H
#define WF_PARALLEL_FUTURE_H

#include <pthread.h>

#include "scheduler/pool.h"
#include "weft/future.h"

#define WF_FUTURE_CLAIMED 1u
#define WF_FUTURE_DONE 2u
#define WF_FUTURE_SLEEPER 4u
#define WF_FUTURE_DESCRIPTOR 8u
#define WF_FUTURE_CANCELED 16u /* CLAIMED was set by weft_future_cancel() */

enum wf_future_kind { WF_FUTURE_SET, WF_FUTURE_ASYNC, WF_FUTURE_THEN, WF_FUTURE_ALL, WF_FUTURE_ANY };

/* `target` follows `source`. Lies in its target. */
struct wf_future_link {
    struct wf_future_link *next; /* before it is pushed its owner's, then the closer's */
    weft_future *target;         /* I */
    weft_future *source;         /* L: the target's lock; the claimer reads it without. NULL: the target is settled */
};

struct weft_future {
    weft_pool *pool;          /* I */
    enum wf_future_kind kind; /* I */
    bool always;              /* I */
    unsigned home;            /* I: 1 + the node it is placed on; 0: none */
    wf_atomic_u32 references; /* A */
    wf_atomic_u32 state;      /* A: see above */
    wf_atomic_ptr followers;  /* A: links from here; wf_future_closed: it is done */
    wf_atomic_ptr
        frame; /* A: of its running function, for a wait inside it; relaxed, such a wait is on the same thread or a child's */
    wf_atomic_u32 descriptor; /* A: 1 + its eventfd; 0: none */
    weft_status status;       /* the claimer's, until DONE, then I; so are the next three */
    void *value;
    char *text; /* of a failure; NULL: none */
    size_t which;
    union {
        weft_async_fn async;
        weft_then_fn then;
    } fn;                  /* I */
    void *arg;             /* I */
    pthread_mutex_t lock;  /* for links[].source */
    wf_atomic_u32 pending; /* A: ALL: sources that are not done */
    wf_atomic_u32 first;   /* A: ALL, ANY: sources before are done; relaxed: a hint */
    size_t link_count;     /* I */
    struct wf_future_link links[];
};

static inline bool wf_future_is_done(const weft_future *future) {
    return wf_load(&future->state, WF_SEQ_CST) & WF_FUTURE_DONE; /* pairs with settle 1; a task looks before it sleeps */
}

/* True: the caller settles it. */
static inline bool wf_future_claim(weft_future *future) {
    return !(wf_fetch_or(&future->state, WF_FUTURE_CLAIMED, WF_RELAXED) & WF_FUTURE_CLAIMED);
}

/* The same for cancelling it: who comes later can tell. */
static inline bool wf_future_claim_to_cancel(weft_future *future) {
    uint32_t state = wf_load(&future->state, WF_RELAXED);
    do {
        if (state & WF_FUTURE_CLAIMED)
            return false;
    } while (!wf_cas(&future->state, &state, state | WF_FUTURE_CLAIMED | WF_FUTURE_CANCELED, WF_RELAXED, WF_RELAXED));
    return true;
}

/* A claimed future whose sources are done: run its function in the caller's frame, and settle it. */
void wf_future_run(void *future);

/* A source that is not settled yet, with a reference for the caller; NULL: the future is settled, and has none. */
weft_future *wf_future_source(weft_future *future, size_t index);

#endif
