/*
 * A job that is offered to all workers at once (a loop): a slot in the pool that workers enter and leave while the caller
 * waits for the job's own condition, not for arrivals.
 *
 * A slot is type-stable: it is never freed before the pool. `active` counts workers inside. A worker adds itself and then
 * looks whether the slot is live; the caller takes the slot from live and then looks at active (both sequentially
 * consistent), so a slot is filled anew only when nobody is inside. A slot that is left with somebody inside is
 * passed over until they have gone.
 *
 * Each worker has one line per slot (wf_worker.lines), in its own memory: {is_static, part, lo, hi}, units [lo, hi) of part
 * `part` that nobody has claimed yet. All changes are compare-exchanges on that one word, but for an owner's store into its empty
 * word. A word can come back to an earlier value only with the same units unclaimed, so the exchange is safe.
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

struct wf_broadcast_line {
    WF_LINE_ALIGNED wf_atomic_u64 word; /* A: empty (lo == hi) whenever no live job has work for this worker */
    wf_atomic_u32 took_part;            /* A: cleared by the offerer, set by the worker; relaxed, read after the job's end */
};

/* The unpacked word. */
struct wf_units {
    bool is_static; /* only the owner may claim */
    uint32_t part, lo, hi;
};

static inline struct wf_units wf_units_unpack(uint64_t word) {
    return (struct wf_units){(word >> 62) & 1, (uint32_t)(word >> (2 * WF_UNIT_BITS)) & 0xfff,
                             (uint32_t)(word >> WF_UNIT_BITS) & WF_UNITS_MAX, (uint32_t)(word & WF_UNITS_MAX)};
}

static inline uint64_t wf_units_pack(struct wf_units units) {
    return (uint64_t)units.is_static << 62 | (uint64_t)units.part << (2 * WF_UNIT_BITS) | (uint64_t)units.lo << WF_UNIT_BITS |
           units.hi;
}

struct wf_broadcast {
    WF_LINE_ALIGNED wf_atomic_u32 taken;                             /* A: 1 from wf_broadcast_take() to wf_broadcast_end() */
    wf_atomic_u32 active;                                            /* A: workers inside */
    void (*run)(void *job, unsigned slot, struct wf_worker *worker); /* I while live */
    WF_LINE_ALIGNED unsigned char job[WF_BROADCAST_JOB_BYTES];       /* the offerer's */
};

struct wf_broadcasts {
    WF_LINE_ALIGNED wf_atomic_u64 live; /* A: slots that may be entered */
    WF_LINE_ALIGNED struct wf_broadcast slots[WF_BROADCASTS];
};

/* A free slot for the caller, or -1 if all are in use. */
int wf_broadcast_take(struct wf_broadcasts *broadcasts);

/* Offer a filled slot: every worker's line is set. Wakes sleepers that have a part of it. */
void wf_broadcast_offer(weft_pool *pool, unsigned slot);

/* The job is over: no line holds units any more. The slot may be taken by others at once. */
void wf_broadcast_end(struct wf_broadcasts *broadcasts, unsigned slot);

/* Enter a live slot where this worker can claim something: its own part, or (steal) another's. -1: none. The caller runs the
 * job and then leaves. */
int wf_broadcast_enter(struct wf_worker *worker, bool steal);
void wf_broadcast_leave(struct wf_broadcasts *broadcasts, unsigned slot);

/* Units that this worker may claim in a slot: its own, or (steal) those of others that are not static. */
bool wf_broadcast_claimable(const struct wf_worker *worker, unsigned slot, bool steal);

/* Whether wf_broadcast_enter() would find something now. Sequentially consistent, for a worker on its way to sleep. */
bool wf_broadcast_any(const struct wf_worker *worker, bool steal);

/* A worker that was woken wakes up to two more sleepers that have parts of live jobs. */
void wf_broadcast_wake_more(struct wf_worker *worker);

#endif
