/* OpenMP's static loop, and its parts run by the code that the other ways run. */
#include <omp.h>

#include "triad/triad.h"

static bool run_loop(struct triad *triad) {
    double *restrict a = triad->a;
    const double *restrict b = triad->b, *restrict c = triad->c;
    double s = triad->s;
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < triad->n; i++)
        a[i] = b[i] + s * c[i];
    return true;
}

static bool run_parts(struct triad *triad) {
#pragma omp parallel
    {
        size_t threads = (size_t)omp_get_num_threads(), thread = (size_t)omp_get_thread_num();
        triad_pass(triad, triad->n * thread / threads, triad->n * (thread + 1) / threads);
    }
    return true;
}

const struct triad_way triad_ways[] = {{"static", run_loop}, {"static, same code", run_parts}, {0}};
