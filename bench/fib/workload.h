/* What the programs for fib and for regions share. */
#ifndef BENCH_FIB_WORKLOAD_H
#define BENCH_FIB_WORKLOAD_H

#include "harness/fork_join.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const int fib_times; /* computations in one run, one after the other; their sum is the result */

#ifdef __cplusplus
}
#endif

/* The same number, which the compiler takes for a new one. */
static inline int fib_again(int n) {
    __asm__ volatile("" : "+r"(n));
    return n;
}

#endif
