/* Items of 10 ns: a loop that is hardly worth sharing. */
#ifndef BENCH_SMALL_LOOP_WORKLOAD_H
#define BENCH_SMALL_LOOP_WORKLOAD_H

static inline uint64_t loop_value(size_t i, long steps) {
    return loop_spin(i, (size_t)steps);
}

#endif
