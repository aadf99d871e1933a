/* An item is `steps` nanoseconds of arithmetic, about. */
#ifndef BENCH_STEPS_WORKLOAD_H
#define BENCH_STEPS_WORKLOAD_H

static inline uint64_t loop_value(size_t i, long steps) {
    return loop_spin(i, (size_t)steps);
}

#endif
