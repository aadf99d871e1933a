/*
 * The arithmetic of loops with extreme sizes. weft_partition() is compared with its contract; loops run on a pool of three
 * workers, also inside each other, with bodies that only write down what they got, which must cover the index space exactly
 * once. Input: which loop, then numbers of 8 bytes.
 */
#include "fuzz.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "weft.h"

#define CALLS_MOST 8192

static weft_pool *pool;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static weft_range3 *calls;
static size_t call_count;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc;
    (void)argv;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = "node:3 core:1 pu:1"};
    calls = calloc(CALLS_MOST, sizeof *calls);
    if (!calls || weft_pool_create(&pool, &options))
        abort();
    return 0;
}

static void note(size_t dimensions, const size_t *first, const size_t *last) {
    pthread_mutex_lock(&lock);
    FUZZ_CHECK(call_count < CALLS_MOST, "more calls than the sizes allow");
    memcpy(calls[call_count].first, first, dimensions * sizeof *first);
    memcpy(calls[call_count++].last, last, dimensions * sizeof *last);
    for (size_t d = 0; d < dimensions; d++)
        FUZZ_CHECK(first[d] < last[d], "an empty range from %zu to %zu", first[d], last[d]);
    pthread_mutex_unlock(&lock);
}

static void body1(void *arg, weft_range range) {
    (void)arg;
    note(1, &range.first, &range.last);
}

static void body2(void *arg, weft_range2 tile) {
    (void)arg;
    note(2, tile.first, tile.last);
}

static void body3(void *arg, weft_range3 tile) {
    (void)arg;
    note(3, tile.first, tile.last);
}

static int by_first(const void *a, const void *b) {
    const weft_range3 *x = a, *y = b;
    for (int d = 0; d < 3; d++)
        if (x->first[d] != y->first[d])
            return x->first[d] < y->first[d] ? -1 : 1;
    return 0;
}

/* The parts of [0, n): in order, without holes, at multiples of align, and none larger than another by more than one unit. */
static void check_partition(size_t n, unsigned parts, size_t align, unsigned from) {
    size_t unit = align ? align : 1, units = n / unit + (n % unit != 0), least = SIZE_MAX, most = 0;
    FUZZ_CHECK(weft_partition(n, parts, align, 0) == 0 || !parts, "part 0 begins at %zu", weft_partition(n, parts, align, 0));
    FUZZ_CHECK(weft_partition(n, parts, align, parts) == n && weft_partition(n, parts, align, UINT_MAX) == n, "the end");
    for (unsigned i = from; i < parts && i - from < 64; i++) {
        size_t first = weft_partition(n, parts, align, i), last = weft_partition(n, parts, align, i + 1);
        FUZZ_CHECK(first <= last && last <= n, "part %u of %u is [%zu, %zu) of %zu", i, parts, first, last, n);
        FUZZ_CHECK(first == n || first % unit == 0, "part %u begins at %zu, no multiple of %zu", i, first, unit);
        size_t here = (last - first) / unit + ((last - first) % unit != 0);
        least = here < least ? here : least;
        most = here > most ? here : most;
    }
    FUZZ_CHECK(least == SIZE_MAX || (most - least <= 1 && most >= units / parts), "parts of %zu to %zu units", least, most);
}

struct loop {
    size_t n;
    weft_for_options options;
    weft_status status;
};

static void nested(void *arg, weft_range range) {
    struct loop *loop = arg;
    (void)range;
    loop->status = weft_for(pool, loop->n, body1, NULL, &loop->options);
}

static void check_cover(size_t n, const weft_for_options *options) {
    size_t at = 0;
    qsort(calls, call_count, sizeof *calls, by_first);
    for (size_t i = 0; i < call_count; i++) {
        FUZZ_CHECK(calls[i].first[0] == at, "a range begins at %zu, expected %zu", calls[i].first[0], at);
        at = calls[i].last[0];
        size_t length = at - calls[i].first[0];
        FUZZ_CHECK(!options->grain || length <= options->grain, "a call of %zu, grain %zu", length, options->grain);
    }
    FUZZ_CHECK(at == n, "ranges end at %zu of %zu", at, n);
}

