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

/**
 * Sort items by a number in each of them, without a function: much faster. Stable: items with equal keys keep their order.
 *
 * Floating-point keys: -inf first, -0.0 before +0.0, after +inf all NaNs, which count as equal whatever their sign and bits.
 *
 * @param base        count items of item_bytes bytes each, aligned in any way.
 * @param key_offset  bytes from an item's begin to its key; the key lies inside the item, aligned in any way.
 * @param key         the key's type.
 * @return WEFT_OK; WEFT_EINVAL: also a key that is not inside the item, or of no known type; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK. In an
 *         error the items are as before.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates room for a copy of the items where item_bytes is 4, 8 or 16; else that and 32
 * bytes per item. The workers touch it before anything is moved.
 *
 * Source: buckets from the top as in American flag sort (McIlroy, Bostic, McIlroy, Engineering radix sort, 1993), but into
 * a copy, which is stable; what one worker's cache holds is sorted from the bottom.
 */
WEFT_API weft_status weft_sort_keys(weft_pool *pool, void *base, size_t count, size_t item_bytes, size_t key_offset,
                                    weft_number key);

/**
 * Sort numbers, and, in an array beside them, what belongs to each. Order, stability, errors and threads: as weft_sort_keys().
 *
 * @param numbers        count numbers.
 * @param payload        count items of payload_bytes bytes each, which does not overlap the numbers; NULL with payload_bytes 0: none.
 *
 * Allocates room for a copy of the numbers; with payload 32 bytes for each number, and, where payload_bytes is more than 8, for
 * a copy of the payload.
 */
WEFT_API weft_status weft_radix_sort(weft_pool *pool, weft_number type, void *numbers, void *payload, size_t payload_bytes,
                                     size_t count);

#ifdef __cplusplus
}
#endif
#endif
