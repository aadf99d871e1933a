/*
 * MinHash signatures (Broder, "On the resemblance and containment of documents", 1997): the share of values in which two
 * signatures agree estimates the share of shingles that two documents have in common. Immutable once made; any thread.
 */
#ifndef PREPROCESS_SIGNATURE_H
#define PREPROCESS_SIGNATURE_H

#include <stddef.h>
#include <stdint.h>

/** The permutations of 32-bit numbers, x -> (x ^ mask) * factor, that the values of a signature are the minima of. */
struct signature_scheme {
    unsigned values;  /* of a signature */
    unsigned stride;  /* values rounded up to whole blocks: the room a signature needs */
    unsigned shingle; /* tokens per shingle */
    uint32_t *factors, *masks;
    void (*lower)(uint32_t *minima, const uint32_t *factors, const uint32_t *masks, const uint32_t *shingles, size_t count);
};

/** 0, or -1: out of memory. */
int signature_scheme_create(struct signature_scheme *scheme, unsigned values, unsigned shingle);
void signature_scheme_release(struct signature_scheme *scheme);

/** Signature of `count` (at least 1) token hashes, to scheme->stride values. */
void signature_compute(const struct signature_scheme *scheme, const uint32_t *tokens, size_t count, uint32_t *signature);

/** Number of values in which two signatures agree. */
unsigned signature_agreement(const struct signature_scheme *scheme, const uint32_t *left, const uint32_t *right);

#endif
