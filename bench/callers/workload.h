/* Loops of several callers at once: each item about 10 ns. */
#ifndef BENCH_CALLERS_WORKLOAD_H
#define BENCH_CALLERS_WORKLOAD_H

static inline uint64_t loop_value(size_t i, long size) {
    return loop_spin(i, (size_t)size);
}

#endif
