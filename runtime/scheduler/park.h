/*
 * How a worker falls asleep and who wakes it.
 *
 * Each node has `searching`, the number of its workers that look for work, and bits `parked`, one per worker of the node that sleeps
 * or is about to; both on one line of the node's own memory. Each worker has futex words for two things: TOKEN (a waker has taken
 * its parked bit and hands it the role of a searcher) and HINT (look at what you wait for again; may be stale).
 *
 * To sleep:   1 set own bit in parked   2 searching -= 1   3 look at all sources of all nodes once more   4 sleep until TOKEN
 * To offer work that lies near node h:
 *             1 make it visible
 *             2 on h, and then on the other nodes by their distance from h: a read searching: not 0, done   b read parked: a bit,
 *               clear it, searching += 1, set TOKEN, wake, done
 * To find:    1 take the work   2 searching -= 1; that made it 0: look at all sources, and offer what there is (the duty)
 *
 * All of these are sequentially consistent: S is their order. Claim: there is no time from which on work is visible and nobody takes it
 * while a worker sleeps. Take some visible work, and the last offer that was made because of it.
 * - The offer saw no searcher and no bit on any node. A worker whose bit it read as clear sets it later in S, and then its step 3
 *   sees the work; or it was claimed before, and searches after it was counted and woken; or it is busy and searches when it
 *   has ended. So nobody falls asleep over this work, and who slept before was claimed.
 * - The offer saw a searcher on node n. From there on the count of n stays above 0 until somebody takes it to 0, and whoever does
 *   looks at all sources afterwards: in step 3 of sleep, or by the duty. It sees the work, and stays awake or offers: a later offer.
 * - The offer claimed a sleeper on node n: it is a searcher there, as above.
 * A sleeper that finds work in step 3 takes its own bit back; if it is gone, a waker has claimed it and TOKEN is coming. A searcher
 * that is to rest gives up its role as one that finds. A caller that takes a seat (seat.h) makes its worker a busy one; it gives the
 * seat back by steps 1 and 3, and wakes the worker if it saw work. The count of a node is raised before its TOKEN, so it never goes below 0.
 *
 * Why per node: sleepers of the node where work comes up are woken although far nodes search; searchers of two nodes share no line; and
 * who looks at another node sees by one line whether it can help itself (search.c).
 *
 * Rejected: one count for all nodes (a searcher on a far node keeps the near sleepers asleep, and all workers write one line); only
 * the own node's sources in the duty (an offer that came from a busy node relied on this one); one condition variable
 * (serialises wakers); counting the woken worker before its bit is claimed (a failed claim would have to look for work itself);
 * reusing TOKEN for completions (a stale one would skip a count).
 */
#ifndef WF_SCHEDULER_PARK_H
#define WF_SCHEDULER_PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/clock.h"
#include "base/compiler.h"
#include "base/futex.h"

#define WF_WORKERS_MAX 4096u
#define WF_PARK_WORDS (WF_WORKERS_MAX / 64)

#define WF_SIGNAL_TOKEN 1u
#define WF_SIGNAL_HINT 2u

/* Of one node. Workers are named by their ids in the pool. */
struct wf_parking {
    WF_LINE_ALIGNED wf_atomic_u32 searching; /* A */
    uint32_t first, count;                   /* I: the node's workers are [first, first + count) */
    wf_atomic_u64 parked[WF_PARK_WORDS];     /* A: bit i is worker first + i */
};

/* One worker's futex word. */
struct wf_signal {
    wf_atomic_u32 bits; /* A: TOKEN set by the waker that claimed the parked bit, HINT by anybody */
};

/* Before it is shared; zeroed. */
static inline void wf_parking_init(struct wf_parking *parking, unsigned first, unsigned count) {
    parking->first = first;
    parking->count = count;
}

static inline void wf_search_begin(struct wf_parking *parking) {
    wf_fetch_add(&parking->searching, 1, WF_SEQ_CST);
}

/* True: the caller was the node's last searcher, and has the duty. */
static inline bool wf_search_end(struct wf_parking *parking) {
    return wf_fetch_sub(&parking->searching, 1, WF_SEQ_CST) == 1;
}

