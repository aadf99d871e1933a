/* parallel/sort: every sort by a function against a serial one, over patterns that break sorts, item sizes, and functions that lie. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/rng.h"
#include "weft.h"

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

enum pattern { RANDOM, EQUAL, SORTED, REVERSED, ORGAN_PIPE, FEW, SAW, ALMOST, BACK, PATTERNS };

static uint32_t key_of(enum pattern pattern, size_t i, size_t n, uint64_t *random) {
    uint32_t at = (uint32_t)i, count = (uint32_t)n;
    switch (pattern) {
    case EQUAL:
        return 7;
    case SORTED:
        return at;
    case REVERSED:
        return count - at;
    case ORGAN_PIPE:
        return at < count / 2 ? at : count - at;
    case FEW:
        return (uint32_t)wf_rng_below(random, 3);
    case SAW:
        return at % 1000;
    case ALMOST:
        return wf_rng_below(random, 100) ? at : (uint32_t)wf_rng_below(random, count);
    case BACK: /* sorted, but for what was added at the end */
        return at < count / 10 * 9 ? at : (uint32_t)wf_rng_below(random, count);
    default:
        return (uint32_t)wf_rng_next(random);
    }
}

/* An item begins with its key; what is behind tells items apart: its number as far as it fits, and bytes that belong to it. */
static void fill(unsigned char *items, size_t n, size_t bytes, enum pattern pattern) {
    uint64_t random = n + bytes + 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t head[2] = {key_of(pattern, i, n, &random), (uint32_t)i};
        memset(items + i * bytes, (int)(i % 251), bytes);
        if (bytes < 4)
            items[i * bytes] = (unsigned char)head[0];
        else
            memcpy(items + i * bytes, head, bytes < 8 ? 4 : 8);
    }
}

static uint32_t key(const void *item, size_t bytes) {
    uint32_t key = *(const unsigned char *)item;
    if (bytes >= 4)
        memcpy(&key, item, 4);
    return key;
}

static int compare(const void *a, const void *b, void *arg) {
    uint32_t left = key(a, *(size_t *)arg), right = key(b, *(size_t *)arg);
    return (left > right) - (left < right);
}

static size_t whole_bytes;
static int compare_whole(const void *a, const void *b) {
    return memcmp(a, b, whole_bytes);
}

/* Both hold the same items. Sorts both. */
static bool same_items(unsigned char *a, unsigned char *b, size_t n, size_t bytes) {
    whole_bytes = bytes;
    qsort(a, n, bytes, compare_whole);
    qsort(b, n, bytes, compare_whole);
    return !memcmp(a, b, n * bytes);
}

static void check_order(const unsigned char *items, size_t n, size_t bytes, bool stable, enum pattern pattern) {
    for (size_t i = 1; i < n; i++) {
        const unsigned char *a = items + (i - 1) * bytes, *b = items + i * bytes;
        cr_assert_leq(key(a, bytes), key(b, bytes), "pattern %d, %zu items of %zu bytes, at %zu", (int)pattern, n, bytes, i);
        if (stable && bytes >= 8 && key(a, bytes) == key(b, bytes))
            cr_assert_lt(key(a + 4, bytes), key(b + 4, bytes), "pattern %d, %zu items, at %zu: not stable", (int)pattern, n, i);
    }
}

enum how { STABLE, UNSTABLE, IN_PLACE };

static void sort_one(weft_pool *pool, size_t n, size_t bytes, enum pattern pattern, enum how how) {
    unsigned char *items = malloc(n * bytes + 1), *before = malloc(n * bytes + 1);
    fill(items, n, bytes, pattern);
    memcpy(before, items, n * bytes);
    items[n * bytes] = 0xa5;
    weft_status status = how == STABLE ? weft_stable_sort(pool, items, n, bytes, compare, &bytes, NULL)
                                       : weft_sort(pool, items, n, bytes, compare, &bytes,
                                                   &(weft_sort_options){WEFT_SORT_OPTIONS_INIT, .in_place = how == IN_PLACE});
    cr_assert_eq(status, WEFT_OK, "%s", weft_error_detail());
    check_order(items, n, bytes, how == STABLE, pattern);
    cr_assert(same_items(items, before, n, bytes), "pattern %d, %zu items of %zu bytes, sort %d", (int)pattern, n, bytes,
              (int)how);
    cr_assert_eq(items[n * bytes], 0xa5);
    free(items);
    free(before);
}

