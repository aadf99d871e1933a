/*
 * Cilksort: a merge sort of a million numbers in quarters, whose merges are cut in two as well. Parts of up to 2,048 numbers are
 * sorted and merged in one piece.
 */
#ifndef BENCH_CILKSORT_WORKLOAD_H
#define BENCH_CILKSORT_WORKLOAD_H

#include <stddef.h>

#include "harness/fork_join.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SORT_PIECE 2048

/* Numbers to sort in place, with room for as many. */
struct part {
    uint32_t *numbers, *room;
    size_t count;
};

/* Two sorted runs to merge. The first is the longer one. */
struct merge {
    const uint32_t *left, *right;
    size_t left_count, right_count;
    uint32_t *out;
};

void sort_piece(const struct part *part);
void merge_piece(const struct merge *merge);

/* The numbers of the workload. */
struct part sort_whole(long count);

static inline struct part sort_quarter(const struct part *whole, unsigned index) {
    size_t quarter = whole->count / 4, first = index * quarter;
    struct part part = {whole->numbers + first, whole->room + first, index < 3 ? quarter : whole->count - first};
    return part;
}

/* Which merge follows the quarters: 0 and 1 put the halves into the room, 2 puts all back. */
struct merge sort_merge(const struct part *whole, unsigned index);

/* Cut in two: everything of `low` is at most what is in `high`. */
void merge_cut(const struct merge *whole, struct merge *low, struct merge *high);

static inline int merge_is_small(const struct merge *merge) {
    return merge->left_count + merge->right_count <= SORT_PIECE;
}

#ifdef __cplusplus
}
#endif
#endif
