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

/* A chunk should take this long at least: then claim and clock (about 30 ns) cost under 2 %. */
#define WF_CHUNK_NS_LEAST 2000u
#define WF_CHUNK_NS_MOST 16000u

/* How many units a worker takes at once: fixed, or doubled until a chunk takes long enough. */
struct wf_chunker {
    uint32_t units;
    bool fixed;
};

static inline struct wf_chunker wf_chunker_start(size_t grain, size_t unit) {
    size_t units = grain / unit;
    return (struct wf_chunker){units > UINT32_MAX ? UINT32_MAX : units ? (uint32_t)units : 1, grain != 0};
}

/* Units to take of `left`, which is not 0: with automatic size at most half, so that the end stays balanced. */
static inline uint32_t wf_chunker_take(const struct wf_chunker *chunker, uint32_t left) {
    uint32_t most = chunker->fixed ? left : left - left / 2;
    return chunker->units < most ? chunker->units : most;
}

static inline void wf_chunker_learn(struct wf_chunker *chunker, uint64_t chunk_ns) {
    if (chunker->fixed)
        return;
    if (chunk_ns < WF_CHUNK_NS_LEAST && chunker->units <= UINT32_MAX / 2)
        chunker->units *= 2;
    else if (chunk_ns > WF_CHUNK_NS_MOST && chunker->units > 1)
        chunker->units /= 2;
}

#endif
