/* adapters/pthreadpool: every function's items, once each and with the right tiles, on all kinds of pools. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <pthreadpool.h>

#include "base/rng.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations" /* these are tested too */

#define MOST 6
#define UARCH 7 /* an index that only functions with one get */
#define AT(...) ((const size_t[MOST]){__VA_ARGS__})

/* The space that one call covers. */
struct box {
    size_t range[MOST], tile[MOST]; /* of dimensions that are not there: 1 */
    atomic_uchar *hits;             /* of each cell */
    atomic_size_t items, wrong;
};

/* Count in every cell of one item. What lies beyond its dimensions is 0 at `at` and 0 or 1 in `size`. */
static void hit(struct box *box, uint32_t uarch, const size_t *at, const size_t *size) {
    size_t cells = 1, cell[MOST];
    bool right = uarch == UARCH;
    for (unsigned d = 0; d < MOST; d++) {
        size_t edge = size[d] ? size[d] : 1, left = box->range[d] - at[d];
        right &= at[d] < box->range[d] && at[d] % box->tile[d] == 0 && edge == (left < box->tile[d] ? left : box->tile[d]);
        cells *= edge;
    }
    box->items++;
    box->wrong += !right;
    for (size_t i = 0; right && i < cells; i++) {
        size_t rest = i, index = 0;
        for (unsigned d = MOST; d-- > 0; rest /= size[d] ? size[d] : 1)
            cell[d] = at[d] + rest % (size[d] ? size[d] : 1);
        for (unsigned d = 0; d < MOST; d++)
            index = index * box->range[d] + cell[d];
        box->hits[index]++;
    }
}

static void hit_1d(void *box, size_t i) {
    hit(box, UARCH, AT(i), AT(1));
}
static void call_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_1d(pool, hit_1d, b, b->range[0], 0);
}

static void hit_1d_with_uarch(void *box, uint32_t uarch, size_t i) {
    hit(box, uarch, AT(i), AT(1));
}
static void call_1d_with_uarch(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_1d_with_uarch(pool, hit_1d_with_uarch, b, UARCH, UARCH + 1, b->range[0], 0);
}

static void hit_1d_tile_1d(void *box, size_t i, size_t ti) {
    hit(box, UARCH, AT(i), AT(ti));
}
static void call_1d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_1d_tile_1d(pool, hit_1d_tile_1d, b, b->range[0], b->tile[0], 0);
}

static void hit_2d(void *box, size_t i, size_t j) {
    hit(box, UARCH, AT(i, j), AT(1, 1));
}
static void call_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_2d(pool, hit_2d, b, b->range[0], b->range[1], 0);
}

static void hit_2d_tile_1d(void *box, size_t i, size_t j, size_t tj) {
    hit(box, UARCH, AT(i, j), AT(1, tj));
}
static void call_2d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_2d_tile_1d(pool, hit_2d_tile_1d, b, b->range[0], b->range[1], b->tile[1], 0);
}

static void hit_2d_tile_2d(void *box, size_t i, size_t j, size_t ti, size_t tj) {
    hit(box, UARCH, AT(i, j), AT(ti, tj));
}
static void call_2d_tile_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_2d_tile_2d(pool, hit_2d_tile_2d, b, b->range[0], b->range[1], b->tile[0], b->tile[1], 0);
}

static void hit_2d_tile_2d_with_uarch(void *box, uint32_t uarch, size_t i, size_t j, size_t ti, size_t tj) {
    hit(box, uarch, AT(i, j), AT(ti, tj));
}
static void call_2d_tile_2d_with_uarch(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_2d_tile_2d_with_uarch(pool, hit_2d_tile_2d_with_uarch, b, UARCH, UARCH + 1, b->range[0], b->range[1],
                                                  b->tile[0], b->tile[1], 0);
}

static void hit_3d(void *box, size_t i, size_t j, size_t k) {
    hit(box, UARCH, AT(i, j, k), AT(1, 1, 1));
}
static void call_3d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_3d(pool, hit_3d, b, b->range[0], b->range[1], b->range[2], 0);
}

static void hit_3d_tile_1d(void *box, size_t i, size_t j, size_t k, size_t tk) {
    hit(box, UARCH, AT(i, j, k), AT(1, 1, tk));
}
static void call_3d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_3d_tile_1d(pool, hit_3d_tile_1d, b, b->range[0], b->range[1], b->range[2], b->tile[2], 0);
}

static void hit_3d_tile_2d(void *box, size_t i, size_t j, size_t k, size_t tj, size_t tk) {
    hit(box, UARCH, AT(i, j, k), AT(1, tj, tk));
}
static void call_3d_tile_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_3d_tile_2d(pool, hit_3d_tile_2d, b, b->range[0], b->range[1], b->range[2], b->tile[1], b->tile[2], 0);
}

