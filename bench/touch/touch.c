/*
 * Measures weft's arrays and every way of a peer: from no memory to memory whose pages are present. Giving it back is not timed. All
 * take turns in one process: the kernel gives them the pages that the last one gave back, and on a virtual machine it matters which pages
 * the host has.
 */
#include "touch/touch.h"

#include <stdio.h>

#include <weft.h>

#include "harness/bench.h"
#include "harness/peers/start.h"

#define TURNS 3

static weft_pool *pool;

static bool ok(weft_status status) {
    if (status)
        fprintf(stderr, "weft: %s\n", weft_error_detail());
    return !status;
}

static bool create(struct touch *touch) {
    weft_array *array;
    weft_pages pages = touch->pages == MEMORY_HUGE_PAGES ? WEFT_PAGES_THP : WEFT_PAGES_BASE;
    if (!ok(weft_array_create(&array, pool, touch->bytes / sizeof(double), sizeof(double),
                              &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .pages = pages})))
        return false;
    touch->array = array;
    touch->start = weft_array_data(array);
    return true;
}

static void destroy(struct touch *touch) {
    weft_array_destroy(touch->array);
}

struct measurement {
    const struct touch_way *way;
    struct touch touch;
};

static bool run(void *what) {
    struct measurement *measurement = what;
    return measurement->way->run(&measurement->touch);
}

static bool check(void *what) {
    struct measurement *measurement = what;
    const struct touch *touch = &measurement->touch;
    bool right = memory_is_present(touch->start, touch->bytes, touch->pages);
    measurement->way->release(&measurement->touch);
    return right;
}

static void measure(const char *row, const struct touch_way *way, size_t mib, enum memory_pages pages) {
    struct measurement measurement = {way, {.bytes = mib << 20, .pages = pages}};
    bench_measure(
        &(struct bench_row){.row = row, .way = way->way, .units = 1e6, .run = run, .check = check, .what = &measurement});
}

/* In turns: who comes first after another size gets other pages. */
static void measure_all(const char *row, size_t mib, enum memory_pages pages) {
    for (unsigned turn = 0; turn < TURNS; turn++) {
        bench_runtime("weft", "weft " BENCH_WEFT_VERSION);
        measure(row, &(struct touch_way){"", create, destroy}, mib, pages);
        bench_runtime(NULL, peer_version());
        for (const struct touch_way *way = touch_ways; way->way; way++)
            measure(row, way, mib, pages);
    }
}

int main(int argc, char **argv) {
    static const struct {
        const char *text;
        size_t mib;
    } sizes[] = {{"64 MiB", 64}, {"256 MiB", 256}, {"1 GiB", 1024}};
    /* Fixed: the harness binds every thread that is bound to nothing, which weft's watch takes for the process's new mask. */
    if (!bench_begin(argc, argv, peer_version()) ||
        !ok(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = bench_workers, .fixed = true})) ||
        !start_peer(bench_workers, THREADS_CALLER_WAITS))
        return 1;
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        enum memory_pages pages = i % 2 ? MEMORY_BASE_PAGES : MEMORY_HUGE_PAGES;
        char row[64];
        snprintf(row, sizeof row, "%s of %s", sizes[i / 2].text, i % 2 ? "4 KiB pages" : "huge pages");
        measure_all(row, bench_milliseconds > 0 ? sizes[i / 2].mib : 4, pages); /* few where nothing is measured */
    }
    if (!peer_stop() || !ok(weft_pool_destroy(pool)))
        return 1;
    return bench_end();
}
