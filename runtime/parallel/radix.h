/*
 * Sorting items of 4, 8 or 16 bytes by a number in them, without comparing. Threading: as weft_for().
 */
#ifndef WF_PARALLEL_RADIX_H
#define WF_PARALLEL_RADIX_H

#include "parallel/radix_kernels.h"

struct wf_radix {
    const struct wf_radix_kernels *kernels;
    struct wf_radix_form form;
    size_t item_bytes, count;
    char *items, *room; /* the room is as large, and overlaps nothing */
};

/* Sort the items where they are; stable. Called in a task of the pool. Does without what memory it cannot have. */
void wf_radix_sort(weft_pool *pool, const struct wf_radix *radix);

#endif
