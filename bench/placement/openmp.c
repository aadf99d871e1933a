/* OpenMP's ways. The environment chooses places (OMP_PLACES, OMP_PROC_BIND). */
#include <omp.h>

#include "placement/peer.h"

static bool initialise(struct workload *workload) {
#pragma omp parallel for
    for (size_t row = 0; row < workload->rows; row++)
        workload_initialise(workload, row, row + 1);
    return true;
}

static bool loop(struct workload *workload) {
#pragma omp parallel for
    for (size_t row = 0; row < workload->rows; row++)
        workload_run(workload, row, row + 1);
    return true;
}

static bool loop_dynamic(struct workload *workload) {
#pragma omp parallel for schedule(dynamic)
    for (size_t row = 0; row < workload->rows; row++)
        workload_run(workload, row, row + 1);
    return true;
}

static const struct peer_way ways[] = {
    {"static", "main thread", NULL, NULL, NULL, loop},
    {"static", "static loop", NULL, NULL, initialise, loop},
    {"dynamic", "static loop", NULL, NULL, initialise, loop_dynamic},
};

int main(int argc, char **argv) {
    struct peer peer = {BENCH_OPENMP_VERSION, (unsigned)omp_get_max_threads(), ways, sizeof ways / sizeof *ways};
    return peer_main(argc, argv, &peer);
}
