/*
 * Versions of something that many threads read while others replace it as a whole: slots that are reused, and for each slot how many
 * readers are inside. Neither side waits for the other: a version is reclaimed when somebody looks and nobody is inside. Who enters,
 * counts himself on a line of his own (of his worker, or one of a few that threads outside share), so readers meet in no line that
 * anybody writes often.
 *
 *   edge          who       operation                                order and partner
 *   enter 1       reader    fetch_add(readers[stripe].of[slot], 1)   seq_cst, before enter 2; pairs with look
 *   enter 2       reader    load(current) == slot, else leave and    seq_cst; acquires what publish released: the version's content
 *                           begin anew
 *   leave         reader    fetch_sub(readers[stripe].of[slot], 1)   release: the reads are over; pairs with look
 *   publish 1     writer    exchange(current, slot)                  seq_cst, before publish 2; releases the content, acquires the last
 *                                                                    version's from who published that
 *   publish 2     writer    store(state[last], RETIRED)              release; pairs with reclaim
 *   reclaim       anybody   cas(state[slot], RETIRED, RECLAIMING)    acquire: what follows comes after publish 1
 *   look          he        load(readers[each].of[slot]) == 0        seq_cst; acquires leave
 *   free          he        store(state[slot], FREE)                 release; pairs with claim
 *   claim         writer    cas(state[slot], FREE, MAKING)           acquire
 *
 * Invariant: who has entered a slot is counted, and what it holds stays until he leaves. Of enter 2 and publish 1, either the reader sees
 * the new version and leaves; or he came first in the one order of seq_cst operations, and so did his enter 1, which look, after
 * publish 1, finds. A count that look finds may also be of a reader who is about to leave for another version: then reclaiming
 * takes another call. A slot that is current again is a version like any other: who enters it late reads that one.
 *
 * Each count is looked at once: after publish 1 nobody comes to stay, so a zero stays a zero but for those who leave at once.
 *
 * Rejected: liburcu (its grace periods have to be waited for, by a thread that may be in nobody's way: a worker that waits for one may be
 * what the reader waits for, and its own helper thread outlives the library; a section could not be entered on one thread and used by
 * the loop inside it on others); one counter for all readers (a line that every reader writes); a lock (readers would wait).
 */
#ifndef WF_ARRAY_VERSIONS_H
#define WF_ARRAY_VERSIONS_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/compiler.h"

#ifndef WF_VERSIONS
#define WF_VERSIONS 8u
#endif

enum wf_version_state { WF_VERSION_FREE, WF_VERSION_MAKING, WF_VERSION_LIVE, WF_VERSION_RETIRED, WF_VERSION_RECLAIMING };

struct wf_version_readers {
    WF_LINE_ALIGNED wf_atomic_u64 of[WF_VERSIONS]; /* A: see above */
};

/* Letters: I fixed after init, A atomic. */
struct wf_versions {
    wf_atomic_u32 current;              /* A: slot */
    wf_atomic_u32 state[WF_VERSIONS];   /* A: enum wf_version_state */
    unsigned stripes;                   /* I */
    struct wf_version_readers *readers; /* I: one per stripe */
};

/* All slots are free but the first, whose version is made already. The counts are zero. Nobody else knows it yet. */
static inline void wf_versions_init(struct wf_versions *versions, struct wf_version_readers *readers, unsigned stripes) {
    versions->stripes = stripes;
    versions->readers = readers;
    wf_store(&versions->current, 0, WF_RELAXED);
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        wf_store(&versions->state[slot], slot ? WF_VERSION_FREE : WF_VERSION_LIVE, WF_RELAXED);
}

/* The slot that the caller reads from now on. */
static inline unsigned wf_version_enter(struct wf_versions *versions, unsigned stripe) {
    wf_atomic_u64 *readers = versions->readers[stripe].of;
    for (;;) {
        unsigned slot = wf_load(&versions->current, WF_RELAXED); /* a guess: enter 2 decides */
        wf_fetch_add(&readers[slot], 1, WF_SEQ_CST);
        if (WF_LIKELY(wf_load(&versions->current, WF_SEQ_CST) == slot))
            return slot;
        wf_fetch_sub(&readers[slot], 1, WF_RELAXED); /* nothing was read */
    }
}

static inline void wf_version_leave(struct wf_versions *versions, unsigned stripe, unsigned slot) {
    wf_fetch_sub(&versions->readers[stripe].of[slot], 1, WF_RELEASE);
}

/* A slot for a new version; WF_VERSIONS: all are in use. */
static inline unsigned wf_version_claim(struct wf_versions *versions) {
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++) {
        uint32_t state = WF_VERSION_FREE;
        if (wf_cas(&versions->state[slot], &state, WF_VERSION_MAKING, WF_ACQUIRE, WF_RELAXED))
            return slot;
    }
    return WF_VERSIONS;
}

/* The version in a claimed slot is made: readers get it from now on. */
static inline void wf_version_publish(struct wf_versions *versions, unsigned slot) {
    wf_store(&versions->state[slot], WF_VERSION_LIVE, WF_RELAXED); /* released by publish 1 */
    unsigned last = wf_exchange(&versions->current, slot, WF_SEQ_CST);
    wf_store(&versions->state[last], WF_VERSION_RETIRED, WF_RELEASE);
}

/* Whether nobody reads the slot's version any more: then it is the caller's, who gives the slot back with wf_version_free(). */
static inline bool wf_version_reclaim(struct wf_versions *versions, unsigned slot) {
    uint32_t state = WF_VERSION_RETIRED;
    if (!wf_cas(&versions->state[slot], &state, WF_VERSION_RECLAIMING, WF_ACQUIRE, WF_RELAXED))
        return false;
    for (unsigned stripe = 0; stripe < versions->stripes; stripe++)
        if (wf_load(&versions->readers[stripe].of[slot], WF_SEQ_CST)) {
            wf_store(&versions->state[slot], WF_VERSION_RETIRED, WF_RELEASE);
            return false;
        }
    return true;
}

static inline void wf_version_free(struct wf_versions *versions, unsigned slot) {
    wf_store(&versions->state[slot], WF_VERSION_FREE, WF_RELEASE);
}

#endif
