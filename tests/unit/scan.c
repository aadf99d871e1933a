/* parallel/scan: results of every kind of scan against serial references, their bits for any number of workers, and refusals. */
#include <criterion/criterion.h>
#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "weft.h"

static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "core:3 pu:1", "node:2 core:2 pu:1"};
#define SHAPES (sizeof shapes / sizeof *shapes)

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

/* Functions x -> a x + b: an operation that is associative and not commutative. */
struct map {
    uint32_t a, b;
};
struct maps {
    const struct map *in;
    struct map *out;
};

static struct map then(struct map first, struct map second) {
    return (struct map){first.a * second.a, second.a * first.b + second.b};
}

static void scan_maps(void *arg, weft_range range, const void *before, void *sum) {
    const struct maps *maps = arg;
    cr_assert_lt(range.first, range.last);
    for (size_t i = range.first; i < range.last; i++) {
        *(struct map *)sum = then(*(struct map *)sum, maps->in[i]);
        if (before)
            maps->out[i] = then(*(const struct map *)before, *(struct map *)sum);
    }
}

static void join_maps(void *arg, void *left, const void *right) {
    (void)arg;
    *(struct map *)left = then(*(struct map *)left, *(const struct map *)right);
}

Test(scan, joins_in_order_for_all_sizes_blocks_and_pools) {
    static const size_t sizes[] = {0, 1, 2, 7, 4096, 4097, 50000}, blocks[] = {0, 1, 3, 1000, SIZE_MAX};
    struct map *in = malloc(50000 * sizeof *in), *out = malloc(50000 * sizeof *out);
    uint64_t random = 1;
    for (size_t i = 0; i < 50000; i++)
        in[i] = (struct map){(uint32_t)wf_rng_next(&random), (uint32_t)wf_rng_next(&random)};
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (size_t b = 0; b < sizeof blocks / sizeof *blocks; b++) {
                struct map total = {1, 0}, expected = {1, 0};
                memset(out, 0, 50000 * sizeof *out);
                cr_assert_eq(weft_scan(pool, sizes[n], scan_maps, join_maps, &(struct maps){in, out}, &total, sizeof total,
                                       &(weft_scan_options){WEFT_SCAN_OPTIONS_INIT, .block = blocks[b]}),
                             WEFT_OK, "%s", weft_error_detail());
                for (size_t i = 0; i < sizes[n]; i++) {
                    expected = then(expected, in[i]);
                    cr_assert(out[i].a == expected.a && out[i].b == expected.b, "%s n %zu block %zu item %zu", shapes[s],
                              sizes[n], blocks[b], i);
                }
                cr_assert(total.a == expected.a && total.b == expected.b);
            }
        weft_pool_destroy(pool);
    }
    free(in);
    free(out);
}

#define N 100001

Test(scan, sums_integers_of_all_types_in_both_ways_also_in_place) {
    weft_pool *pool = make("core:2 pu:1");
    uint64_t *in = malloc(N * 8), *out = malloc(N * 8);
    for (weft_number type = WEFT_I32; type <= WEFT_U64; type++)
        for (int exclusive = 0; exclusive < 2; exclusive++)
            for (int in_place = 0; in_place < 2; in_place++)
                for (size_t n = N - 5; n <= N; n++) {
                    size_t bytes = type <= WEFT_U32 ? 4 : 8;
                    uint64_t random = n, total = 0, sum = 0;
                    for (size_t i = 0; i < N; i++)
                        in[i] = wf_rng_next(&random);
                    uint64_t *from = in, *to = in_place ? in : out;
                    uint64_t *copy = malloc(N * 8);
                    memcpy(copy, in, N * 8);
                    cr_assert_eq(
                        weft_scan_sum(pool, type, from, to, n,
                                      &(weft_scan_options){WEFT_SCAN_OPTIONS_INIT, .exclusive = exclusive, .total = &total}),
                        WEFT_OK);
                    for (size_t i = 0; i < n; i++) {
                        uint64_t item = bytes == 4 ? ((uint32_t *)copy)[i] : copy[i], before = sum;
                        sum = bytes == 4 ? (uint32_t)(sum + item) : sum + item;
                        cr_assert_eq(bytes == 4 ? ((uint32_t *)to)[i] : to[i], exclusive ? before : sum);
                    }
                    cr_assert_eq(total, sum);
                    free(copy);
                }
    free(in);
    free(out);
    weft_pool_destroy(pool);
}

