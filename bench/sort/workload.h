/*
 * Sorting numbers at random: 64 Mi doubles, and 64 Mi records of 16 bytes by a double in each.
 */
#ifndef BENCH_SORT_WORKLOAD_H
#define BENCH_SORT_WORKLOAD_H

#include <stddef.h>

#include "harness/fork_join.h"

#ifdef __cplusplus
extern "C" {
#endif

struct record {
    double key;
    uint64_t value;
};

/* What is to be sorted: the doubles where the workload's size is positive, else the records. */
extern double *sort_doubles;
extern struct record *sort_records;

#ifdef __cplusplus
}

inline bool operator<(const record &a, const record &b) {
    return a.key < b.key;
}

/* A peer's sort, which takes a begin and an end. */
template <typename Sort> uint64_t sort_with(long size, Sort sort) {
    if (size > 0)
        sort(sort_doubles, sort_doubles + size);
    else
        sort(sort_records, sort_records - size);
    return 0;
}
#endif
#endif
