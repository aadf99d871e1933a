/*
 * The functions of pthreadpool.h on a pool of weft: libpthreadpool.so.0 for programs that were built with pthreadpool. Each is a grid
 * (adapters/grid.h) and the types of its arguments; what it does is said in Debian's header.
 *
 * Different from pthreadpool: several threads may call with one pool at once, and items may call; the calls run side by side. A pool
 * holds no thread that spins for long, so PTHREADPOOL_FLAG_YIELD_WORKERS asks for what is the case. The microarchitecture of a CPU is
 * not looked at, as in Debian's build: functions get default_uarch_index.
 */
#include <pthreadpool.h>
#include <stdio.h>
#include <stdlib.h>

#include "adapters/grid.h"

#define MOST_THREADS 4096u /* of a pool of weft */

struct pthreadpool {
    weft_pool *pool; /* I; NULL: one thread, the caller's */
    size_t threads;  /* I */
};

typedef void (*function_fn)(void);

static void run(pthreadpool_t pool, uint32_t flags, const struct wf_grid *grid) {
    wf_grid_run(pool ? pool->pool : NULL, grid, flags & PTHREADPOOL_FLAG_DISABLE_DENORMALS);
}

/*
 * As many threads as asked: on cores of their own if there are enough, else on hardware threads, else bound to nothing, as threads of
 * a machine that has so many cores.
 */
static weft_pool *create_pool(unsigned threads) {
    char machine[32];
    snprintf(machine, sizeof machine, "core:%u pu:1", threads);
    const weft_pool_options attempts[] = {
        {WEFT_POOL_OPTIONS_INIT, .workers = threads},
        {WEFT_POOL_OPTIONS_INIT, .workers = threads, .smt = true},
        {WEFT_POOL_OPTIONS_INIT, .workers = threads, .topology = machine},
    };
    weft_status status = WEFT_EINVAL;
    weft_pool *pool = NULL;
    for (unsigned i = threads ? 0 : 1; status == WEFT_EINVAL && i < sizeof attempts / sizeof *attempts; i++)
        status = weft_pool_create(&pool, &attempts[i]);
    return pool;
}

static bool fill(pthreadpool_t pool, size_t threads) {
    pool->threads = threads;
    if (threads == 1)
        return true;
    pool->pool = threads <= MOST_THREADS ? create_pool((unsigned)threads) : NULL;
    if (pool->pool)
        pool->threads = weft_pool_workers(pool->pool);
    return pool->pool != NULL;
}

pthreadpool_t pthreadpool_create(size_t threads_count) {
    pthreadpool_t pool = calloc(1, sizeof *pool);
    if (pool && fill(pool, threads_count))
        return pool;
    free(pool);
    return NULL;
}

size_t pthreadpool_get_threads_count(pthreadpool_t pool) {
    return pool ? pool->threads : 1;
}

void pthreadpool_destroy(pthreadpool_t pool) {
    if (pool && !weft_pool_destroy(pool->pool))
        free(pool);
}

static void item_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_1d_t)grid->function)(grid->context, at[0]);
}

void pthreadpool_parallelize_1d(pthreadpool_t pool, pthreadpool_task_1d_t function, void *context, size_t range, uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_1d, (function_fn)function, context, 0, 1, {range}, {0}});
}

static void item_1d_with_id(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_1d_with_id_t)grid->function)(grid->context, grid->uarch, at[0]);
}

void pthreadpool_parallelize_1d_with_uarch(pthreadpool_t pool, pthreadpool_task_1d_with_id_t function, void *context,
                                           uint32_t default_uarch, uint32_t max_uarch, size_t range, uint32_t flags) {
    (void)max_uarch;
    run(pool, flags, &(struct wf_grid){item_1d_with_id, (function_fn)function, context, default_uarch, 1, {range}, {0}});
}

static void item_1d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_1d_tile_1d_t)grid->function)(grid->context, at[0], size[0]);
}

