/*
 * The nodes that one worker holds ready: a bounded ring of their numbers. The worker adds and takes the newest, thieves take the
 * oldest, up to half. What does not fit goes elsewhere (graph_run.c).
 *
 * One word says what is in it: {tag:32, first:16, count:16}. Every change is a compare-exchange of it with the tag raised, so whoever
 * read entries knows afterwards whether they were still the same. Adding does not move what is there, and taking the oldest does not move
 * the end: so entries that the owner has written stay right while thieves make it try again. A thief that sleeps through exactly
 * 2^32 changes between its two steps would be fooled; at 5 ns a change that is 21 s inside a few instructions.
 *
 *   edge    who     operation        order and partner
 *   add     owner   cas(word)        seq_cst: entries before; then the look at searchers (graph_run.c)
 *   newest  owner   load(word)       acquire: a thief that took the last raised `busy` before (graph_run.c)
 *   newest  owner   cas(word)        acquire, as its failure: it is a load again; continues the release sequence of add
 *   steal   thief   load, cas(word)  acquire: add; release: the owner that reuses the entries
 *   add     owner   load(word)       acquire: steal
 *
 * Rejected: the two ends in words of their own (Chase and Lev: a seq_cst fence in each take; and the sum of the two is what thieves and
 * termination look at); a linked stack (half of it cannot be taken at once).
 */
#ifndef WF_PARALLEL_GRAPH_RING_H
#define WF_PARALLEL_GRAPH_RING_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/compiler.h"

#ifndef WF_GRAPH_RING /* a test may want few; a power of two, at most 2^15 */
#define WF_GRAPH_RING 256u
#endif
#define WF_GRAPH_STEAL 32u /* taken at once, at most */

#define WF_GRAPH_NONE UINT32_MAX

struct wf_graph_ring {
    WF_LINE_ALIGNED wf_atomic_u64 word;                   /* A: see above */
    WF_LINE_ALIGNED wf_atomic_u32 entries[WF_GRAPH_RING]; /* A: relaxed, ordered by word */
};

static inline uint32_t wf_graph_ring_count(uint64_t word) {
    return (uint32_t)(word & 0xffff);
}

static inline uint32_t wf_graph_ring_first(uint64_t word) {
    return (uint32_t)(word >> 16 & 0xffff);
}

static inline uint64_t wf_graph_ring_word(uint64_t before, uint32_t first, uint32_t count) {
    return ((before >> 32) + 1) << 32 | (uint64_t)(first & 0xffff) << 16 | count;
}

static inline wf_atomic_u32 *wf_graph_ring_entry(struct wf_graph_ring *ring, uint32_t position) {
    return &ring->entries[position % WF_GRAPH_RING];
}

/* Owner: add as many as fit; returns how many. */
static inline uint32_t wf_graph_ring_add(struct wf_graph_ring *ring, const uint32_t *nodes, uint32_t count) {
    uint64_t word = wf_load(&ring->word, WF_ACQUIRE);
    uint32_t end = wf_graph_ring_first(word) + wf_graph_ring_count(word), room = WF_GRAPH_RING - wf_graph_ring_count(word);
    count = count < room ? count : room;
    if (!count)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        wf_store(wf_graph_ring_entry(ring, end + i), nodes[i], WF_RELAXED);
    while (!wf_cas(&ring->word, &word, wf_graph_ring_word(word, wf_graph_ring_first(word), wf_graph_ring_count(word) + count),
                   WF_SEQ_CST, WF_ACQUIRE))
        ;
    return count;
}

/* Owner: take the newest; WF_GRAPH_NONE: it is empty. */
static inline uint32_t wf_graph_ring_newest(struct wf_graph_ring *ring) {
    uint64_t word = wf_load(&ring->word, WF_ACQUIRE);
    for (uint32_t count; (count = wf_graph_ring_count(word));) {
        uint32_t first = wf_graph_ring_first(word);
        uint32_t node = wf_load(wf_graph_ring_entry(ring, first + count - 1), WF_RELAXED);
        if (wf_cas(&ring->word, &word, wf_graph_ring_word(word, first, count - 1), WF_ACQUIRE, WF_ACQUIRE))
            return node;
    }
    return WF_GRAPH_NONE;
}

/* Anyone: whether it holds something. Sequentially consistent, for who is about to leave. */
static inline bool wf_graph_ring_has_any(const struct wf_graph_ring *ring) {
    return wf_graph_ring_count(wf_load(&ring->word, WF_SEQ_CST)) != 0;
}

/* Anyone but the owner: the older half, rounded up, at most WF_GRAPH_STEAL, oldest first; returns how many. */
static inline uint32_t wf_graph_ring_steal(struct wf_graph_ring *ring, uint32_t *nodes) {
    uint64_t word = wf_load(&ring->word, WF_ACQUIRE);
    for (uint32_t held; (held = wf_graph_ring_count(word));) {
        uint32_t first = wf_graph_ring_first(word), count = (held + 1) / 2;
        count = count < WF_GRAPH_STEAL ? count : WF_GRAPH_STEAL;
        for (uint32_t i = 0; i < count; i++)
            nodes[i] = wf_load(wf_graph_ring_entry(ring, first + i), WF_RELAXED);
        if (wf_cas(&ring->word, &word, wf_graph_ring_word(word, first + count, held - count), WF_ACQ_REL, WF_ACQUIRE))
            return count;
    }
    return 0;
}

#endif