/* Step 1 of sleep. */
static inline void wf_park_set(struct wf_parking *parking, unsigned worker) {
    unsigned i = worker - parking->first;
    wf_fetch_or(&parking->parked[i / 64], UINT64_C(1) << (i % 64), WF_SEQ_CST);
}

/* Steps 1 and 2 of a searcher that gives up. */
static inline void wf_park_announce(struct wf_parking *parking, unsigned worker) {
    wf_park_set(parking, worker);
    wf_fetch_sub(&parking->searching, 1, WF_SEQ_CST);
}

/* Take a parked bit; true: the caller has it and must count the worker as a searcher. */
static inline bool wf_park_claim(struct wf_parking *parking, unsigned worker) {
    unsigned i = worker - parking->first;
    uint64_t bit = UINT64_C(1) << (i % 64);
    return (wf_fetch_and(&parking->parked[i / 64], ~bit, WF_SEQ_CST) & bit) != 0;
}

/* Set bits of a worker's word and wake it. */
static inline void wf_signal_set(struct wf_signal *signal, uint32_t bits) {
    if (!(wf_fetch_or(&signal->bits, bits, WF_RELEASE) & bits)) /* pairs with wf_signal_take() */
        wf_futex_wake(&signal->bits, 1);
}

/* Sleep until one of `bits` is set, and clear them; other bits stay, but HINT never keeps a sleeper for TOKEN awake. With an end in
 * CLOCK_MONOTONIC (0: none) at most until then. False: that has passed, and none was set. */
static inline bool wf_signal_take_until(struct wf_signal *signal, uint32_t bits, uint64_t end_ns) {
    uint32_t seen = wf_load(&signal->bits, WF_ACQUIRE);
    while (!(seen & bits)) {
        if (end_ns && wf_now_ns() >= end_ns)
            return false;
        if (seen & WF_SIGNAL_HINT) {
            wf_fetch_and(&signal->bits, ~WF_SIGNAL_HINT, WF_ACQUIRE);
            seen &= ~WF_SIGNAL_HINT;
        }
        wf_futex_wait_until(&signal->bits, seen, end_ns);
        seen = wf_load(&signal->bits, WF_ACQUIRE);
    }
    wf_fetch_and(&signal->bits, ~bits, WF_ACQUIRE);
    return true;
}

/* The same without an end. False: no sleep was needed. */
static inline bool wf_signal_take(struct wf_signal *signal, uint32_t bits) {
    bool slept = !(wf_load(&signal->bits, WF_RELAXED) & bits);
    wf_signal_take_until(signal, bits, 0);
    return slept;
}

/* Parked workers of the node, 64 of them: bit i is worker first + 64 * word + i. */
static inline uint64_t wf_park_look(const struct wf_parking *parking, unsigned word) {
    return wf_load(&parking->parked[word], WF_SEQ_CST);
}

static inline bool wf_park_is_set(const struct wf_parking *parking, unsigned worker) {
    unsigned i = worker - parking->first;
    return wf_park_look(parking, i / 64) >> (i % 64) & 1;
}

/* Claim one parked worker of the node, the lowest that is not below `from`, else the lowest. False: none. */
static inline bool wf_park_claim_any(struct wf_parking *parking, unsigned from, unsigned *claimed) {
    unsigned words = (parking->count + 63) / 64, start = from - parking->first;
    for (unsigned k = 0; k <= words; k++) { /* the first word once more, for what lies below `from` */
        unsigned word = (start / 64 + k) % words;
        uint64_t bits = wf_park_look(parking, word) & (k ? ~UINT64_C(0) : ~UINT64_C(0) << start % 64);
        for (; bits; bits &= bits - 1) {
            unsigned worker = parking->first + word * 64 + (unsigned)__builtin_ctzll(bits);
            if (wf_park_claim(parking, worker)) {
                *claimed = worker;
                return true;
            }
        }
    }
    return false;
}

/* Whether a worker of the node searches or sleeps. Sequentially consistent. */
static inline bool wf_park_idle(const struct wf_parking *parking) {
    bool idle = wf_load(&parking->searching, WF_SEQ_CST) != 0;
    for (unsigned word = 0; !idle && word * 64 < parking->count; word++)
        idle = wf_park_look(parking, word) != 0;
    return idle;
}

#endif
