#include "fib/workload.h"

static long fib(int n) {
    if (n < 2)
        return n;
    long left;
#pragma omp task shared(left) firstprivate(n)
    left = fib(n - 1);
    long right = fib(n - 2);
#pragma omp taskwait
    return left + right;
}

static uint64_t run(long n) {
    long sum = 0;
    for (int i = 0; i < fib_times; i++)
        sum += fib(fib_again((int)n));
    return (uint64_t)sum;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