static void try_for(struct fuzz_input *input, bool inside) {
    weft_loop_report report;
    memset(&report, 0xff, sizeof report);
    struct loop loop = {.n = (size_t)fuzz_number(input, 8), .options = {WEFT_FOR_OPTIONS_INIT, .report = &report}};
    weft_for_options *options = &loop.options;
    options->schedule = (weft_schedule)(fuzz_number(input, 1) % 4);
    options->grain = (size_t)fuzz_number(input, 8);
    options->align = (size_t)fuzz_number(input, 8);
    options->item_bytes = (size_t)fuzz_number(input, 8);
    if (options->grain && loop.n / options->grain > 1024)
        options->grain = loop.n / 1024 + 1;
    if (inside && !options->grain && loop.n / (options->align ? options->align : 1) > 1024)
        options->grain = loop.n / 1024 + 1; /* an automatic grain begins with one unit, and stays there if bodies are slow */
    call_count = 0;
    fuzz_begin();
    if (inside) {
        weft_status outer = weft_for(pool, 1, nested, &loop, NULL);
        fuzz_end(outer);
        FUZZ_CHECK(outer == WEFT_OK, "%s", weft_error_detail());
    } else {
        loop.status = weft_for(pool, loop.n, body1, NULL, options);
        fuzz_end(loop.status);
    }
    if (loop.status) {
        FUZZ_CHECK(!call_count && report.workers == ~0u, "a loop that failed has run or reported");
        return;
    }
    check_cover(loop.n, options);
    FUZZ_CHECK(report.iterations == loop.n && report.chunks == call_count, "%llu iterations in %llu calls are reported",
               (unsigned long long)report.iterations, (unsigned long long)report.chunks);
    FUZZ_CHECK(report.iterations_local <= loop.n && report.workers <= weft_pool_workers(pool), "the report");
}

/* Tiles are whole, aligned to their edge, and all different: with the right number of them, the space is covered. */
static void check_tiles(unsigned dimensions, const size_t *n, const size_t *edge, size_t tiles) {
    FUZZ_CHECK(call_count == tiles, "%zu tiles of %zu", call_count, tiles);
    qsort(calls, call_count, sizeof *calls, by_first);
    for (size_t i = 0; i < call_count; i++) {
        for (unsigned d = 0; d < dimensions; d++) {
            size_t length = calls[i].last[d] - calls[i].first[d], left = n[d] - calls[i].first[d];
            FUZZ_CHECK(calls[i].first[d] % edge[d] == 0 && calls[i].last[d] <= n[d] &&
                           length == (left < edge[d] ? left : edge[d]),
                       "tile %zu is [%zu, %zu) in dimension %u", i, calls[i].first[d], calls[i].last[d], d);
        }
        FUZZ_CHECK(!i || by_first(&calls[i - 1], &calls[i]), "tile %zu is there twice", i);
    }
}

static void try_tiles(struct fuzz_input *input, unsigned dimensions) {
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT};
    size_t n[3] = {1, 1, 1};
    double tiles = 1;
    options.schedule = (weft_schedule)(fuzz_number(input, 1) % 3);
    options.grain = (size_t)fuzz_number(input, 1);
    for (unsigned d = 0; d < dimensions; d++) {
        n[d] = (size_t)fuzz_number(input, 8);
        options.tile[d] = (size_t)fuzz_number(input, 8);
    }
    bool refused = options.schedule > WEFT_SCHEDULE_STATIC, small = false;
    for (unsigned d = 0; d < dimensions; d++) {
        options.tile[d] += !options.tile[d]; /* the default edges are the library's own business */
        tiles *= (double)(n[d] / options.tile[d] + (n[d] % options.tile[d] != 0));
        small |= !n[d];
    }
    if (!small && tiles > 2048 && tiles < 1e20)
        return; /* neither few enough to run nor too many to count */
    call_count = 0;
    memset(calls, 0, CALLS_MOST * sizeof *calls);
    fuzz_begin();
    weft_status status = dimensions == 2 ? weft_for_2d(pool, n[0], n[1], body2, NULL, &options)
                                         : weft_for_3d(pool, n[0], n[1], n[2], body3, NULL, &options);
    fuzz_end(status);
    refused |= !small && tiles >= 1e20;
    FUZZ_CHECK((status != WEFT_OK) == refused, "%s for %g tiles", weft_status_name(status), tiles);
    if (status)
        FUZZ_CHECK(!call_count, "a loop that failed has run");
    else
        check_tiles(dimensions, n, options.tile, small ? 0 : (size_t)tiles);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct fuzz_input input = {data, size};
    unsigned which = (unsigned)fuzz_number(&input, 1) % 5;
    if (which == 0) {
        size_t n = (size_t)fuzz_number(&input, 8), align = (size_t)fuzz_number(&input, 8);
        unsigned parts = (unsigned)fuzz_number(&input, 4), from = (unsigned)fuzz_number(&input, 4);
        check_partition(n, parts, align, from);
        check_partition(n, parts % 64, align, 0);
    } else if (which < 3) {
        try_for(&input, which == 2);
    } else {
        try_tiles(&input, which - 1);
    }
    return 0;
}