static void hit_3d_tile_2d_with_uarch(void *box, uint32_t uarch, size_t i, size_t j, size_t k, size_t tj, size_t tk) {
    hit(box, uarch, AT(i, j, k), AT(1, tj, tk));
}
static void call_3d_tile_2d_with_uarch(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_3d_tile_2d_with_uarch(pool, hit_3d_tile_2d_with_uarch, b, UARCH, UARCH + 1, b->range[0], b->range[1],
                                                  b->range[2], b->tile[1], b->tile[2], 0);
}

static void hit_4d(void *box, size_t i, size_t j, size_t k, size_t l) {
    hit(box, UARCH, AT(i, j, k, l), AT(1, 1, 1, 1));
}
static void call_4d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_4d(pool, hit_4d, b, b->range[0], b->range[1], b->range[2], b->range[3], 0);
}

static void hit_4d_tile_1d(void *box, size_t i, size_t j, size_t k, size_t l, size_t tl) {
    hit(box, UARCH, AT(i, j, k, l), AT(1, 1, 1, tl));
}
static void call_4d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_4d_tile_1d(pool, hit_4d_tile_1d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->tile[3],
                                       0);
}

static void hit_4d_tile_2d(void *box, size_t i, size_t j, size_t k, size_t l, size_t tk, size_t tl) {
    hit(box, UARCH, AT(i, j, k, l), AT(1, 1, tk, tl));
}
static void call_4d_tile_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_4d_tile_2d(pool, hit_4d_tile_2d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->tile[2],
                                       b->tile[3], 0);
}

static void hit_4d_tile_2d_with_uarch(void *box, uint32_t uarch, size_t i, size_t j, size_t k, size_t l, size_t tk, size_t tl) {
    hit(box, uarch, AT(i, j, k, l), AT(1, 1, tk, tl));
}
static void call_4d_tile_2d_with_uarch(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_4d_tile_2d_with_uarch(pool, hit_4d_tile_2d_with_uarch, b, UARCH, UARCH + 1, b->range[0], b->range[1],
                                                  b->range[2], b->range[3], b->tile[2], b->tile[3], 0);
}

static void hit_5d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m) {
    hit(box, UARCH, AT(i, j, k, l, m), AT(1, 1, 1, 1, 1));
}
static void call_5d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_5d(pool, hit_5d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4], 0);
}

static void hit_5d_tile_1d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m, size_t tm) {
    hit(box, UARCH, AT(i, j, k, l, m), AT(1, 1, 1, 1, tm));
}
static void call_5d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_5d_tile_1d(pool, hit_5d_tile_1d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4],
                                       b->tile[4], 0);
}

static void hit_5d_tile_2d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m, size_t tl, size_t tm) {
    hit(box, UARCH, AT(i, j, k, l, m), AT(1, 1, 1, tl, tm));
}
static void call_5d_tile_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_5d_tile_2d(pool, hit_5d_tile_2d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4],
                                       b->tile[3], b->tile[4], 0);
}

static void hit_6d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m, size_t n) {
    hit(box, UARCH, AT(i, j, k, l, m, n), AT(1, 1, 1, 1, 1, 1));
}
static void call_6d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_6d(pool, hit_6d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4], b->range[5], 0);
}

static void hit_6d_tile_1d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m, size_t n, size_t tn) {
    hit(box, UARCH, AT(i, j, k, l, m, n), AT(1, 1, 1, 1, 1, tn));
}
static void call_6d_tile_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_6d_tile_1d(pool, hit_6d_tile_1d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4],
                                       b->range[5], b->tile[5], 0);
}

static void hit_6d_tile_2d(void *box, size_t i, size_t j, size_t k, size_t l, size_t m, size_t n, size_t tm, size_t tn) {
    hit(box, UARCH, AT(i, j, k, l, m, n), AT(1, 1, 1, 1, tm, tn));
}
static void call_6d_tile_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_parallelize_6d_tile_2d(pool, hit_6d_tile_2d, b, b->range[0], b->range[1], b->range[2], b->range[3], b->range[4],
                                       b->range[5], b->tile[4], b->tile[5], 0);
}

static void call_compute_1d(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_1d(pool, hit_1d, b, b->range[0]);
}

static void call_compute_1d_tiled(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_1d_tiled(pool, hit_1d_tile_1d, b, b->range[0], b->tile[0]);
}

static void call_compute_2d(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_2d(pool, hit_2d, b, b->range[0], b->range[1]);
}

static void call_compute_2d_tiled(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_2d_tiled(pool, hit_2d_tile_2d, b, b->range[0], b->range[1], b->tile[0], b->tile[1]);
}

static void hit_3d_tiled(void *box, size_t i, size_t j, size_t k, size_t ti, size_t tj, size_t tk) {
    hit(box, UARCH, AT(i, j, k), AT(ti, tj, tk));
}

static void call_compute_3d_tiled(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_3d_tiled(pool, hit_3d_tiled, b, b->range[0], b->range[1], b->range[2], b->tile[0], b->tile[1],
                                 b->tile[2]);
}

static void hit_4d_tiled(void *box, size_t i, size_t j, size_t k, size_t l, size_t ti, size_t tj, size_t tk, size_t tl) {
    hit(box, UARCH, AT(i, j, k, l), AT(ti, tj, tk, tl));
}

