/*
 * STREAM's triad, a[i] = b[i] + s * c[i], over partitioned arrays of weft. All ways run over the same pages, in one process: which pages
 * arrays happen to get makes more of a difference than is measured here.
 */
#ifndef BENCH_TRIAD_TRIAD_H
#define BENCH_TRIAD_TRIAD_H

#include <stdbool.h>
#include <stddef.h>

struct triad {
    double *a; /* n items each, on pages of their own */
    const double *b, *c;
    double s; /* another one in each run */
    size_t n;
};

/* Items [first, last): the object code of every way but OpenMP's own loop. Threads: any. */
void triad_pass(const struct triad *triad, size_t first, size_t last);

struct triad_way {
    const char *way;
    bool (*run)(struct triad *triad);
};
extern const struct triad_way triad_ways[]; /* of the peer; ended by one without a name */

#endif
