/* Weft's ways: its arrays and loops over them, and ordinary memory. */
#include <weft.h>

#include <stdio.h>

#include "placement/peer.h"

static weft_pool *pool;
static weft_array *x, *y;

static bool ok(weft_status status) {
    if (status)
        fprintf(stderr, "weft: %s\n", weft_error_detail());
    return !status;
}

static bool allocate_arrays(struct workload *workload) {
    if (!ok(weft_array_create(&x, pool, workload->rows, WORKLOAD_ROW_BYTES, NULL)) ||
        !ok(weft_array_create(&y, pool, workload->rows, WORKLOAD_ROW_BYTES, NULL)))
        return false;
    workload->x = weft_array_data(x);
    workload->y = weft_array_data(y);
    return true;
}

static void release_arrays(struct workload *workload) {
    (void)workload;
    weft_array_destroy(x);
    weft_array_destroy(y);
}

static void initialise(void *workload, weft_range rows) {
    workload_initialise(workload, rows.first, rows.last);
}

static void run(void *workload, weft_range rows) {
    workload_run(workload, rows.first, rows.last);
}

static const weft_for_options is_static = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
static const weft_for_options first_touch = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH,
                                             .item_bytes = WORKLOAD_ROW_BYTES};

static bool initialise_array(struct workload *workload) {
    return ok(weft_for_array(y, initialise, workload, NULL));
}

static bool loop_array(struct workload *workload) {
    return ok(weft_for_array(y, run, workload, NULL));
}

static bool loop_array_static(struct workload *workload) {
    return ok(weft_for_array(y, run, workload, &is_static));
}

static bool initialise_first_touch(struct workload *workload) {
    return ok(weft_for(pool, workload->rows, initialise, workload, &first_touch));
}

static bool loop(struct workload *workload) {
    return ok(weft_for(pool, workload->rows, run, workload, NULL));
}

static bool loop_static(struct workload *workload) {
    return ok(weft_for(pool, workload->rows, run, workload, &is_static));
}

static const struct peer_way ways[] = {
    {"stealing", "main thread", NULL, NULL, NULL, loop},
    {"stealing", "FIRST_TOUCH loop", NULL, NULL, initialise_first_touch, loop},
    {"static", "FIRST_TOUCH loop", NULL, NULL, initialise_first_touch, loop_static},
    {"stealing", "weft_array", allocate_arrays, release_arrays, initialise_array, loop_array},
    {"static", "weft_array", allocate_arrays, release_arrays, initialise_array, loop_array_static},
};

int main(int argc, char **argv) {
    if (!ok(weft_pool_create(&pool, NULL)))
        return 1;
    struct peer peer = {BENCH_WEFT_VERSION, weft_pool_workers(pool), ways, sizeof ways / sizeof *ways};
    int code = peer_main(argc, argv, &peer);
    return ok(weft_pool_destroy(pool)) ? code : 1;
}
