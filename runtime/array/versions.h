/*
 * Versions of something that many threads read while others replace it as a whole: slots that are reused, and for each slot how many
 * readers are inside. Neither side waits for the other: a version is reclaimed when somebody looks and nobody is inside. Who enters,
 * counts himself on the line of his worker, or on one of a few that threads outside share, so readers meet in no line that
 * anybody writes often.
 *
 * A worker's line has one owner, whose count is written without a locked instruction: the membarrier(2) of who looks stands for
 * the fence that is missing. Where there is none (`fenced`), and on shared lines, counts are changed by read-modify-writes. Who leaves
 * on another thread than the owner counts in `strays`.
 *
 *   edge          who       operation                                order and partner
 *   enter 1       reader    own line: store(count, count + 1)        relaxed, before enter 2 for the compiler; the membarrier orders
 *                           else fetch_add(count, 1)                 seq_cst, before enter 2; pairs with look
 *   enter 2       reader    load(current) == slot, else leave and    own line: acquire, else seq_cst; acquires what publish released:
 *                           begin anew                               the version's content
 *   leave         reader    own line: store(count, count - 1)        release: the reads are over; pairs with look
 *                           other's: fetch_add(strays, 1)            the same
 *                           shared: fetch_sub(count, 1)              the same
 *   publish 1     writer    exchange(current, slot)                  seq_cst, before publish 2; releases the content, acquires the last
 *                                                                    version's from who published that
 *   publish 2     writer    store(state[last], RETIRED)              release; pairs with reclaim
 *   reclaim       anybody   cas(state[slot], RETIRED, RECLAIMING)    acquire: what follows comes after publish 1
 *   barrier       he        membarrier(2), unless fenced             between publish 1 and look
 *   look          he        load(count) - load(strays) == 0          seq_cst, and acquire, in this order; acquires leave
 *   free          he        store(state[slot], FREE)                 release; pairs with claim
 *   claim         writer    cas(state[slot], FREE, MAKING)           acquire
 *
 * Invariant: who has entered a slot is counted, and what it holds stays until he leaves. Of enter 2 and publish 1, either the reader sees
 * the new version and leaves; or he came first, and look finds his enter 1. Fenced: in the one order of seq_cst operations. Else: the
 * membarrier makes the reader's thread pass a full barrier at some point P. If enter 2 comes after P, it sees publish 1; if before,
 * enter 1 comes before P as well, and look sees it. A count that look finds may also be of a reader who is about to leave for another
 * version: then reclaiming takes another call. A slot that is current again is a version like any other: who enters it late reads that.
 *
 * Each line is looked at once: after publish 1 nobody comes to stay, so a zero stays a zero but for those who leave at once. Strays
 * are of readers who stayed, whose enter 1 the count has that was read before.
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
#include "base/membarrier.h"

#ifndef WF_VERSIONS
#define WF_VERSIONS 8u
#endif

enum wf_version_state { WF_VERSION_FREE, WF_VERSION_MAKING, WF_VERSION_LIVE, WF_VERSION_RETIRED, WF_VERSION_RECLAIMING };

/* One line. A: see above. */
struct wf_version_readers {
    WF_LINE_ALIGNED wf_atomic_u32 count[WF_VERSIONS];
    wf_atomic_u32 strays[WF_VERSIONS];
};

/* Letters: I fixed after init, A atomic. */
struct wf_versions {
    wf_atomic_u32 current;              /* A: slot */
    wf_atomic_u32 state[WF_VERSIONS];   /* A: enum wf_version_state */
    bool fenced;                        /* I: there is no membarrier */
    unsigned shared, stripes;           /* I: the first lines are those that threads share; all */
    struct wf_version_readers *readers; /* I: one per stripe */
};

