/* The OpenMP runtime of the compiler. */
#include <omp.h>

#include "harness/peers/peer.h"

const bool peer_caller_works = true;
const bool peer_binds = false;

const char *peer_version(void) {
    return BENCH_OPENMP_VERSION;
}

bool peer_start(unsigned workers) {
    unsigned there = 0;
    omp_set_dynamic(0);
    omp_set_num_threads((int)workers);
#pragma omp parallel reduction(+ : there)
    there++;
    return there == workers;
}

bool peer_stop(void) {
    return !omp_pause_resource_all(omp_pause_hard);
}

void peer_run(void (*fn)(void *arg), void *arg) {
#pragma omp parallel
#pragma omp single
    fn(arg);
}
