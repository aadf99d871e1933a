/*
 * The two ways in which tokens pass a stage one at a time: by index, and as they come. Nobody waits at a gate: a token that may not
 * enter is left there, and whoever leaves the gate gets the token that enters next, to run it or hand it on.
 *
 * wf_order, by index. Each index has a cell, which two must reach: the token, and its turn, which the token before it passes on. Who
 * comes second goes on with the token (Pipeflow's join counters, Chiu et al., IEEE TPDS 2022, with the count told by what lies there).
 *
 *   edge     who                          operation                       order and partner
 *   turn     who passes index i - 1       cas(cell i, none to TURN)       release: what the stage did; acquired by arrive
 *   arrive   who brings token i           load(cell i) is TURN            acquire: turn
 *   wait     the same, else               cas(cell i, none to the token)  release: the token; acquired by pass. Acquire if it fails: turn
 *   pass     who passes index i - 1       the cas of turn fails           acquire: wait
 *
 * Who finds both empties the cell with a relaxed store: until the gate is passed by this index, nobody else touches the cell. There are at
 * least as many cells as tokens may exist behind the source. All indexes from the one whose turn it is to the highest that has arrived
 * belong to tokens that exist (a token that is dropped passes the gates before its record is used again), so no two of them share a cell.
 *
 * wf_turns, as they come. `word` is NULL: free; BUSY: one is inside; a token: one is inside, and this and those behind it by `next` have
 * come since, newest first. Who leaves takes them all and keeps them, oldest first, as `oldest`: only who is inside touches that.
 *
 *   edge     operation                   order and partner
 *   enter    cas(NULL to BUSY)           acquire: leave
 *   wait     cas(other to the token)     release: the token and its link
 *   leave    cas(BUSY to NULL)           release: what the stage did. It fails, without an order, if others have come
 *   take     exchange(to BUSY)           acquire: wait (of all of them: each cas continues the release sequences before it)
 *
 * Rejected: a lock and a list per stage (a lock for every token that passes, where this has one locked operation); waking the tokens'
 * workers (a worker has more to do than to wait for one token).
 */
#ifndef WF_PARALLEL_PIPELINE_GATE_H
#define WF_PARALLEL_PIPELINE_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

/* What waits at gates: the first field of a token. */
struct wf_gated {
    struct wf_gated *next; /* owned by the list it is in */
};

struct wf_order {
    wf_atomic_ptr *cells; /* I: mask + 1 of them */
    uint64_t mask;        /* I: a power of two, less one */
};

/* TURN in a cell, BUSY in a word. No token lies there. */
#define WF_GATE_MARK ((void *)(uintptr_t)1)

/* Nobody uses it: empty, the turn is that of index 0. */
static inline void wf_order_reset(struct wf_order *order) {
    for (uint64_t i = 0; i <= order->mask; i++)
        wf_store(&order->cells[i], i ? NULL : WF_GATE_MARK, WF_RELAXED);
}

/* Whether it is the turn of `index`, whose token is the caller's: then it has entered. */
static inline bool wf_order_arrive(struct wf_order *order, uint64_t index) {
    wf_atomic_ptr *cell = &order->cells[index & order->mask];
    if (!wf_load(cell, WF_ACQUIRE))
        return false;
    wf_store(cell, NULL, WF_RELAXED);
    return true;
}

/* After that: leave the token for whoever passes the turn on. True: the turn has come meanwhile, it has entered. */
static inline bool wf_order_wait(struct wf_order *order, uint64_t index, struct wf_gated *token) {
    wf_atomic_ptr *cell = &order->cells[index & order->mask];
    void *seen = NULL;
    if (wf_cas(cell, &seen, token, WF_RELEASE, WF_ACQUIRE))
        return false;
    wf_store(cell, NULL, WF_RELAXED);
    return true;
}

/* Who has entered with `index` leaves. Returns the next token if it waits: it has entered then, and is the caller's. */
static inline struct wf_gated *wf_order_leave(struct wf_order *order, uint64_t index) {
    wf_atomic_ptr *cell = &order->cells[(index + 1) & order->mask];
    void *seen = NULL;
    if (wf_cas(cell, &seen, WF_GATE_MARK, WF_RELEASE, WF_ACQUIRE))
        return NULL;
    wf_store(cell, NULL, WF_RELAXED);
    return seen;
}

struct wf_turns {
    wf_atomic_ptr word;      /* A: see above */
    struct wf_gated *oldest; /* who is inside: waits next; NULL: look at word */
};

/* Whether the gate was free: then the caller's token has entered. */
static inline bool wf_turns_enter(struct wf_turns *turns) {
    void *seen = NULL;
    return !wf_load(&turns->word, WF_RELAXED) && wf_cas(&turns->word, &seen, WF_GATE_MARK, WF_ACQUIRE, WF_RELAXED);
}

/* After that: leave the token for whoever leaves the gate. True: it has become free meanwhile, the token has entered. */
static inline bool wf_turns_wait(struct wf_turns *turns, struct wf_gated *token) {
    void *seen = wf_load(&turns->word, WF_RELAXED);
    for (;;) {
        if (!seen && wf_cas(&turns->word, &seen, WF_GATE_MARK, WF_ACQUIRE, WF_RELAXED))
            return true;
        token->next = seen == WF_GATE_MARK ? NULL : seen;
        if (seen && wf_cas(&turns->word, &seen, token, WF_RELEASE, WF_RELAXED))
            return false;
    }
}

/* Who is inside leaves. Returns the token that has waited longest: it has entered then, and is the caller's. */
static inline struct wf_gated *wf_turns_leave(struct wf_turns *turns) {
    if (!turns->oldest) {
        void *seen = WF_GATE_MARK;
        if (wf_cas(&turns->word, &seen, NULL, WF_RELEASE, WF_RELAXED))
            return NULL;
        struct wf_gated *newest = wf_exchange(&turns->word, WF_GATE_MARK, WF_ACQUIRE);
        while (newest) {
            struct wf_gated *older = newest->next;
            newest->next = turns->oldest;
            turns->oldest = newest;
            newest = older;
        }
    }
    struct wf_gated *token = turns->oldest;
    turns->oldest = token->next;
    return token;
}

#endif
