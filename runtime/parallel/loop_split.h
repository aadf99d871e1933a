/*
 * Loops inside loops: run here, and split off the upper half only when a thief asks (lazy binary splitting, Tzannes et al.,
 * PPoPP 2010). Also the automatic chunk size that all loops share.
 */
#ifndef WF_PARALLEL_LOOP_SPLIT_H
#define WF_PARALLEL_LOOP_SPLIT_H

#include <stdbool.h>
#include <stdint.h>

#include "parallel/loop.h"

struct wf_worker;

/* Run the loop on the calling worker and whoever steals from it. The request's bounds are not looked at. */
void wf_loop_split(struct wf_worker *worker, const struct wf_loop_request *request);

/*
 * A chunk should take this long at least: then claim and clock (30 ns, on some virtual machines 80) cost under 2 %. Ends are balanced by
 * halves, whatever the size, down to what is not worth a further cut: that and a thief who fetches it cost about as much.
 */
#define WF_CHUNK_NS_LEAST 4000u
#define WF_CHUNK_NS_MOST 16000u
#define WF_CHUNK_NS_WHOLE 500u

/* How many units a worker takes at once: fixed, or grown until a chunk takes long enough. */
struct wf_chunker {
    uint32_t units;
    uint32_t whole; /* with automatic size: so many are taken without a look at the balance */
    bool fixed;
};

static inline struct wf_chunker wf_chunker_start(size_t grain, size_t unit) {
    size_t units = grain / unit;
    return (struct wf_chunker){units > UINT32_MAX ? UINT32_MAX : units ? (uint32_t)units : 1, 1, grain != 0};
}

/* Units to take of `left`, which is not 0: with automatic size at most half, so that the end stays balanced. */
static inline uint32_t wf_chunker_take(const struct wf_chunker *chunker, uint32_t left) {
    uint32_t most = chunker->fixed || left <= chunker->whole ? left : left - left / 2;
    return chunker->units < most ? chunker->units : most;
}

/* A chunk of `taken` units took so long: sizes grow eightfold at most, and shrink as the time says. */
static inline void wf_chunker_learn(struct wf_chunker *chunker, uint32_t taken, uint64_t chunk_ns) {
    uint64_t ns = chunk_ns ? chunk_ns : 1;
    if (chunker->fixed)
        return;
    uint64_t units = (uint64_t)taken * WF_CHUNK_NS_LEAST / ns + 1, most = (uint64_t)taken * 8;
    uint64_t whole = (uint64_t)taken * WF_CHUNK_NS_WHOLE / ns;
    chunker->whole = whole > UINT32_MAX ? UINT32_MAX : (uint32_t)whole;
    if (ns >= WF_CHUNK_NS_LEAST && ns <= WF_CHUNK_NS_MOST)
        return;
    units = units < most ? units : most;
    chunker->units = units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

#endif
