/* Items of a microsecond, and one in 512, at places without a rule, of a millisecond. */
#ifndef BENCH_SPIKY_WORKLOAD_H
#define BENCH_SPIKY_WORKLOAD_H

static inline int spiky_is_spike(size_t i) {
    uint64_t mixed = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (mixed ^ mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9) >> 55 == 0;
}

static inline uint64_t loop_value(size_t i, long steps) {
    return loop_spin(i, (size_t)(spiky_is_spike(i) ? 1000 * steps : steps));
}

#endif
