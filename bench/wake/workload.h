/* A loop after the program has slept: two items that do nothing, and 60 of a microsecond. */
#ifndef BENCH_WAKE_WORKLOAD_H
#define BENCH_WAKE_WORKLOAD_H

static inline uint64_t loop_value(size_t i, long steps) {
    return loop_spin(i, (size_t)steps);
}

#endif