void pthreadpool_parallelize_1d_tile_1d(pthreadpool_t pool, pthreadpool_task_1d_tile_1d_t function, void *context, size_t range,
                                        size_t tile, uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_1d_tile_1d, (function_fn)function, context, 0, 1, {range}, {tile}});
}

static void item_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_2d_t)grid->function)(grid->context, at[0], at[1]);
}

void pthreadpool_parallelize_2d(pthreadpool_t pool, pthreadpool_task_2d_t function, void *context, size_t range_i, size_t range_j,
                                uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_2d, (function_fn)function, context, 0, 2, {range_i, range_j}, {0}});
}

static void item_2d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_2d_tile_1d_t)grid->function)(grid->context, at[0], at[1], size[1]);
}

void pthreadpool_parallelize_2d_tile_1d(pthreadpool_t pool, pthreadpool_task_2d_tile_1d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t tile_j, uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_2d_tile_1d, (function_fn)function, context, 0, 2, {range_i, range_j}, {1, tile_j}});
}

static void item_2d_tile_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_2d_tile_2d_t)grid->function)(grid->context, at[0], at[1], size[0], size[1]);
}

void pthreadpool_parallelize_2d_tile_2d(pthreadpool_t pool, pthreadpool_task_2d_tile_2d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t tile_i, size_t tile_j, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_2d_tile_2d, (function_fn)function, context, 0, 2, {range_i, range_j}, {tile_i, tile_j}});
}

static void item_2d_tile_2d_with_id(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_2d_tile_2d_with_id_t)grid->function)(grid->context, grid->uarch, at[0], at[1], size[0], size[1]);
}

void pthreadpool_parallelize_2d_tile_2d_with_uarch(pthreadpool_t pool, pthreadpool_task_2d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch, uint32_t max_uarch, size_t range_i,
                                                   size_t range_j, size_t tile_i, size_t tile_j, uint32_t flags) {
    (void)max_uarch;
    run(pool, flags,
        &(struct wf_grid){
            item_2d_tile_2d_with_id, (function_fn)function, context, default_uarch, 2, {range_i, range_j}, {tile_i, tile_j}});
}

static void item_3d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_3d_t)grid->function)(grid->context, at[0], at[1], at[2]);
}

void pthreadpool_parallelize_3d(pthreadpool_t pool, pthreadpool_task_3d_t function, void *context, size_t range_i, size_t range_j,
                                size_t range_k, uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_3d, (function_fn)function, context, 0, 3, {range_i, range_j, range_k}, {0}});
}

static void item_3d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_3d_tile_1d_t)grid->function)(grid->context, at[0], at[1], at[2], size[2]);
}

void pthreadpool_parallelize_3d_tile_1d(pthreadpool_t pool, pthreadpool_task_3d_tile_1d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t tile_k, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_3d_tile_1d, (function_fn)function, context, 0, 3, {range_i, range_j, range_k}, {1, 1, tile_k}});
}

static void item_3d_tile_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_3d_tile_2d_t)grid->function)(grid->context, at[0], at[1], at[2], size[1], size[2]);
}

void pthreadpool_parallelize_3d_tile_2d(pthreadpool_t pool, pthreadpool_task_3d_tile_2d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t tile_j, size_t tile_k, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){
            item_3d_tile_2d, (function_fn)function, context, 0, 3, {range_i, range_j, range_k}, {1, tile_j, tile_k}});
}

static void item_3d_tile_2d_with_id(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_3d_tile_2d_with_id_t)grid->function)(grid->context, grid->uarch, at[0], at[1], at[2], size[1], size[2]);
}

void pthreadpool_parallelize_3d_tile_2d_with_uarch(pthreadpool_t pool, pthreadpool_task_3d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch, uint32_t max_uarch, size_t range_i,
                                                   size_t range_j, size_t range_k, size_t tile_j, size_t tile_k, uint32_t flags) {
    (void)max_uarch;
    run(pool, flags,
        &(struct wf_grid){item_3d_tile_2d_with_id,
                          (function_fn)function,
                          context,
                          default_uarch,
                          3,
                          {range_i, range_j, range_k},
                          {1, tile_j, tile_k}});
}

