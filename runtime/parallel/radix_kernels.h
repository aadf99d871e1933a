/*
 * The serial half of the radix sort: what is done with the keys of some items, compiled once for each size of an item and kind of key.
 * Holds no weft concept; radix.c cuts and forks. Threading: a call belongs to its thread.
 */
#ifndef WF_PARALLEL_RADIX_KERNELS_H
#define WF_PARALLEL_RADIX_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/algorithm.h"

#define WF_RADIX_MOST_BITS 11 /* of a digit: so many buckets have their heads in a core's own cache */

/*
 * Where the key of an item is. Keys are compared as unsigned numbers: `sign` is turned over, of negative floating-point numbers all bits;
 * all NaNs become the largest.
 */
struct wf_radix_form {
    size_t key_offset;
    uint64_t sign;
};

/* The digit of a key: its bits [shift, shift + bits). */
struct wf_digit {
    unsigned shift, bits;
};

struct wf_radix_kernels {
    /* Bits in which the keys of some of the items, evenly spread, differ. */
    uint64_t (*sample)(const struct wf_radix_form *form, const char *items, size_t count);
    /* Add the digits to counts[1 << bits]; bits in which the keys, and *first, differ. What is above the digit is left out. */
    uint64_t (*count)(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit, const char *first,
                      size_t *counts);
    /* Copy each item to to[places[its digit]++]. */
    void (*scatter)(const struct wf_radix_form *form, const char *items, size_t count, struct wf_digit digit, size_t *places,
                    char *to);
    /* Sort; `other` has as much room. The result lies in `items`, or in `other`. Stable, as all of it is. */
    void (*sort)(const struct wf_radix_form *form, char *items, char *other, size_t count, bool to_other);
};

/* For items of 4, 8 or 16 bytes and a key that fits into them; else NULL. *form: how to read that key. */
const struct wf_radix_kernels *wf_radix_kernels(size_t item_bytes, size_t key_offset, weft_number key,
                                                struct wf_radix_form *form);

/* Bytes of a number; 0: there is none such. */
size_t wf_number_bytes(weft_number number);

#endif
