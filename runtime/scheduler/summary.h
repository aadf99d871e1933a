/*
 * The summary of one node: a bit for each of its workers that shows work which others may take, in its deque or its ready queue.
 * A thief looks at this line of a node in place of the lines of all its workers. The line is quiet while nothing comes up and
 * while work lasts: the publisher reads it, and writes it only when its bit is not set.
 *
 *   edge                     who        operation                          order and partner
 *   show                     owner      publish; load(bits)                seq_cst: publish comes first, see below
 *   show, bit not set        owner      fetch_or(bits)                     seq_cst
 *   clear                    thief      fetch_and(bits)                    seq_cst; then it looks at the worker once more
 *   clear, work after all    thief      fetch_or(bits)                     seq_cst
 *   look                     thief      load(bits)                         relaxed in a round; seq_cst in the duty of park.h
 *
 * Invariant: while a worker has public work, its bit is set, or the publisher stands between its publish and its show, or a thief
 * stands between its clear and its second look. For if the owner's load reads the bit as set and it is cleared afterwards, the thief's
 * second look comes after the publish, in the one order of all these operations. A worker looks at its own bit after a publish and
 * before it offers (park.h), so an offer relies on nobody who cannot see the work; and a thief that clears is a searcher, which finds the
 * work by its second look or its last one.
 *
 * A set bit may be old: the last thief of a task does not look whether it was the last, and a reclaim takes work back. The next thief
 * clears it. Workers on their way to sleep do not rely on summaries, they look at everything.
 *
 * Rejected: a count of public tasks per node (a second contended read-modify-write for each publish, steal and reclaim); to
 * clear the bit with the steal that takes the last task (the next publish sets it again: two writes to a line of all thieves per task
 * in place of one); one bit per node (which thief would clear it, when the others' work is not its own to see?).
 */
#ifndef WF_SCHEDULER_SUMMARY_H
#define WF_SCHEDULER_SUMMARY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "scheduler/park.h"

/* Workers by their index in the node. */
struct wf_summary {
    WF_LINE_ALIGNED wf_atomic_u64 bits[WF_PARK_WORDS]; /* A: see above */
};

/* The worker shows work: after it was made visible, by its owner or by who saw it. */
static inline void wf_summary_show(struct wf_summary *summary, unsigned i) {
    uint64_t bit = UINT64_C(1) << i % 64;
    if (!(wf_load(&summary->bits[i / 64], WF_SEQ_CST) & bit))
        wf_fetch_or(&summary->bits[i / 64], bit, WF_SEQ_CST);
}

/* A thief has found nothing at the worker. It looks once more afterwards, and shows what it sees. */
static inline void wf_summary_clear(struct wf_summary *summary, unsigned i) {
    wf_fetch_and(&summary->bits[i / 64], ~(UINT64_C(1) << i % 64), WF_SEQ_CST);
}

/* 64 workers. Relaxed: a bit that is seen late costs a round. */
static inline uint64_t wf_summary_peek(const struct wf_summary *summary, unsigned word) {
    return wf_load(&summary->bits[word], WF_RELAXED);
}

static inline bool wf_summary_shows(const struct wf_summary *summary, unsigned i) {
    return wf_summary_peek(summary, i / 64) >> i % 64 & 1;
}

#endif
