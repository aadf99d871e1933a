/*
 * How a worker falls asleep and who wakes it.
 *
 * `searching` counts workers that look for work; bit w of `parked` says that worker w sleeps or is about to. Each worker has
 * a futex word with two bits: TOKEN (a waker has taken its parked bit and hands it the role of a searcher) and HINT (look at
 * what you wait for again; may be stale).
 *
 * To sleep:   1 set own bit in parked   2 searching -= 1   3 look at all sources once more   4 sleep until TOKEN
 * To offer:   1 make the task visible   2 read searching: not 0, done   3 read parked: none, done   4 clear the nearest bit,
 *             searching += 1, set TOKEN, wake
 * All of these are sequentially consistent. If the offerer reads searching at 0 and no bit, every worker was busy or had
 * already been claimed and not yet counted; a claimed worker searches after it was counted, so after the offer. If the
 * offerer reads a searcher, that one has its step 3 ahead of it, or takes the duty below.
 * Duty: the last searcher that finds work wakes one more, since offers made meanwhile relied on it.
 * A sleeper that finds work in step 3 takes its own bit back; if it is gone, a waker has claimed it and TOKEN is coming.
 *
 * Rejected: one condition variable (serialises wakers); counting the woken worker before its bit is claimed (a failed
 * claim would have to look for work itself); reusing TOKEN for completions (a stale one would skip a count).
 */
#ifndef WF_SCHEDULER_PARK_H
#define WF_SCHEDULER_PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "base/futex.h"

#define WF_WORKERS_MAX 4096u
#define WF_PARK_WORDS (WF_WORKERS_MAX / 64)

#define WF_SIGNAL_TOKEN 1u
#define WF_SIGNAL_HINT 2u

struct wf_parking {
    WF_LINE_ALIGNED wf_atomic_u32 searching;             /* A */
    WF_LINE_ALIGNED wf_atomic_u64 parked[WF_PARK_WORDS]; /* A */
};

/* One worker's futex word. */
struct wf_signal {
    wf_atomic_u32 bits; /* A: TOKEN set by the waker that claimed the parked bit, HINT by anybody */
};

static inline void wf_search_begin(struct wf_parking *parking) {
    wf_fetch_add(&parking->searching, 1, WF_SEQ_CST);
}

/* True: the caller was the last searcher. */
static inline bool wf_search_end(struct wf_parking *parking) {
    return wf_fetch_sub(&parking->searching, 1, WF_SEQ_CST) == 1;
}

/* Steps 1 and 2 of a searcher that gives up. */
static inline void wf_park_announce(struct wf_parking *parking, unsigned worker) {
    wf_fetch_or(&parking->parked[worker / 64], UINT64_C(1) << (worker % 64), WF_SEQ_CST);
    wf_fetch_sub(&parking->searching, 1, WF_SEQ_CST);
}

/* Take a parked bit; true: the caller has it and must count the worker as a searcher. */
static inline bool wf_park_claim(struct wf_parking *parking, unsigned worker) {
    uint64_t bit = UINT64_C(1) << (worker % 64);
    return (wf_fetch_and(&parking->parked[worker / 64], ~bit, WF_SEQ_CST) & bit) != 0;
}

/* Set bits of a worker's word and wake it. */
static inline void wf_signal_set(struct wf_signal *signal, uint32_t bits) {
    if (!(wf_fetch_or(&signal->bits, bits, WF_RELEASE) & bits)) /* pairs with wf_signal_take() */
        wf_futex_wake(&signal->bits, 1);
}

/* Sleep until one of `bits` is set, and clear them; other bits stay, but HINT never keeps a sleeper for TOKEN awake. */
static inline void wf_signal_take(struct wf_signal *signal, uint32_t bits) {
    uint32_t seen = wf_load(&signal->bits, WF_ACQUIRE);
    while (!(seen & bits)) {
        if (seen & WF_SIGNAL_HINT) {
            wf_fetch_and(&signal->bits, ~WF_SIGNAL_HINT, WF_ACQUIRE);
            seen &= ~WF_SIGNAL_HINT;
        }
        wf_futex_wait(&signal->bits, seen);
        seen = wf_load(&signal->bits, WF_ACQUIRE);
    }
    wf_fetch_and(&signal->bits, ~bits, WF_ACQUIRE);
}

/* Claim one parked worker of [first, last), the lowest. False: none. */
static inline bool wf_park_claim_in(struct wf_parking *parking, unsigned first, unsigned last, unsigned *claimed) {
    for (unsigned word = first / 64; word * 64 < last; word++) {
        uint64_t bits = wf_load(&parking->parked[word], WF_SEQ_CST);
        for (; bits; bits &= bits - 1) {
            unsigned worker = word * 64 + (unsigned)__builtin_ctzll(bits);
            if (worker >= first && worker < last && wf_park_claim(parking, worker)) {
                *claimed = worker;
                return true;
            }
        }
    }
    return false;
}

/* Whether one of [first, last) is parked now. */
static inline bool wf_park_anybody_in(const struct wf_parking *parking, unsigned first, unsigned last) {
    for (unsigned worker = first; worker < last; worker++)
        if (wf_load(&parking->parked[worker / 64], WF_RELAXED) & UINT64_C(1) << worker % 64)
            return true;
    return false;
}

static inline bool wf_park_anybody(const struct wf_parking *parking, unsigned workers) {
    for (unsigned word = 0; word * 64 < workers; word++)
        if (wf_load(&parking->parked[word], WF_SEQ_CST))
            return true;
    return false;
}

#endif