static void item_4d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_4d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3]);
}

void pthreadpool_parallelize_4d(pthreadpool_t pool, pthreadpool_task_4d_t function, void *context, size_t range_i, size_t range_j,
                                size_t range_k, size_t range_l, uint32_t flags) {
    run(pool, flags, &(struct wf_grid){item_4d, (function_fn)function, context, 0, 4, {range_i, range_j, range_k, range_l}, {0}});
}

static void item_4d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_4d_tile_1d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], size[3]);
}

void pthreadpool_parallelize_4d_tile_1d(pthreadpool_t pool, pthreadpool_task_4d_tile_1d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t tile_l, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){
            item_4d_tile_1d, (function_fn)function, context, 0, 4, {range_i, range_j, range_k, range_l}, {1, 1, 1, tile_l}});
}

static void item_4d_tile_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_4d_tile_2d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], size[2], size[3]);
}

void pthreadpool_parallelize_4d_tile_2d(pthreadpool_t pool, pthreadpool_task_4d_tile_2d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t tile_k, size_t tile_l,
                                        uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){
            item_4d_tile_2d, (function_fn)function, context, 0, 4, {range_i, range_j, range_k, range_l}, {1, 1, tile_k, tile_l}});
}

static void item_4d_tile_2d_with_id(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_4d_tile_2d_with_id_t)grid->function)(grid->context, grid->uarch, at[0], at[1], at[2], at[3], size[2],
                                                            size[3]);
}

void pthreadpool_parallelize_4d_tile_2d_with_uarch(pthreadpool_t pool, pthreadpool_task_4d_tile_2d_with_id_t function,
                                                   void *context, uint32_t default_uarch, uint32_t max_uarch, size_t range_i,
                                                   size_t range_j, size_t range_k, size_t range_l, size_t tile_k, size_t tile_l,
                                                   uint32_t flags) {
    (void)max_uarch;
    run(pool, flags,
        &(struct wf_grid){item_4d_tile_2d_with_id,
                          (function_fn)function,
                          context,
                          default_uarch,
                          4,
                          {range_i, range_j, range_k, range_l},
                          {1, 1, tile_k, tile_l}});
}

static void item_5d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_5d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4]);
}

void pthreadpool_parallelize_5d(pthreadpool_t pool, pthreadpool_task_5d_t function, void *context, size_t range_i, size_t range_j,
                                size_t range_k, size_t range_l, size_t range_m, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_5d, (function_fn)function, context, 0, 5, {range_i, range_j, range_k, range_l, range_m}, {0}});
}

static void item_5d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_5d_tile_1d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4], size[4]);
}

void pthreadpool_parallelize_5d_tile_1d(pthreadpool_t pool, pthreadpool_task_5d_tile_1d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t range_m, size_t tile_m,
                                        uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_5d_tile_1d,
                          (function_fn)function,
                          context,
                          0,
                          5,
                          {range_i, range_j, range_k, range_l, range_m},
                          {1, 1, 1, 1, tile_m}});
}

static void item_5d_tile_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_5d_tile_2d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4], size[3], size[4]);
}

void pthreadpool_parallelize_5d_tile_2d(pthreadpool_t pool, pthreadpool_task_5d_tile_2d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t range_m, size_t tile_l,
                                        size_t tile_m, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_5d_tile_2d,
                          (function_fn)function,
                          context,
                          0,
                          5,
                          {range_i, range_j, range_k, range_l, range_m},
                          {1, 1, 1, tile_l, tile_m}});
}

static void item_6d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    (void)size;
    ((pthreadpool_task_6d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4], at[5]);
}

void pthreadpool_parallelize_6d(pthreadpool_t pool, pthreadpool_task_6d_t function, void *context, size_t range_i, size_t range_j,
                                size_t range_k, size_t range_l, size_t range_m, size_t range_n, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){
            item_6d, (function_fn)function, context, 0, 6, {range_i, range_j, range_k, range_l, range_m, range_n}, {0}});
}

