/*
 * Scans, sorts and partitions of several threads at once, from outside and from tasks, on one pool: each result is that of a serial program.
 */
#include <pthread.h>
#include <string.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define CALLERS 4
#define MOST 60000

static weft_pool *pool;

static int compare(const void *a, const void *b, void *arg) {
    uint32_t left = *(const uint32_t *)a >> 16, right = *(const uint32_t *)b >> 16; /* so that some are equal */
    (void)arg;
    return (left > right) - (left < right);
}

static uint64_t fill(uint32_t *items, size_t n, uint64_t *random) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += items[i] = (uint32_t)wf_rng_next(random);
    return sum;
}

static void sort_some(uint32_t *items, uint64_t *random) {
    size_t n = wf_rng_below(random, MOST);
    uint64_t sum = fill(items, n, random), way = wf_rng_below(random, 3);
    weft_sort_options options = {WEFT_SORT_OPTIONS_INIT, .in_place = way == 2};
    CHECK(!(way ? weft_sort(pool, items, n, sizeof *items, compare, NULL, &options)
                : weft_stable_sort(pool, items, n, sizeof *items, compare, NULL, NULL)));
    for (size_t i = 0; i < n; i++) {
        sum -= items[i];
        CHECK(!i || items[i - 1] >> 16 <= items[i] >> 16);
    }
    CHECK(!sum);
}

static void sort_keys(uint32_t *items, uint64_t *random) {
    size_t n = wf_rng_below(random, MOST);
    uint64_t sum = fill(items, n, random);
    CHECK(!weft_sort_keys(pool, items, n, sizeof *items, 0, WEFT_U32));
    for (size_t i = 0; i < n; i++) {
        sum -= items[i];
        CHECK(!i || items[i - 1] <= items[i]);
    }
    CHECK(!sum);
}

static void scan_some(uint32_t *items, uint64_t *random) {
    size_t n = wf_rng_below(random, MOST);
    uint64_t before = *random;
    fill(items, n, random);
    weft_scan_options options = {WEFT_SCAN_OPTIONS_INIT, .block = 1 + wf_rng_below(random, 3000)};
    CHECK(!weft_scan_sum(pool, WEFT_U32, items, items, n, &options));
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += (uint32_t)wf_rng_next(&before);
        CHECK(items[i] == sum);
    }
}

static bool is_odd(void *arg, const void *item) {
    (void)arg;
    return *(const uint32_t *)item % 2;
}

static void count_odd(void *arg, weft_range range, uint64_t *bins) {
    for (size_t i = range.first; i < range.last; i++)
        bins[((const uint32_t *)arg)[i] % 2]++;
}

static void partition_some(uint32_t *items, uint64_t *random) {
    size_t n = wf_rng_below(random, MOST), matched;
    uint64_t bins[2] = {0, 0};
    fill(items, n, random);
    CHECK(!weft_histogram(pool, n, count_odd, items, bins, 2));
    CHECK(!weft_partition_if(pool, items, n, sizeof *items, is_odd, NULL, &matched));
    CHECK(bins[1] == matched && bins[0] == n - matched);
    for (size_t i = 0; i < n; i++)
        CHECK(items[i] % 2 == (i < matched));
}

struct caller {
    uint64_t random;
    bool in_task;
};

static void call(void *arg) {
    struct caller *caller = arg;
    uint32_t *items = malloc(MOST * sizeof *items);
    static void (*const algorithms[])(uint32_t *, uint64_t *) = {sort_some, sort_keys, scan_some, partition_some};
    algorithms[wf_rng_below(&caller->random, 4)](items, &caller->random);
    free(items);
}

static void *outside(void *arg) {
    struct caller *caller = arg;
    uint64_t rounds = stress_scale(400);
    for (uint64_t round = 0; round < rounds; round++)
        if (caller->in_task)
            CHECK(!weft_run(pool, call, caller));
        else
            call(caller);
    return NULL;
}

int main(void) {
    uint64_t seed = stress_seed();
    pthread_t threads[CALLERS];
    struct caller callers[CALLERS];
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){seed + i, i % 2};
        CHECK(!pthread_create(&threads[i], NULL, outside, &callers[i]));
    }
    for (unsigned i = 0; i < CALLERS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(!weft_pool_destroy(pool));
    return 0;
}
