/* Item i costs i steps: equal parts are unequal work. */
#ifndef BENCH_TRIANGULAR_WORKLOAD_H
#define BENCH_TRIANGULAR_WORKLOAD_H

static inline uint64_t loop_value(size_t i, long unused) {
    (void)unused;
    return loop_spin(i, i);
}

#endif
