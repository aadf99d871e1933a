#include "idle_thief/workload.h"

static __attribute__((noinline)) long leaf(long number) {
    return idle_thief_leaf(number);
}

static uint64_t run(long count) {
    long sum = 0;
    for (long i = 0; i < count; i++)
        sum += leaf(i);
    return (uint64_t)sum;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
