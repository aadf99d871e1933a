/*
 * Sorting: by a function that compares, and by keys that are numbers.
 */
#ifndef WEFT_SORT_H
#define WEFT_SORT_H

#include "weft/algorithm.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Negative, zero or positive: a comes before b, in any order with it, or after it. As for qsort_r() of glibc and POSIX.1-2024. */
typedef int (*weft_compare_fn)(const void *a, const void *b, void *arg);

/** Options of the sorts. Start from WEFT_SORT_OPTIONS_INIT. */
typedef struct weft_sort_options {
    size_t size;
    bool in_place; /**< weft_sort(): take no memory. It is slower, and the more so the more workers there are */
} weft_sort_options;

#define WEFT_SORT_OPTIONS_INIT .size = sizeof(weft_sort_options)

/**
 * Sort items by a function. Items that compare as equal come in any order.
 *
 * A function that contradicts itself gives some order: the items are all there, each once, and nothing beyond them is accessed.
 *
 * @param base        count items of item_bytes bytes each, one after the other.
 * @param item_bytes  at least 1.
 * @param compare     called by many threads at once, with pointers to items or to copies of items, which are aligned as base is if
 *                    item_bytes is a multiple of that alignment (up to 64).
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ECLOSED; WEFT_EFORK. In an error the items are as before.
 *
 * Threads, order: as weft_for(); compare runs inside tasks. Blocks: yes. Allocates room for a copy of the items, which the workers
 * touch; where it cannot be had, sorts in place.
 */
WEFT_API weft_status weft_sort(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_compare_fn compare, void *arg,
                               const weft_sort_options *options);

/**
 * The same, and items that compare as equal keep their order. A merge sort of close to as few comparisons as there can be; of n where
 * the items are in order already, or in the opposite one.
 *
 * @return As weft_sort(); also WEFT_ENOMEM: no room for a copy of the items; WEFT_EINVAL for options.in_place.
 */
WEFT_API weft_status weft_stable_sort(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_compare_fn compare,
                                      void *arg, const weft_sort_options *options);

#ifdef __cplusplus
}
#endif
#endif