Test(scan, sums_of_floating_point_have_the_same_bits_for_every_pool_and_are_close) {
    double *in = malloc(N * sizeof *in), *out = malloc(N * sizeof *out), *first = malloc(N * sizeof *first);
    float *in32 = malloc(N * sizeof *in32), *out32 = malloc(N * sizeof *out32), *first32 = malloc(N * sizeof *first32);
    uint64_t random = 3;
    for (size_t i = 0; i < N; i++)
        in32[i] = (float)(in[i] = (double)(wf_rng_next(&random) >> 11) * 0x1p-53);
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (int round = 0; round < 5; round++) {
            double total;
            cr_assert_eq(weft_scan_sum(pool, WEFT_F64, in, out, N, &(weft_scan_options){WEFT_SCAN_OPTIONS_INIT, .total = &total}),
                         WEFT_OK);
            cr_assert_eq(weft_scan_sum(pool, WEFT_F32, in32, out32, N, NULL), WEFT_OK);
            if (!s && !round) {
                memcpy(first, out, N * sizeof *out);
                memcpy(first32, out32, N * sizeof *out32);
            }
            cr_assert_arr_eq(out, first, N * sizeof *out);
            cr_assert_arr_eq(out32, first32, N * sizeof *out32);
            cr_assert_eq(total, out[N - 1]);
        }
        weft_pool_destroy(pool);
    }
    double sum = 0;
    for (size_t i = 0; i < N; i++) {
        sum += in[i];
        cr_assert_lt(sum - first[i] < 0 ? first[i] - sum : sum - first[i], sum * 1e-12);
        cr_assert_lt(sum - (double)first32[i] < 0 ? (double)first32[i] - sum : sum - (double)first32[i], sum * 1e-4);
    }
    free(in), free(out), free(first);
    free(in32), free(out32), free(first32);
}

struct nested {
    weft_pool *pool;
    const uint32_t *in;
    uint32_t (*out)[5000];
};

static void scan_inside(void *arg, weft_range range) {
    struct nested *nested = arg;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_scan_sum(nested->pool, WEFT_U32, nested->in, nested->out[i], 5000,
                                   &(weft_scan_options){WEFT_SCAN_OPTIONS_INIT, .block = 100}),
                     WEFT_OK);
}

Test(scan, runs_inside_loops) {
    weft_pool *pool = make("core:3 pu:1");
    uint32_t *in = malloc(5000 * sizeof *in), (*out)[5000] = malloc(20 * sizeof *out);
    for (uint32_t i = 0; i < 5000; i++)
        in[i] = 1;
    cr_assert_eq(weft_for(pool, 20, scan_inside, &(struct nested){pool, in, out}, NULL), WEFT_OK);
    for (size_t i = 0; i < 20 * 5000; i++)
        cr_assert_eq(out[i / 5000][i % 5000], i % 5000 + 1);
    free(in);
    free(out);
    weft_pool_destroy(pool);
}

Test(scan, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:2 pu:1");
    double x[4] = {1, 2, 3, 4}, total = 0;
    weft_scan_options exclusive = {WEFT_SCAN_OPTIONS_INIT, .exclusive = true}, small = {.size = 1};
    cr_assert_eq(weft_scan(NULL, 4, scan_maps, join_maps, x, &total, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, 4, NULL, join_maps, x, &total, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, 4, scan_maps, NULL, x, &total, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, 4, scan_maps, join_maps, x, NULL, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, 4, scan_maps, join_maps, x, &total, 0, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, 4, scan_maps, join_maps, x, &total, 8, &exclusive), WEFT_EINVAL);
    cr_assert_eq(weft_scan(pool, SIZE_MAX, scan_maps, join_maps, x, &total, SIZE_MAX, NULL), WEFT_ENOMEM);
    cr_assert_eq(
        weft_scan(pool, SIZE_MAX, scan_maps, join_maps, x, &total, 8, &(weft_scan_options){WEFT_SCAN_OPTIONS_INIT, .block = 1}),
        WEFT_ENOMEM);
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, x, NULL, 4, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan_sum(pool, (weft_number)0, x, x, 4, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan_sum(pool, (weft_number)7, x, x, 4, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, x, x + 1, 3, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "overlap"), "%s", weft_error_detail());
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, (char *)x + 4, (char *)x + 4, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, x, x, SIZE_MAX, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, x, x, 4, &small), WEFT_EINVAL);
    cr_assert_eq(x[3], 4);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_scan_sum(pool, WEFT_F64, x, x, 4, NULL), WEFT_ECLOSED);
    cr_assert_eq(x[3], 4);
    weft_pool_destroy(pool);
}
