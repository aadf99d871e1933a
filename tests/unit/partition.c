/* parallel/partition and parallel/histogram, against serial references. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "weft.h"

static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1"};
#define SHAPES (sizeof shapes / sizeof *shapes)

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

struct question {
    unsigned char below; /* true for items whose first byte is less */
    atomic_size_t asked;
};

static bool is_below(void *arg, const void *item) {
    struct question *question = arg;
    question->asked++;
    return *(const unsigned char *)item < question->below;
}

static void partition_one(weft_pool *pool, size_t n, size_t bytes, unsigned char below) {
    unsigned char *items = malloc(n * bytes + 1), *expected = malloc(n * bytes + 1);
    uint64_t random = n + below;
    for (size_t i = 0; i < n * bytes; i++)
        items[i] = (unsigned char)(wf_rng_next(&random) % 100);
    items[n * bytes] = 0xa5;
    size_t at = 0, matched = 77, expected_matched;
    for (size_t i = 0; i < n; i++)
        if (items[i * bytes] < below)
            memcpy(expected + at++ * bytes, items + i * bytes, bytes);
    expected_matched = at;
    for (size_t i = 0; i < n; i++)
        if (items[i * bytes] >= below)
            memcpy(expected + at++ * bytes, items + i * bytes, bytes);
    struct question question = {.below = below};
    cr_assert_eq(weft_partition_if(pool, items, n, bytes, is_below, &question, &matched), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(matched, expected_matched);
    cr_assert(!memcmp(items, expected, n * bytes), "%zu items of %zu bytes, below %d", n, bytes, below);
    cr_assert_eq(items[n * bytes], 0xa5);
    cr_assert_eq(question.asked, n, "each item is asked for once");
    free(items);
    free(expected);
}

Test(partition, is_stable_for_all_sizes_and_shares) {
    static const size_t sizes[] = {0, 1, 2, 8191, 8193, 100000}, bytes[] = {1, 4, 7, 24, 200};
    static const unsigned char shares[] = {0, 1, 50, 100};
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (size_t b = 0; b < sizeof bytes / sizeof *bytes; b++)
                for (size_t share = 0; share < sizeof shares; share++)
                    partition_one(pool, sizes[n], bytes[b], shares[share]);
        weft_pool_destroy(pool);
    }
}

#if !defined(__SANITIZE_ADDRESS__) /* it needs more address space than it says */
Test(partition, leaves_items_alone_without_memory) {
    weft_pool *pool = make("core:2 pu:1");
    size_t n = 8 << 20, matched = 77;
    unsigned char *items = malloc(n);
    for (size_t i = 0; i < n; i++)
        items[i] = (unsigned char)(i % 251);
    struct rlimit old, tight;
    getrlimit(RLIMIT_AS, &old);
    tight = old;
    tight.rlim_cur = 1 << 20;
    setrlimit(RLIMIT_AS, &tight);
    struct question question = {.below = 100};
    weft_status status = weft_partition_if(pool, items, n, 1, is_below, &question, &matched);
    setrlimit(RLIMIT_AS, &old);
    cr_assert_eq(status, WEFT_ENOMEM);
    cr_assert(*weft_error_detail());
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(items[i], i % 251);
    cr_assert(matched == 77 && question.asked == 0);
    free(items);
    weft_pool_destroy(pool);
}
#endif

static void count_items(void *arg, weft_range range, uint64_t *bins) {
    const uint32_t *items = arg;
    for (size_t i = range.first; i < range.last; i++)
        bins[items[i]] += 1 + items[i] % 3;
}

Test(histogram, counts_for_all_sizes_and_numbers_of_bins) {
    static const size_t sizes[] = {0, 1, 1000, 200000}, counts[] = {1, 7, 1000, 70000};
    uint32_t *items = malloc(200000 * sizeof *items);
    uint64_t *bins = malloc(70001 * sizeof *bins), *expected = malloc(70001 * sizeof *expected);
    for (size_t s = 0; s < SHAPES; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
                uint64_t random = n + c;
                for (size_t i = 0; i <= counts[c]; i++)
                    bins[i] = expected[i] = i;
                for (size_t i = 0; i < sizes[n]; i++) {
                    items[i] = wf_rng_below(&random, (uint32_t)counts[c]);
                    expected[items[i]] += 1 + items[i] % 3;
                }
                cr_assert_eq(weft_histogram(pool, sizes[n], count_items, items, bins, counts[c]), WEFT_OK, "%s",
                             weft_error_detail());
                cr_assert_arr_eq(bins, expected, (counts[c] + 1) * sizeof *bins);
            }
        weft_pool_destroy(pool);
    }
    free(items), free(bins), free(expected);
}

struct nested {
    weft_pool *pool;
    uint32_t *items;
    uint64_t bins[10][16];
};

static void count_inside(void *arg, weft_range range) {
    struct nested *nested = arg;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_histogram(nested->pool, 50000, count_items, nested->items, nested->bins[i], 16), WEFT_OK);
}

Test(histogram, runs_inside_loops) {
    weft_pool *pool = make("core:3 pu:1");
    struct nested *nested = calloc(1, sizeof *nested);
    *nested = (struct nested){.pool = pool, .items = malloc(50000 * sizeof(uint32_t))};
    uint64_t expected[16] = {0};
    for (uint32_t i = 0; i < 50000; i++)
        expected[nested->items[i] = i % 16] += 1 + i % 16 % 3;
    cr_assert_eq(weft_for(pool, 10, count_inside, nested, NULL), WEFT_OK);
    for (size_t i = 0; i < 10; i++)
        cr_assert_arr_eq(nested->bins[i], expected, sizeof expected);
    free(nested->items);
    free(nested);
    weft_pool_destroy(pool);
}

Test(partition, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:2 pu:1");
    struct question question = {.below = 1};
    uint64_t x[2] = {0}, bin = 5;
    size_t matched;
    cr_assert_eq(weft_partition_if(NULL, x, 2, 8, is_below, &question, &matched), WEFT_EINVAL);
    cr_assert_eq(weft_partition_if(pool, NULL, 2, 8, is_below, &question, &matched), WEFT_EINVAL);
    cr_assert_eq(weft_partition_if(pool, x, 2, 0, is_below, &question, &matched), WEFT_EINVAL);
    cr_assert_eq(weft_partition_if(pool, x, 2, 8, NULL, &question, &matched), WEFT_EINVAL);
    cr_assert_eq(weft_partition_if(pool, x, 2, 8, is_below, &question, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_partition_if(pool, x, SIZE_MAX, 8, is_below, &question, &matched), WEFT_EINVAL);
    cr_assert_eq(weft_histogram(NULL, 2, count_items, x, &bin, 1), WEFT_EINVAL);
    cr_assert_eq(weft_histogram(pool, 2, NULL, x, &bin, 1), WEFT_EINVAL);
    cr_assert_eq(weft_histogram(pool, 2, count_items, x, NULL, 1), WEFT_EINVAL);
    cr_assert_eq(weft_histogram(pool, 2, count_items, x, &bin, 0), WEFT_EINVAL);
    cr_assert_eq(weft_histogram(pool, 2, count_items, x, &bin, SIZE_MAX), WEFT_ENOMEM);
    cr_assert_eq(weft_histogram(pool, 2, count_items, x, &bin, SIZE_MAX / 16), WEFT_ENOMEM);
    cr_assert_eq(bin, 5);
    weft_pool_destroy(pool);
}