static void call_compute_4d_tiled(pthreadpool_t pool, struct box *b) {
    pthreadpool_compute_4d_tiled(pool, hit_4d_tiled, b, b->range[0], b->range[1], b->range[2], b->range[3], b->tile[0],
                                 b->tile[1], b->tile[2], b->tile[3]);
}

static const struct function {
    const char *name;
    unsigned dimensions, tiled; /* the last so many dimensions are cut */
    void (*call)(pthreadpool_t pool, struct box *box);
} functions[] = {
    {"parallelize_1d", 1, 0, call_1d},
    {"parallelize_1d_with_uarch", 1, 0, call_1d_with_uarch},
    {"parallelize_1d_tile_1d", 1, 1, call_1d_tile_1d},
    {"parallelize_2d", 2, 0, call_2d},
    {"parallelize_2d_tile_1d", 2, 1, call_2d_tile_1d},
    {"parallelize_2d_tile_2d", 2, 2, call_2d_tile_2d},
    {"parallelize_2d_tile_2d_with_uarch", 2, 2, call_2d_tile_2d_with_uarch},
    {"parallelize_3d", 3, 0, call_3d},
    {"parallelize_3d_tile_1d", 3, 1, call_3d_tile_1d},
    {"parallelize_3d_tile_2d", 3, 2, call_3d_tile_2d},
    {"parallelize_3d_tile_2d_with_uarch", 3, 2, call_3d_tile_2d_with_uarch},
    {"parallelize_4d", 4, 0, call_4d},
    {"parallelize_4d_tile_1d", 4, 1, call_4d_tile_1d},
    {"parallelize_4d_tile_2d", 4, 2, call_4d_tile_2d},
    {"parallelize_4d_tile_2d_with_uarch", 4, 2, call_4d_tile_2d_with_uarch},
    {"parallelize_5d", 5, 0, call_5d},
    {"parallelize_5d_tile_1d", 5, 1, call_5d_tile_1d},
    {"parallelize_5d_tile_2d", 5, 2, call_5d_tile_2d},
    {"parallelize_6d", 6, 0, call_6d},
    {"parallelize_6d_tile_1d", 6, 1, call_6d_tile_1d},
    {"parallelize_6d_tile_2d", 6, 2, call_6d_tile_2d},
    {"compute_1d", 1, 0, call_compute_1d},
    {"compute_1d_tiled", 1, 1, call_compute_1d_tiled},
    {"compute_2d", 2, 0, call_compute_2d},
    {"compute_2d_tiled", 2, 2, call_compute_2d_tiled},
    {"compute_3d_tiled", 3, 3, call_compute_3d_tiled},
    {"compute_4d_tiled", 4, 4, call_compute_4d_tiled},
};

#define FUNCTIONS (sizeof functions / sizeof *functions)

/* Run one function over the box, and look at every cell. */
static void check(const struct function *function, pthreadpool_t pool, struct box *box, const char *kind) {
    size_t cells = 1, items = 1;
    for (unsigned d = 0; d < MOST; d++) {
        box->range[d] = d < function->dimensions ? box->range[d] : 1;
        box->tile[d] = d < function->dimensions && d + function->tiled >= function->dimensions ? box->tile[d] : 1;
        cells *= box->range[d];
        items *= (box->range[d] + box->tile[d] - 1) / box->tile[d];
    }
    box->hits = calloc(cells + 1, 1);
    box->items = box->wrong = 0;
    function->call(pool, box);
    cr_assert_eq(box->wrong, 0, "%s on %s: an item has another place or size", function->name, kind);
    cr_assert_eq(box->items, items, "%s on %s: %zu items, not %zu", function->name, kind, (size_t)box->items, items);
    for (size_t i = 0; i < cells; i++)
        cr_assert_eq(box->hits[i], 1, "%s on %s: cell %zu ran %d times", function->name, kind, i, box->hits[i]);
    free(box->hits);
}

static void check_all(pthreadpool_t pool, const char *kind) {
    uint64_t random = 4711;
    for (size_t f = 0; f < FUNCTIONS; f++)
        for (unsigned round = 0; round < 40; round++) {
            struct box box;
            for (unsigned d = 0; d < MOST; d++) {
                box.range[d] = wf_rng_below(&random, 12) ? 1 + wf_rng_below(&random, functions[f].dimensions < 3 ? 40 : 5) : 0;
                box.tile[d] = 1 + wf_rng_below(&random, 7);
            }
            check(&functions[f], pool, &box, kind);
        }
}

Test(pthreadpool, every_function_runs_every_item_once_with_its_tile) {
    for (size_t threads = 1; threads <= 4; threads++) { /* more than most test machines have CPUs */
        char kind[32];
        snprintf(kind, sizeof kind, "%zu threads", threads);
        pthreadpool_t pool = pthreadpool_create(threads);
        cr_assert_not_null(pool);
        cr_assert_eq(pthreadpool_get_threads_count(pool), threads);
        check_all(pool, kind);
        pthreadpool_destroy(pool);
    }
    check_all(NULL, "no pool");
}
