/*
 * A small random generator per worker, for the start of search rounds: splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
 * Threading: one owner per state.
 */
#ifndef WF_BASE_RNG_H
#define WF_BASE_RNG_H

#include <stdint.h>

static inline uint64_t wf_rng_next(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform enough in [0, bound), bound at least 1: the high half of a 32 x 32 product (Lemire, arXiv 1805.10941). */
static inline uint32_t wf_rng_below(uint64_t *state, uint32_t bound) {
    return (uint32_t)(((wf_rng_next(state) >> 32) * bound) >> 32);
}

#endif
