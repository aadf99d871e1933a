/*
 * MinHash over blocks of 32 permutations and tiles of shingles: the block's minima stay in vector registers while a tile from
 * the first-level cache streams past. The same loop is compiled for several vector widths and chosen at start; all give the
 * same values.
 */
#include "signature.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BLOCK = 32, TILE = 1024 };

#define SEED 0x77656674u /* "weft" */

/* Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014. */
static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline __attribute__((always_inline)) void lower_block(uint32_t *minima, const uint32_t *factors, const uint32_t *masks,
                                                              const uint32_t *shingles, size_t count) {
    uint32_t least[BLOCK], factor[BLOCK], mask[BLOCK];
    memcpy(least, minima, sizeof least);
    memcpy(factor, factors, sizeof factor);
    memcpy(mask, masks, sizeof mask);
    for (size_t s = 0; s < count; s++)
        for (unsigned i = 0; i < BLOCK; i++) {
            uint32_t value = (shingles[s] ^ mask[i]) * factor[i];
            least[i] = value < least[i] ? value : least[i];
        }
    memcpy(minima, least, sizeof least);
}

static void lower_plain(uint32_t *minima, const uint32_t *factors, const uint32_t *masks, const uint32_t *shingles,
                        size_t count) {
    lower_block(minima, factors, masks, shingles, count);
}

#if defined(__x86_64__)
/* gcc would use half the width unless told; clang knows no such word and uses what pays. */
#ifdef __clang__
#define WIDEST "avx512f"
#else
#define WIDEST "avx512f,prefer-vector-width=512"
#endif

__attribute__((target("avx2"))) static void lower_avx2(uint32_t *minima, const uint32_t *factors, const uint32_t *masks,
                                                       const uint32_t *shingles, size_t count) {
    lower_block(minima, factors, masks, shingles, count);
}

__attribute__((target(WIDEST))) static void lower_avx512(uint32_t *minima, const uint32_t *factors, const uint32_t *masks,
                                                         const uint32_t *shingles, size_t count) {
    lower_block(minima, factors, masks, shingles, count);
}

static void choose_width(struct signature_scheme *scheme) {
    scheme->lower = lower_plain;
    if (__builtin_cpu_supports("avx2"))
        scheme->lower = lower_avx2;
    if (__builtin_cpu_supports("avx512f"))
        scheme->lower = lower_avx512;
}
#else
static void choose_width(struct signature_scheme *scheme) {
    scheme->lower = lower_plain;
}
#endif

int signature_scheme_create(struct signature_scheme *scheme, unsigned values, unsigned shingle) {
    uint64_t state = SEED;
    *scheme = (struct signature_scheme){.values = values, .shingle = shingle, .stride = (values + BLOCK - 1) / BLOCK * BLOCK};
    scheme->factors = calloc(scheme->stride, sizeof *scheme->factors);
    scheme->masks = calloc(scheme->stride, sizeof *scheme->masks);
    if (scheme->factors == NULL || scheme->masks == NULL) {
        signature_scheme_release(scheme);
        return -1;
    }
    for (unsigned i = 0; i < scheme->stride; i++) {
        scheme->factors[i] = (uint32_t)splitmix64(&state) | 1;
        scheme->masks[i] = (uint32_t)splitmix64(&state);
    }
    choose_width(scheme);
    return 0;
}

void signature_scheme_release(struct signature_scheme *scheme) {
    free(scheme->factors);
    free(scheme->masks);
    *scheme = (struct signature_scheme){0};
}

void signature_compute(const struct signature_scheme *scheme, const uint32_t *tokens, size_t count, uint32_t *signature) {
    uint32_t tile[TILE];
    size_t width = count < scheme->shingle ? count : scheme->shingle;
    size_t shingles = count - width + 1;
    memset(signature, 0xFF, scheme->stride * sizeof *signature);
    for (size_t first = 0; first < shingles; first += TILE) {
        size_t size = shingles - first < TILE ? shingles - first : TILE;
        for (size_t i = 0; i < size; i++)
            tile[i] = (uint32_t)XXH64(tokens + first + i, width * sizeof *tokens, 0);
        for (unsigned b = 0; b < scheme->stride; b += BLOCK)
            scheme->lower(signature + b, scheme->factors + b, scheme->masks + b, tile, size);
    }
}

unsigned signature_agreement(const struct signature_scheme *scheme, const uint32_t *left, const uint32_t *right) {
    unsigned equal = 0;
    for (unsigned i = 0; i < scheme->values; i++)
        equal += left[i] == right[i];
    return equal;
}
