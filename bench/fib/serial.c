#include "fib/workload.h"

static __attribute__((noinline)) long fib(int n) {
    if (n < 2)
        return n;
    return fib(n - 1) + fib(n - 2);
}

static uint64_t run(long n) {
    long sum = 0;
    for (int i = 0; i < fib_times; i++)
        sum += fib(fib_again((int)n));
    return (uint64_t)sum;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