/* All slots are free but the first, whose version is made already. The counts are zero. Nobody else knows it yet. */
static inline void wf_versions_init(struct wf_versions *versions, struct wf_version_readers *readers, unsigned shared,
                                    unsigned stripes, bool fenced) {
    versions->fenced = fenced;
    versions->shared = shared;
    versions->stripes = stripes;
    versions->readers = readers;
    wf_store(&versions->current, 0, WF_RELAXED);
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        wf_store(&versions->state[slot], slot ? WF_VERSION_FREE : WF_VERSION_LIVE, WF_RELAXED);
}

/* On a line that others write, or without a membarrier. */
static inline unsigned wf_version_enter_fenced(struct wf_versions *versions, wf_atomic_u32 *count) {
    for (;;) {
        unsigned slot = wf_load(&versions->current, WF_RELAXED); /* a guess: enter 2 decides */
        wf_fetch_add(&count[slot], 1, WF_SEQ_CST);
        if (WF_LIKELY(wf_load(&versions->current, WF_SEQ_CST) == slot))
            return slot;
        wf_fetch_sub(&count[slot], 1, WF_RELAXED); /* nothing was read, and it continues what leave released */
    }
}

/* The slot that the caller reads from now on. own: the stripe is that of the worker that the caller is. */
static inline unsigned wf_version_enter(struct wf_versions *versions, unsigned stripe, bool own) {
    wf_atomic_u32 *count = versions->readers[stripe].count;
    if (!own || versions->fenced)
        return wf_version_enter_fenced(versions, count);
    for (;;) {
        unsigned slot = wf_load(&versions->current, WF_RELAXED); /* a guess: enter 2 decides */
        wf_store(&count[slot], wf_load(&count[slot], WF_RELAXED) + 1, WF_RELAXED);
        wf_signal_fence();
        if (WF_LIKELY(wf_load(&versions->current, WF_ACQUIRE) == slot))
            return slot;
        wf_store(&count[slot], wf_load(&count[slot], WF_RELAXED) - 1, WF_RELEASE); /* release: of what was left before */
    }
}

/* own: as above, of the stripe that was entered. */
static inline void wf_version_leave(struct wf_versions *versions, unsigned stripe, unsigned slot, bool own) {
    struct wf_version_readers *readers = &versions->readers[stripe];
    if (own)
        wf_store(&readers->count[slot], wf_load(&readers->count[slot], WF_RELAXED) - 1, WF_RELEASE);
    else if (stripe < versions->shared)
        wf_fetch_sub(&readers->count[slot], 1, WF_RELEASE);
    else
        wf_fetch_add(&readers->strays[slot], 1, WF_RELEASE);
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

static inline bool wf_version_is_read(const struct wf_versions *versions, unsigned slot) {
    for (unsigned stripe = 0; stripe < versions->stripes; stripe++) {
        uint32_t count = wf_load(&versions->readers[stripe].count[slot], WF_SEQ_CST);
        if (count != wf_load(&versions->readers[stripe].strays[slot], WF_ACQUIRE))
            return true;
    }
    return false;
}

/* One bit for each slot whose version nobody reads any more: it is the caller's, who gives the slot back with wf_version_free(). */
static inline uint32_t wf_version_reclaim(struct wf_versions *versions) {
    uint32_t mine = 0, unread = 0;
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++) {
        uint32_t state = WF_VERSION_RETIRED;
        if (wf_load(&versions->state[slot], WF_RELAXED) == WF_VERSION_RETIRED &&
            wf_cas(&versions->state[slot], &state, WF_VERSION_RECLAIMING, WF_ACQUIRE, WF_RELAXED))
            mine |= UINT32_C(1) << slot;
    }
    bool ordered = mine && (versions->fenced || wf_membarrier()); /* refused meanwhile: nothing can be told */
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++) {
        if (!(mine >> slot & 1))
            continue;
        if (ordered && !wf_version_is_read(versions, slot))
            unread |= UINT32_C(1) << slot;
        else
            wf_store(&versions->state[slot], WF_VERSION_RETIRED, WF_RELEASE);
    }
    return unread;
}

static inline void wf_version_free(struct wf_versions *versions, unsigned slot) {
    wf_store(&versions->state[slot], WF_VERSION_FREE, WF_RELEASE);
}

#endif
