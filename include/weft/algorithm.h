/*
 * Algorithms over items of any kind, built on the loops: scans, partitions, histograms. (Sorting: weft/sort.h.)
 */
#ifndef WEFT_ALGORITHM_H
#define WEFT_ALGORITHM_H

#include "weft/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Types of numbers that weft knows by itself. No value is 0, so that a forgotten one is found. */
typedef enum weft_number { WEFT_I32 = 1, WEFT_U32 = 2, WEFT_I64 = 3, WEFT_U64 = 4, WEFT_F32 = 5, WEFT_F64 = 6 } weft_number;

/**
 * Fold the items of a range, in their order, into *sum, which holds the identity at the call. With `before` not NULL also write the
 * results: that of an item is *before joined with *sum after the item (inclusive scan) or ahead of it (exclusive).
 *
 * A range may be folded first and given out later, so the result may take the place of the item, but no other's, and both calls must
 * fold alike.
 */
typedef void (*weft_scan_leaf_fn)(void *arg, weft_range range, const void *before, void *sum);

/** Options of the scans. Start from WEFT_SCAN_OPTIONS_INIT. */
typedef struct weft_scan_options {
    size_t size;
    size_t block; /**< items per leaf; 0: chosen from n alone. The results' bits depend on it, never on the workers */
    bool
        exclusive; /**< weft_scan_sum(): each result is the sum of the items before its own. weft_scan(): to be left false, the leaf
                       says it */
    void *total; /**< weft_scan_sum(): [out] a number of the same type: the sum of all items; NULL: not wanted. weft_scan(): to be
                       left NULL */
} weft_scan_options;

#define WEFT_SCAN_OPTIONS_INIT .size = sizeof(weft_scan_options)

/**
 * Scan [0, n): every item's result is the fold of all items up to its own. Leaves run over fixed blocks, whose sums are joined from left
 * to right, so that results have the same bits for every number of workers and every run. Serial equivalent, with b blocks:
 *
 *     before = *total;
 *     for (i = 0; i < b; i++) { sum = identity; leaf(arg, block i, &before, &sum); join(arg, &before, &sum); }
 *     *total = before;
 *
 * @param n            items, 0 to SIZE_MAX; with 0 nothing is called.
 * @param join         as in weft_reduce(); associative.
 * @param total        [in, out] total_bytes bytes; holds the identity at the call, the fold of all items afterwards.
 * @param total_bytes  at least 1.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK. In an error nothing was called and *total is unchanged.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates two sums per block, each on lines of its own.
 *
 * A block whose left side is known when somebody comes to it is folded and given out in one call; of two workers each does about three
 * quarters of what one would do alone. Source: the bound 2n/(p + 1) is Snir's (Depth-size trade-offs for parallel prefix computation, 1986).
 */
WEFT_API weft_status weft_scan(weft_pool *pool, size_t n, weft_scan_leaf_fn leaf, weft_reduce_join_fn join, void *arg,
                               void *total, size_t total_bytes, const weft_scan_options *options);

/**
 * Prefix sums of an array of numbers. Integers wrap around. Floating-point numbers are added in an order that n and options.block give,
 * not from left to right, and the same for every number of workers.
 *
 * @param type  of the numbers.
 * @param in    n numbers, aligned as their type asks.
 * @param out   [out] n numbers; `in` itself, or memory that does not overlap it.
 * @return WEFT_OK; WEFT_EINVAL: also an unknown type, and arrays that overlap in part; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK. In an error
 *         nothing is written.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates: as weft_scan().
 */
WEFT_API weft_status weft_scan_sum(weft_pool *pool, weft_number type, const void *in, void *out, size_t n,
                                   const weft_scan_options *options);

/** True for the items that shall come first. */
typedef bool (*weft_predicate_fn)(void *arg, const void *item);

/**
 * Put the items for which a predicate is true ahead of the others; both keep their order. (weft_partition() cuts ranges.)
 *
 * @param base       count items of item_bytes bytes each.
 * @param predicate  called once for each item, by many threads at once, before any item moves.
 * @param matched    [out] for how many items it is true.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK. In an error the items are as before.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates room for a copy of the items and a byte for each.
 */
WEFT_API weft_status weft_partition_if(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_predicate_fn predicate,
                                       void *arg, size_t *matched);

/** Add the items of a range to the bins, as many as weft_histogram() was told: bins[bin of the item]++, or more for heavier items. */
typedef void (*weft_histogram_fn)(void *arg, weft_range range, uint64_t *bins);

/**
 * Count [0, n) into bins. Serial equivalent: leaf(arg, (weft_range){0, n}, bins), cut into pieces; the result is the same for every
 * number of workers, as long as leaves only add.
 *
 * @param bins   [in, out] count numbers, to which the counts are added.
 * @param count  at least 1.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK. In an error no leaf was called and bins are as before.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates the bins once for each worker: where there are more bins than items, atomic
 * additions of one's own to one set of bins are the better way.
 */
WEFT_API weft_status weft_histogram(weft_pool *pool, size_t n, weft_histogram_fn leaf, void *arg, uint64_t *bins, size_t count);

#ifdef __cplusplus
}
#endif
#endif