Test(sort, sorts_every_pattern_of_every_size) {
    static const size_t sizes[] = {0, 1, 2, 3, 8, 9, 17, 100, 1023, 8193, 70000};
    weft_pool *pools[] = {make("core:1 pu:1"), make("core:3 pu:1")};
    for (size_t p = 0; p < 2; p++)
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (enum pattern pattern = 0; pattern < PATTERNS; pattern++)
                for (enum how how = STABLE; how <= IN_PLACE; how++)
                    sort_one(pools[p], sizes[n], 8, pattern, how);
    weft_pool_destroy(pools[0]);
    weft_pool_destroy(pools[1]);
}

Test(sort, sorts_items_of_any_size) {
    static const size_t sizes[] = {1, 2, 3, 4, 5, 12, 16, 24, 63, 64, 65, 200, 1000};
    weft_pool *pool = make("core:2 pu:1");
    for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++)
        for (enum how how = STABLE; how <= IN_PLACE; how++) {
            sort_one(pool, 9000, sizes[b], RANDOM, how);
            sort_one(pool, 3000, sizes[b], REVERSED, how);
            sort_one(pool, 3000, sizes[b], FEW, how);
        }
    weft_pool_destroy(pool);
}

Test(sort, sorts_random_sizes_at_random_boundaries) {
    weft_pool *pool = make("core:4 pu:1");
    uint64_t random = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)random);
    for (int round = 0; round < 60; round++) {
        size_t n = wf_rng_below(&random, 60000), bytes = 4 * (1 + wf_rng_below(&random, 5));
        enum pattern pattern = (enum pattern)wf_rng_below(&random, PATTERNS);
        sort_one(pool, n, bytes, pattern, (enum how)wf_rng_below(&random, 3));
    }
    weft_pool_destroy(pool);
}

static int lie_at_random(const void *a, const void *b, void *arg) {
    uint64_t mixed = ((uintptr_t)a * 31 ^ (uintptr_t)b) * UINT64_C(0x9e3779b97f4a7c15);
    (void)arg;
    return (int)(mixed >> 62) - 1;
}
static int always_less(const void *a, const void *b, void *arg) {
    return (void)a, (void)b, (void)arg, -1;
}
static int always_more(const void *a, const void *b, void *arg) {
    return (void)a, (void)b, (void)arg, 1;
}
static int in_circles(const void *a, const void *b, void *arg) { /* stone, paper, scissors */
    uint32_t left = key(a, 8) % 3, right = key(b, 8) % 3;
    (void)arg;
    return left == right ? 0 : (left + 1) % 3 == right ? -1 : 1;
}

Test(sort, keeps_all_items_where_the_function_contradicts_itself) {
    static const weft_compare_fn lies[] = {lie_at_random, always_less, always_more, in_circles};
    weft_pool *pool = make("core:3 pu:1");
    size_t n = 50000;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        for (enum how how = STABLE; how <= IN_PLACE; how++) {
            unsigned char *items = malloc(n * 8), *before = malloc(n * 8); /* to the byte, for the address sanitizer */
            fill(items, n, 8, RANDOM);
            memcpy(before, items, n * 8);
            weft_status status = how == STABLE
                                     ? weft_stable_sort(pool, items, n, 8, lies[i], NULL, NULL)
                                     : weft_sort(pool, items, n, 8, lies[i], NULL,
                                                 &(weft_sort_options){WEFT_SORT_OPTIONS_INIT, .in_place = how == IN_PLACE});
            cr_assert_eq(status, WEFT_OK);
            cr_assert(same_items(items, before, n, 8), "function %zu, sort %d", i, (int)how);
            free(items);
            free(before);
        }
    weft_pool_destroy(pool);
}

static size_t compared;
static int count_compares(const void *a, const void *b, void *arg) {
    compared++;
    return compare(a, b, arg);
}

