#include "matmul/workload.h"

static void multiply(struct product whole) {
    if (whole.n <= MATMUL_BLOCK) {
        product_compute(&whole);
        return;
    }
    for (int last = 0; last < 2; last++) {
        for (int i = 0; i < 4; i++) {
#pragma omp task firstprivate(whole, i, last)
            multiply(product_part(&whole, i, last));
        }
#pragma omp taskwait
    }
}

static uint64_t run(long n) {
    multiply(product_whole(n));
    return 0;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
