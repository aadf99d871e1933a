/*
 * Whether the source may be called. `source` holds why it may not, a bit for each reason; all clear: it may.
 *
 * Stall and wake: a source that had nothing is not called again until somebody wakes it. What it looked at is the program's own, so a wake
 * may come while it looks.
 *
 *   edge     who                      operation                order and partner
 *   begin    who calls the source     load(wakes)              acquire: wake, what was written before it
 *   rest     the same, in vain        or(source, STALLED)      acquire: clear
 *   check    the same, then           load(wakes)              ordered by rest. Another than at begin: and(source, ~STALLED)
 *   wake     anybody                  add(wakes)               release
 *   clear    the same, then           and(source, ~STALLED)    release: wake. seq_cst: then it looks who calls the source (wf_pipeline_offer())
 *
 * Either clear comes after rest, and whoever clears the bit sees to the next call (wf_source_kick()); or rest reads what clear wrote, so
 * that check sees the wake, and who called looks at the source once more.
 */
#ifndef WF_PARALLEL_PIPELINE_SOURCE_H
#define WF_PARALLEL_PIPELINE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

#define WF_SOURCE_ENDED 1u
#define WF_SOURCE_STOPPED 2u /* the run fails or is canceled */
#define WF_SOURCE_CLOSED 4u  /* nothing runs */
#define WF_SOURCE_PAUSED 8u
#define WF_SOURCE_STALLED 16u

/* To be given to wf_source_stall() if the call that begins now finds nothing. */
static inline uint64_t wf_source_begin(wf_atomic_u64 *wakes) {
    return wf_load(wakes, WF_ACQUIRE);
}

static inline void wf_source_stall(wf_atomic_u32 *source, wf_atomic_u64 *wakes, uint64_t begun) {
    wf_fetch_or(source, WF_SOURCE_STALLED, WF_ACQUIRE);
    if (wf_load(wakes, WF_RELAXED) != begun)
        wf_fetch_and(source, ~WF_SOURCE_STALLED, WF_RELAXED);
}

/* True: it had stalled, the caller sees that it is called. */
static inline bool wf_source_wake(wf_atomic_u32 *source, wf_atomic_u64 *wakes) {
    wf_fetch_add(wakes, 1, WF_RELEASE);
    return wf_fetch_and(source, ~WF_SOURCE_STALLED, WF_SEQ_CST) & WF_SOURCE_STALLED;
}

#endif
