#include "matmul/workload.h"

#include <stdlib.h>
#include <string.h>

#define BYTES (sizeof(double) * MATMUL_STRIDE * MATMUL_STRIDE)

static double *a, *b, *c, *right;

void product_compute(const struct product *whole) {
    for (long row = 0; row < whole->n; row++)
        for (long inner = 0; inner < whole->n; inner++) {
            double factor = whole->a[row * MATMUL_STRIDE + inner];
            const double *restrict from = whole->b + inner * MATMUL_STRIDE;
            double *restrict to = whole->c + row * MATMUL_STRIDE;
            for (long column = 0; column < whole->n; column++)
                to[column] += factor * from[column];
        }
}

struct product product_whole(long n) {
    return (struct product){c, a, b, n};
}

/* Small whole numbers: every order of the additions gives the same sums. */
static bool begin(void) {
    double **all[] = {&a, &b, &c, &right};
    for (int i = 0; i < 4; i++)
        if (!(*all[i] = aligned_alloc(64, BYTES)))
            return false;
    for (int i = 0; i < MATMUL_STRIDE * MATMUL_STRIDE; i++) {
        a[i] = i % 7;
        b[i] = i % 11;
    }
    memset(right, 0, BYTES);
    product_compute(&(struct product){right, a, b, MATMUL_STRIDE});
    return true;
}

static void prepare(long size) {
    (void)size;
    memset(c, 0, BYTES);
}

static bool check(long size) {
    (void)size;
    return !memcmp(c, right, BYTES);
}

static const struct fork_join_case cases[] = {{"512 x 512", MATMUL_STRIDE, 0, 1e6}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases, .begin = begin, .prepare = prepare, .check = check};
