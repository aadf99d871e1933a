/*
 * Threads that sleep until something at an address has happened, for things that may be gone by the time the waker is done
 * with them (a group after its last task). The waker never touches the thing itself, only the address as a key.
 * Threading: any. Sharded by key; each shard is a mutex and a list of entries on the sleepers' stacks.
 */
#ifndef WF_SCHEDULER_WAITERS_H
#define WF_SCHEDULER_WAITERS_H

#include "base/clock.h"
#include "scheduler/park.h"

#define WF_SPINS_PER_LOOK 16u /* looks at the condition for each look at the clock */

struct wf_waiter {
    const void *key;
    struct wf_signal *signal; /* gets a HINT */
    struct wf_waiter *next;   /* L: the shard's mutex */
};

/* Enter the table. After this the caller looks at its condition once more before it sleeps on its signal. */
void wf_waiters_add(struct wf_waiter *waiter);
void wf_waiters_remove(struct wf_waiter *waiter);

/* HINT everybody who waits for key. */
void wf_waiters_wake(const void *key);

/* What comes before a sleep: spin for a budget, which is none where spinning takes the CPU from somebody. True: it is ready. */
static inline bool wf_spin(uint64_t budget_ns, bool (*ready)(void *), void *what) {
    uint64_t deadline = 0;
    while (budget_ns) {
        for (unsigned i = 0; i < WF_SPINS_PER_LOOK; i++) {
            if (ready(what))
                return true;
            wf_cpu_relax();
        }
        uint64_t now = wf_now_ns();
        if (!deadline)
            deadline = now + budget_ns;
        else if (now >= deadline)
            break;
    }
    return false;
}

#endif
