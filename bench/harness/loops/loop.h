/*
 * Workloads that are a loop. A folder says what an item's value is (workload.h, which defines loop_value()) and which loops there are
 * (workload.c). The other files of this folder are one peer's loops each, compiled anew for each workload, so that each peer's
 * compiler sees the item; loops.c holds main().
 */
#ifndef BENCH_HARNESS_LOOPS_LOOP_H
#define BENCH_HARNESS_LOOPS_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harness/bench.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LOOP_MAX_ITEMS 16384

/* Of dependent arithmetic that no compiler shortens. A step is a multiplication and an addition, about a nanosecond. */
static inline uint64_t loop_spin(uint64_t x, size_t steps) {
    for (size_t i = 0; i < steps; i++) {
        x = x * UINT64_C(0x9e3779b97f4a7c15) + 1;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

struct loop_case {
    const char *row;
    size_t n;        /* items, at most LOOP_MAX_ITEMS */
    long size;       /* for loop_value() */
    unsigned gap_us; /* sleep before each loop */
    double units;    /* of work in one loop */
};
extern const struct loop_case loop_cases[]; /* of the workload; ended by one without a row */

struct loop {
    size_t n;
    long size;
    uint64_t *sums; /* each item adds its value to its own */
    unsigned runs;
};

struct loop_way {
    const char *way; /* the schedule, or the call; "" where there is only one */
    bool (*run)(struct loop *loop);
    bool inside; /* measure on one of the peer's workers (peer_run()) */
};
extern const struct loop_way loop_ways[]; /* of the peer; ended by one without a name */

#ifdef LOOP_WORKLOAD
#include LOOP_WORKLOAD

#ifdef LOOP_WITHOUT_VALUES
static inline void loop_add_value(const struct loop *loop, size_t i) {
    (void)loop;
    (void)i;
}

static inline bool loop_sum_is_right(const struct loop *loop, size_t i) {
    (void)loop;
    (void)i;
    return true;
}
#else
/* An item begins when the thread's last one has ended: its index is computed with a bit of that one's value, which is always 0. */
static inline void loop_add_value(const struct loop *loop, size_t i) {
    uint64_t value = loop_value(i + (bench_own_tally->last >> 63), loop->size);
    loop->sums[i] += value;
    bench_own_tally->last = value & ~(UINT64_C(1) << 63);
}

static inline bool loop_sum_is_right(const struct loop *loop, size_t i) {
    return loop->sums[i] == loop_value(i, loop->size) * loop->runs;
}
#endif

/* Run one item. Threads: any, each item by one. */
static inline void loop_item(const struct loop *loop, size_t i) {
    bench_count();
    loop_add_value(loop, i);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
