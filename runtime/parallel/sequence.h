/*
 * Sequences of steps: how parts are claimed, ended and waited for. Letters as in scheduler/pool.h.
 *
 * Each part has one word, which only grows: 2 * at: its steps before position `at` have ended; 2 * at + 1: somebody runs the one at
 * `at`. Positions count on from run to run, so nothing is reset, and a thread that comes late sees by the words where the others are.
 *
 *   edge    who         operation                   order and partner
 *   look    anybody     load(word)                  acquires `end`, and through a claim what it followed (a claim is a
 *                                                   read-modify-write). Of the step before seq_cst, see sleep
 *   claim   anybody     cas(word, 2 * at + 1)       relaxed: the look has acquired what the step comes after
 *   end     claimer     store(word, 2 * (at + 1))   seq_cst: releases the part's writes; then it looks for sleepers
 *   sleep   a waiter    fetch_add(sleepers)         seq_cst, and then it looks at the words once more: a waiter that misses an end is
 *                                                   seen by who made it
 *
 * Who may claim: anybody, once the step before has ended (AFTER_ALL: all its words are there; AFTER_PART: the part's own is). The part's
 * own member tries at once, others when they have looked in vain for a while, or the owner is not there. So no step waits for a
 * thread that does not run, unless that thread has begun a part.
 *
 * Who sleeps is woken by whoever ends the last part of a step: of several that end at once, the last in the order of all seq_cst
 * operations sees that it is the last. A thread that ends another part goes on itself with what that makes possible.
 *
 * Rejected: a line that the caller writes for each step (the line goes there and back for each step, twice the time of two that tell each
 * other); threads that leave after a vain spin (one long part, and the rest of the run has none).
 */
#ifndef WF_PARALLEL_SEQUENCE_H
#define WF_PARALLEL_SEQUENCE_H

#include "scheduler/waiters.h"
#include "weft/sequence.h"

struct wf_step {
    weft_loop_fn body;
    void *arg;
    size_t n, align;
    unsigned width;
    bool barrier; /* comes after the whole step before */
};

struct wf_part {
    WF_LINE_ALIGNED wf_atomic_u64 word; /* A: see above */
    wf_atomic_u32 here;                 /* A: its own member takes part in this run; relaxed, a hint */
};

struct weft_sequence {
    weft_pool *pool;                        /* I */
    unsigned width;                         /* I */
    struct wf_part *parts;                  /* I; `width` of them */
    struct wf_step *steps;                  /* I while it runs, as all down to `last` */
    size_t count, room;                     /* steps, and what there is memory for */
    uint64_t first, last;                   /* positions of this run: [first, last) */
    const void *caller;                     /* the thread that runs it, by the address of its wf_self; I while it runs */
    bool caller_came;                       /* the caller's */
    WF_LINE_ALIGNED wf_atomic_u32 sleepers; /* A: members asleep or about to be */
    wf_atomic_u32 runs;                     /* A: 1 from the begin of a run to its end */
};

/* How far somebody has looked at the words that a position comes after. */
struct wf_look {
    uint64_t at;
    unsigned seen; /* words of the step before that are there */
};

/* Whether all before `at` has ended: position `last` as well. */
static inline bool wf_sequence_reached(const weft_sequence *sequence, uint64_t at, struct wf_look *look) {
    if (at == sequence->first)
        return true;
    if (look->at != at)
        *look = (struct wf_look){at, 0};
    unsigned width = sequence->steps[at - sequence->first - 1].width;
    while (look->seen < width && wf_load(&sequence->parts[look->seen].word, WF_SEQ_CST) >= 2 * at)
        look->seen++;
    return look->seen == width;
}

static inline bool wf_sequence_over(const weft_sequence *sequence, struct wf_look *look) {
    return wf_sequence_reached(sequence, sequence->last, look);
}

/* A part's first step from `at` on. */
static inline uint64_t wf_sequence_next(const weft_sequence *sequence, unsigned part, uint64_t at) {
    for (at = at > sequence->first ? at : sequence->first;
         at < sequence->last && part >= sequence->steps[at - sequence->first].width;)
        at++;
    return at;
}

/* Claim a part's next step, if what it comes after has ended. *at is its position; `last`: the part has no more. */
static inline bool wf_part_claim(const weft_sequence *sequence, unsigned part, struct wf_look *look, uint64_t *at) {
    wf_atomic_u64 *own = &sequence->parts[part].word;
    uint64_t word = wf_load(own, WF_ACQUIRE);
    *at = wf_sequence_next(sequence, part, word / 2);
    if (word & 1 || *at == sequence->last)
        return false;
    if (sequence->steps[*at - sequence->first].barrier && !wf_sequence_reached(sequence, *at, look))
        return false;
    return wf_cas(own, &word, 2 * *at + 1, WF_RELAXED, WF_RELAXED);
}

/* What was claimed has run. */
static inline void wf_part_end(weft_sequence *sequence, unsigned part, uint64_t at) {
    struct wf_look look = {0};
    wf_store(&sequence->parts[part].word, 2 * (at + 1), WF_SEQ_CST);
    if (WF_UNLIKELY(wf_load(&sequence->sleepers, WF_SEQ_CST)) && wf_sequence_reached(sequence, at + 1, &look))
        wf_waiters_wake(sequence);
}

/* Take part as the member of a part until the run is over. Any thread that holds the right to it. */
void wf_sequence_take_part(weft_sequence *sequence, unsigned part);

#endif
