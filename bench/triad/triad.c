/*
 * Measures weft's loops and a peer's on the same arrays. The peer starts before each of its rows and stops after it, so that its idle
 * threads are beside no other; weft's sleep.
 */
#include "triad/triad.h"

#include <stdint.h>
#include <stdio.h>

#include <weft.h>

#include "harness/bench.h"
#include "harness/peers/start.h"

static weft_pool *pool;
static weft_array *arrays[3];

static bool ok(weft_status status) {
    if (status)
        fprintf(stderr, "weft: %s\n", weft_error_detail());
    return !status;
}

static void body(void *triad, weft_range items) {
    triad_pass(triad, items.first, items.last);
}

static bool run_default(struct triad *triad) {
    return ok(weft_for_array(arrays[0], body, triad, NULL));
}

static bool run_static(struct triad *triad) {
    static const weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    return ok(weft_for_array(arrays[0], body, triad, &options));
}

static bool run_serial(struct triad *triad) {
    triad_pass(triad, 0, triad->n);
    return true;
}

/* One way on one size. */
struct measurement {
    const char *row, *way;
    bool (*run)(struct triad *triad);
    struct triad triad;
};

static bool run(void *what) {
    struct measurement *measurement = what;
    measurement->triad.s++;
    return measurement->run(&measurement->triad);
}

/* After all runs: each item as the last one left it, which the one before left otherwise. */
static bool check_all(void *what) {
    const struct triad *triad = &((struct measurement *)what)->triad;
    for (size_t i = 0; i < triad->n; i++)
        if (triad->a[i] != 2 + triad->s * 0.5)
            return false;
    return true;
}

static void measure(void *what) {
    const struct measurement *measurement = what;
    bench_measure(&(struct bench_row){
        .row = measurement->row, .way = measurement->way, .units = 1e3, .run = run, .check_all = check_all, .what = what});
}

static void measure_way(const char *row, const struct triad *triad, const char *way, bool (*fn)(struct triad *)) {
    measure(&(struct measurement){row, way, fn, *triad});
}

static bool measure_from_task(const char *row, const struct triad *triad, const char *way, bool (*fn)(struct triad *)) {
    return ok(weft_run(pool, measure, &(struct measurement){row, way, fn, *triad}));
}

/* It starts as in any program: on a caller that is bound to nothing. */
static bool measure_peer(const char *row, const struct triad *triad) {
    bench_runtime(NULL, peer_version());
    for (const struct triad_way *way = triad_ways; way->way; way++) {
        threads_unbind_here();
        if (!start_peer(bench_workers, THREADS_CALLER_WORKS))
            return false;
        measure_way(row, triad, way->way, way->run);
        if (!peer_stop())
            return false;
    }
    return true;
}

static bool measure_all(const char *row, const struct triad *triad) {
    threads_bind_here(0);
    bench_runtime("serial", "serial");
    measure_way(row, triad, "", run_serial);
    bench_runtime("weft", "weft " BENCH_WEFT_VERSION);
    measure_way(row, triad, "default", run_default);
    measure_way(row, triad, "static", run_static);
    return measure_from_task(row, triad, "default, from a task", run_default) &&
           measure_from_task(row, triad, "static, from a task", run_static) && measure_peer(row, triad);
}

static void fill(void *what, weft_range items) {
    const struct triad *triad = what;
    for (size_t i = items.first; i < items.last; i++) {
        triad->a[i] = 0;
        ((double *)(uintptr_t)triad->b)[i] = 2;
        ((double *)(uintptr_t)triad->c)[i] = 0.5;
    }
}

/* Three arrays of so many bytes together. */
static bool measure_size(const char *row, size_t bytes) {
    size_t n = bytes / sizeof arrays * sizeof *arrays / sizeof(double);
    struct triad triad = {.n = n};
    bool right = true;
    for (unsigned i = 0; i < 3; i++)
        right = right && ok(weft_array_create(&arrays[i], pool, n, sizeof(double), NULL));
    if (right) {
        triad.a = weft_array_data(arrays[0]);
        triad.b = weft_array_data(arrays[1]);
        triad.c = weft_array_data(arrays[2]);
        right = ok(weft_for_array(arrays[0], fill, &triad, NULL)) && measure_all(row, &triad);
    }
    for (unsigned i = 0; i < 3; i++) {
        weft_array_destroy(arrays[i]);
        arrays[i] = NULL;
    }
    return right;
}

/* A cache of the first CPU's, as Linux numbers them: 2 is the second level. A usual size where it says nothing. */
static size_t cache_bytes(unsigned index, size_t usual_kib) {
    char path[64];
    size_t kib;
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%u/size", index);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%zuK", &kib) != 1)
        kib = usual_kib;
    if (file)
        fclose(file);
    return kib << 10;
}

int main(int argc, char **argv) {
    /* Fixed: the harness binds every thread that is bound to nothing, which weft's watch takes for the process's new mask. */
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .workers = bench_workers, .fixed = true};
    if (!bench_begin(argc, argv, peer_version()) || !ok(weft_pool_create(&pool, &options)))
        return 1;
    size_t near = cache_bytes(2, 512) * bench_workers, last = cache_bytes(3, 32 << 10);
    const struct {
        const char *of;
        size_t bytes;
    } sizes[] = {{"the L2 caches", near},
                 {"a quarter of the last cache", last / 4},
                 {"the last cache", last},
                 {"4 times the last cache", 4 * last}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char row[64];
        snprintf(row, sizeof row, "%zu MiB, %s", sizes[i].bytes >> 20, sizes[i].of);
        if (!measure_size(row, sizes[i].bytes))
            return 1;
    }
    if (!ok(weft_pool_destroy(pool)))
        return 1;
    return bench_end();
}