Test(sort, needs_few_comparisons_and_n_where_items_are_in_order) {
    weft_pool *pool = make("core:1 pu:1");
    size_t n = 1 << 16, bytes = 8;
    unsigned char *items = malloc(n * bytes);
    for (enum pattern pattern = RANDOM; pattern <= REVERSED; pattern++) {
        compared = 0;
        fill(items, n, bytes, pattern);
        cr_assert_eq(weft_stable_sort(pool, items, n, bytes, count_compares, &bytes, NULL), WEFT_OK);
        cr_assert_leq(compared, pattern == RANDOM ? n * 17 : n * 2, "pattern %d: %zu", (int)pattern, compared);
    }
    compared = 0; /* what a quicksort in place makes of all that is equal */
    fill(items, n, bytes, EQUAL);
    cr_assert_eq(
        weft_sort(pool, items, n, bytes, count_compares, &bytes, &(weft_sort_options){WEFT_SORT_OPTIONS_INIT, .in_place = true}),
        WEFT_OK);
    cr_assert_leq(compared, n * 30);
    free(items);
    weft_pool_destroy(pool);
}

struct nested {
    weft_pool *pool;
    unsigned char *items;
};

static void sort_inside(void *arg, weft_range range) {
    struct nested *nested = arg;
    size_t bytes = 8;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_stable_sort(nested->pool, nested->items + i * 20000 * 8, 20000, 8, compare, &bytes, NULL), WEFT_OK);
}

Test(sort, runs_inside_loops) {
    weft_pool *pool = make("core:3 pu:1");
    unsigned char *items = malloc(8 * 20000 * 8);
    fill(items, 8 * 20000, 8, RANDOM);
    cr_assert_eq(weft_for(pool, 8, sort_inside, &(struct nested){pool, items}, NULL), WEFT_OK);
    for (size_t i = 0; i < 8; i++)
        check_order(items + i * 20000 * 8, 20000, 8, true, RANDOM);
    free(items);
    weft_pool_destroy(pool);
}

/* Of address space; the sanitizers need more of it than they say. */
#if !defined(__SANITIZE_ADDRESS__)
Test(sort, leaves_items_alone_or_sorts_in_place_without_memory) {
    weft_pool *pool = make("core:2 pu:1");
    size_t n = 3 << 20, bytes = 16;
    unsigned char *items = malloc(n * bytes), *before = malloc(n * bytes);
    fill(items, n, bytes, RANDOM);
    memcpy(before, items, n * bytes);
    struct rlimit old, tight;
    getrlimit(RLIMIT_AS, &old);
    tight = old;
    tight.rlim_cur = 1 << 20; /* nothing more */
    setrlimit(RLIMIT_AS, &tight);
    weft_status stable = weft_stable_sort(pool, items, n, bytes, compare, &bytes, NULL);
    bool same = !memcmp(items, before, n * bytes), told = *weft_error_detail();
    weft_status any = weft_sort(pool, items, n, bytes, compare, &bytes, NULL);
    setrlimit(RLIMIT_AS, &old);
    cr_assert_eq(stable, WEFT_ENOMEM);
    cr_assert(same && told);
    cr_assert_eq(any, WEFT_OK);
    check_order(items, n, bytes, false, RANDOM);
    free(items);
    free(before);
    weft_pool_destroy(pool);
}
#endif

Test(sort, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:2 pu:1");
    uint64_t x[2] = {2, 1};
    size_t bytes = 8;
    weft_sort_options in_place = {WEFT_SORT_OPTIONS_INIT, .in_place = true}, small = {.size = 1};
    cr_assert_eq(weft_sort(NULL, x, 2, 8, compare, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_sort(pool, NULL, 2, 8, compare, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_sort(pool, x, 2, 0, compare, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_sort(pool, x, 2, 8, NULL, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_sort(pool, x, SIZE_MAX / 4, 8, compare, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_sort(pool, x, 2, 8, compare, &bytes, &small), WEFT_EINVAL);
    cr_assert_eq(weft_stable_sort(pool, NULL, 2, 8, compare, &bytes, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_stable_sort(pool, x, 2, 8, compare, &bytes, &in_place), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "in_place"));
    cr_assert_eq(weft_stable_sort(pool, NULL, 0, 8, compare, &bytes, NULL), WEFT_OK);
    cr_assert_eq(x[0], 2);
    weft_pool_destroy(pool);
}
