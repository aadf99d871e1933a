/* c += a b for 512 x 512 doubles, cut into quarters down to blocks of 64 x 64: four products side by side, then the other four. */
#ifndef BENCH_MATMUL_WORKLOAD_H
#define BENCH_MATMUL_WORKLOAD_H

#include "harness/fork_join.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MATMUL_BLOCK 64
#define MATMUL_STRIDE 512

struct product {
    double *c;
    const double *a, *b;
    long n;
};

/* c += a b without cutting. */
void product_compute(const struct product *whole);

/* The matrices of the workload. */
struct product product_whole(long n);

/* Product `index` of the first four, or of the last. */
static inline struct product product_part(const struct product *whole, int index, int last) {
    long half = whole->n / 2, row = index / 2 * half, column = index % 2 * half, inner = last ? half : 0;
    struct product part = {whole->c + row * MATMUL_STRIDE + column, whole->a + row * MATMUL_STRIDE + inner,
                           whole->b + inner * MATMUL_STRIDE + column, half};
    return part;
}

#ifdef __cplusplus
}
#endif
#endif
