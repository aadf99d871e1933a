/* One region with all loops, whose threads meet at the end of each. */
#include "steps/steps.h"

static bool run_region(struct loop *loop) {
#pragma omp parallel
    for (unsigned step = 0; step < STEPS; step++) {
#pragma omp for schedule(static)
        for (size_t i = 0; i < loop->n; i++)
            loop_item(loop, i);
    }
    return true;
}

const struct loop_way step_ways[] = {{"one region", run_region, false}, {0}};