static void item_6d_tile_1d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_6d_tile_1d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4], at[5], size[5]);
}

void pthreadpool_parallelize_6d_tile_1d(pthreadpool_t pool, pthreadpool_task_6d_tile_1d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t range_m, size_t range_n,
                                        size_t tile_n, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_6d_tile_1d,
                          (function_fn)function,
                          context,
                          0,
                          6,
                          {range_i, range_j, range_k, range_l, range_m, range_n},
                          {1, 1, 1, 1, 1, tile_n}});
}

static void item_6d_tile_2d(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_task_6d_tile_2d_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], at[4], at[5], size[4], size[5]);
}

void pthreadpool_parallelize_6d_tile_2d(pthreadpool_t pool, pthreadpool_task_6d_tile_2d_t function, void *context, size_t range_i,
                                        size_t range_j, size_t range_k, size_t range_l, size_t range_m, size_t range_n,
                                        size_t tile_m, size_t tile_n, uint32_t flags) {
    run(pool, flags,
        &(struct wf_grid){item_6d_tile_2d,
                          (function_fn)function,
                          context,
                          0,
                          6,
                          {range_i, range_j, range_k, range_l, range_m, range_n},
                          {1, 1, 1, 1, tile_m, tile_n}});
}

/* What there was before these, without flags. */

void pthreadpool_compute_1d(pthreadpool_t pool, pthreadpool_function_1d_t function, void *context, size_t range) {
    run(pool, 0, &(struct wf_grid){item_1d, (function_fn)function, context, 0, 1, {range}, {0}});
}

void pthreadpool_compute_1d_tiled(pthreadpool_t pool, pthreadpool_function_1d_tiled_t function, void *context, size_t range,
                                  size_t tile) {
    run(pool, 0, &(struct wf_grid){item_1d_tile_1d, (function_fn)function, context, 0, 1, {range}, {tile}});
}

void pthreadpool_compute_2d(pthreadpool_t pool, pthreadpool_function_2d_t function, void *context, size_t range_i,
                            size_t range_j) {
    run(pool, 0, &(struct wf_grid){item_2d, (function_fn)function, context, 0, 2, {range_i, range_j}, {0}});
}

void pthreadpool_compute_2d_tiled(pthreadpool_t pool, pthreadpool_function_2d_tiled_t function, void *context, size_t range_i,
                                  size_t range_j, size_t tile_i, size_t tile_j) {
    run(pool, 0, &(struct wf_grid){item_2d_tile_2d, (function_fn)function, context, 0, 2, {range_i, range_j}, {tile_i, tile_j}});
}

static void item_3d_tiled(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_function_3d_tiled_t)grid->function)(grid->context, at[0], at[1], at[2], size[0], size[1], size[2]);
}

void pthreadpool_compute_3d_tiled(pthreadpool_t pool, pthreadpool_function_3d_tiled_t function, void *context, size_t range_i,
                                  size_t range_j, size_t range_k, size_t tile_i, size_t tile_j, size_t tile_k) {
    run(pool, 0,
        &(struct wf_grid){
            item_3d_tiled, (function_fn)function, context, 0, 3, {range_i, range_j, range_k}, {tile_i, tile_j, tile_k}});
}

static void item_4d_tiled(const struct wf_grid *grid, const size_t *at, const size_t *size) {
    ((pthreadpool_function_4d_tiled_t)grid->function)(grid->context, at[0], at[1], at[2], at[3], size[0], size[1], size[2],
                                                      size[3]);
}

void pthreadpool_compute_4d_tiled(pthreadpool_t pool, pthreadpool_function_4d_tiled_t function, void *context, size_t range_i,
                                  size_t range_j, size_t range_k, size_t range_l, size_t tile_i, size_t tile_j, size_t tile_k,
                                  size_t tile_l) {
    run(pool, 0,
        &(struct wf_grid){item_4d_tiled,
                          (function_fn)function,
                          context,
                          0,
                          4,
                          {range_i, range_j, range_k, range_l},
                          {tile_i, tile_j, tile_k, tile_l}});
}
