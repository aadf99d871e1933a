#include "idle_thief/workload.h"

static uint64_t run(long count) {
    long sum = 0;
    for (long i = 0; i < count; i++) {
        long child;
#pragma omp task shared(child) firstprivate(i)
        child = idle_thief_leaf(i);
#pragma omp taskwait
        sum += child;
    }
    return (uint64_t)sum;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
