/*
 * A job that is offered to all workers at once (a loop): a slot in the pool, and one line per worker and slot in that worker's
 * memory, which holds all that its owner needs for its own part. The offerer waits for the job's own condition, not for arrivals.
 *
 * The line's word says which units of which part nobody has claimed yet:
 *   stealable  {detail, part, lo, hi}   units [lo, hi) of a part; whoever claims some exchanges the word
 *   static     {detail, generation}     the owner's own part, all of it; claimed once the owner has noted the word as served
 *   0                                   nothing
 *
 *   edge       who       operation                         order and partner
 *   fill       offerer   line, then store(word)            release: whoever claims sees line and job
 *   offer      offerer   fetch_or(live)                    seq_cst: then it looks for sleepers, who look at live after they have
 *                                                          announced themselves
 *   claim      anybody   cas(word)                         acquire: fill, or the store of who stole
 *   take over  thief     store(own word, the rest)         seq_cst, as an offer: the thief holds at least one unit back, so the
 *                                                          job is the same; it has seen live (acquire: all lines are filled)
 *                                                          and its own word without units
 *   serve      owner     load(word), store(served)         acquire; a static word is never written by anybody but offerers
 *   end        offerer   fetch_and(live)                   relaxed: who looks at an ended job finds nothing to claim
 *
 * Invariant: the lines and the job of a slot are written only while all words are 0 or served and no claimed unit is
 * unfinished, and they are read only by who holds a claimed unit of it that it has not reported as done. So nobody enters or leaves a slot: a
 * worker that comes late finds nothing to claim, and what it has looked at is the word only. A word can come back to an
 * earlier value, with units of a later job: the claim is as good, since all else is read after it.
 *
 * Rejected: a count of workers inside the slot (two more locked operations on a shared line for each worker and job); claiming
 * static parts by an exchange of the word (the owner would need the line exclusively before it can begin, on top of having
 * fetched it).
 */
#ifndef WF_SCHEDULER_BROADCAST_H
#define WF_SCHEDULER_BROADCAST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/pool.h"

#ifndef WF_BROADCASTS /* a test may want few */
#define WF_BROADCASTS 64u
#endif
#define WF_BROADCAST_JOB_BYTES 448u

struct wf_worker;

#define WF_UNIT_BITS 25
#define WF_UNITS_MAX ((UINT64_C(1) << WF_UNIT_BITS) - 1)
#define WF_UNITS_STATIC (UINT64_C(1) << 62)
#define WF_UNITS_DETAIL (UINT64_C(1) << 63) /* how the part is to be run stands in the job, not in the line alone */

struct wf_broadcast_line {
    WF_LINE_ALIGNED wf_atomic_u64 word; /* A: see above */
    unsigned char part[WF_LINE - 8];    /* the offerer's, for the owner of the line; I while units of the job are unfinished */
};

/* Claimed units [lo, hi) of a part. */
struct wf_units {
    uint32_t part, lo, hi;
    bool detail, is_static; /* static: the whole part of the claimer, lo and hi are 0 */
};

static inline struct wf_units wf_units_unpack(uint64_t word) {
    return (struct wf_units){(uint32_t)(word >> (2 * WF_UNIT_BITS)) & 0xfff, (uint32_t)(word >> WF_UNIT_BITS) & WF_UNITS_MAX,
                             (uint32_t)(word & WF_UNITS_MAX), (word & WF_UNITS_DETAIL) != 0, (word & WF_UNITS_STATIC) != 0};
}

/* Of a part that is not static. */
static inline uint64_t wf_units_pack(struct wf_units units) {
    return (units.detail ? WF_UNITS_DETAIL : 0) | (uint64_t)units.part << (2 * WF_UNIT_BITS) |
           (uint64_t)units.lo << WF_UNIT_BITS | units.hi;
}

/* Whether a word holds units that anybody may claim. */
static inline bool wf_units_open(uint64_t word) {
    return !(word & WF_UNITS_STATIC) && (word >> WF_UNIT_BITS & WF_UNITS_MAX) < (word & WF_UNITS_MAX);
}

/* A part of a job in hand. It must be run. */
struct wf_claim {
    unsigned slot;
    int victim; /* whose word it was stolen from, -1: the own */
    struct wf_units units;
};

struct wf_broadcast {
    WF_LINE_ALIGNED wf_atomic_u32 taken; /* A: 1 from wf_broadcast_take() to wf_broadcast_end() */
    uint64_t generation;                 /* the offerer's: jobs so far */
    void (*run)(void *job, struct wf_worker *worker, const struct wf_claim *claim); /* the offerer's, I as a line's part */
    WF_LINE_ALIGNED unsigned char job[WF_BROADCAST_JOB_BYTES];                      /* the same */
};

struct wf_broadcasts {
    WF_LINE_ALIGNED wf_atomic_u64 live; /* A: slots with jobs */
    WF_LINE_ALIGNED struct wf_broadcast slots[WF_BROADCASTS];
};

/* A free slot for the caller, or -1 if all are in use. */
int wf_broadcast_take(struct wf_broadcasts *broadcasts);

/* Give a worker its part, once its line is filled: units that anybody may claim, or (static) the line as a whole. */
void wf_broadcast_part(struct wf_broadcast_line *line, struct wf_units units, uint64_t generation);

/* Offer a filled slot. */
void wf_broadcast_offer(weft_pool *pool, unsigned slot);

/* After the offer: wake sleepers that have a part of it. A job with static parts needs it; any other may go without, and later. */
void wf_broadcast_wake(weft_pool *pool, unsigned slot);

/* The job is over: all claimed units are done. The slot may be taken by others at once. */
void wf_broadcast_end(struct wf_broadcasts *broadcasts, unsigned slot);

/* Claim something of any job: of this worker's own part, or (steal) of another's. */
bool wf_broadcast_claim(struct wf_worker *worker, bool steal, struct wf_claim *claim);

/* What lies in the worker's own line of the first slot, which most jobs have: one look at one line. */
bool wf_broadcast_claim_here(struct wf_worker *worker, struct wf_claim *claim);

/* Whether there is something, as far as a glance can tell. */
bool wf_broadcast_is_here(const struct wf_worker *worker);

/* The same of one job. */
bool wf_broadcast_claim_in(struct wf_worker *worker, unsigned slot, bool steal, struct wf_claim *claim);

/* Units of the own word that are left. */
uint32_t wf_broadcast_left(const struct wf_worker *worker, unsigned slot);

/* At most `most` units of the own word, its lowest. */
bool wf_broadcast_claim_own(struct wf_worker *worker, unsigned slot, uint32_t most, struct wf_units *claimed);

/* Whether wf_broadcast_claim() would find something now. Sequentially consistent, for a worker on its way to sleep. */
bool wf_broadcast_any(const struct wf_worker *worker, bool steal);

/* Run a claim to its end. */
void wf_broadcast_run(struct wf_worker *worker, const struct wf_claim *claim);

/* A worker that was woken wakes up to two more sleepers that have parts of live jobs. */
void wf_broadcast_wake_more(struct wf_worker *worker);

#endif
