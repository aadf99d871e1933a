/* parallel/sort_keys: every type of key, size of item and pattern against a stable serial sort; order of NaNs and zeros; payloads. */
#include <criterion/criterion.h>
#include <math.h>
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

enum pattern { RANDOM, EQUAL, SORTED, REVERSED, ORGAN_PIPE, FEW, LOW_BITS, OUTLIER, CLUSTERS, BYTES, PATTERNS };

/* Bits of a key; for floating-point types any bits are a number, or none. */
static uint64_t bits_of(enum pattern pattern, size_t i, size_t n, uint64_t *random) {
    uint64_t bits = wf_rng_next(random);
    switch (pattern) {
    case EQUAL:
        return UINT64_C(0x4010000000000001);
    case SORTED:
        return i;
    case REVERSED:
        return n - i;
    case ORGAN_PIPE:
        return i < n / 2 ? i : n - i;
    case FEW:
        return bits % 3 << 40 | bits % 2;
    case LOW_BITS:
        return UINT64_C(0x3ff0000000000000) | bits % 1000;
    case OUTLIER: /* all but one are the same in their high bits */
        return i == n / 2 ? ~UINT64_C(0) : bits % 5000;
    case CLUSTERS: /* many that differ in their lowest bits only, and few high ones */
        return bits >> 62 << 60 | bits % 4;
    case BYTES: /* few values in each byte */
        return bits & UINT64_C(0x8101018101018101);
    default:
        return bits;
    }
}

static size_t bytes_of(weft_number type) {
    return type == WEFT_I32 || type == WEFT_U32 || type == WEFT_F32 ? 4 : 8;
}

/* The reference: what order means, in terms of the type itself. */
static int compare_numbers(const void *a, const void *b, weft_number type) {
#define COMPARE(number)                                                                                                          \
    do {                                                                                                                         \
        number x, y;                                                                                                             \
        memcpy(&x, a, sizeof x);                                                                                                 \
        memcpy(&y, b, sizeof y);                                                                                                 \
        return (x > y) - (x < y);                                                                                                \
    } while (0)
#define COMPARE_FLOATS(number)                                                                                                   \
    do {                                                                                                                         \
        number x, y;                                                                                                             \
        memcpy(&x, a, sizeof x);                                                                                                 \
        memcpy(&y, b, sizeof y);                                                                                                 \
        if (isnan(x) || isnan(y))                                                                                                \
            return !!isnan(x) - !!isnan(y);                                                                                      \
        return x == y ? !signbit(x) - !signbit(y) : x < y ? -1 : 1;                                                              \
    } while (0)
    switch (type) {
    case WEFT_I32:
        COMPARE(int32_t);
    case WEFT_U32:
        COMPARE(uint32_t);
    case WEFT_I64:
        COMPARE(int64_t);
    case WEFT_U64:
        COMPARE(uint64_t);
    case WEFT_F32:
        COMPARE_FLOATS(float);
    default:
        COMPARE_FLOATS(double);
    }
}

struct shape {
    weft_number type;
    size_t bytes, offset;
};

static int compare_items(const void *a, const void *b, void *arg) {
    const struct shape *shape = arg;
    return compare_numbers((const char *)a + shape->offset, (const char *)b + shape->offset, shape->type);
}

static void fill(char *items, size_t n, const struct shape *shape, enum pattern pattern) {
    uint64_t random = n + shape->bytes;
    for (size_t i = 0; i < n * shape->bytes; i++)
        items[i] = (char)wf_rng_next(&random);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = bits_of(pattern, i, n, &random);
        if (bytes_of(shape->type) == 4) {
            uint32_t half = pattern == RANDOM || pattern == BYTES || pattern == EQUAL ? (uint32_t)(bits >> 32) : (uint32_t)bits;
            memcpy(items + i * shape->bytes + shape->offset, &half, 4);
        } else {
            memcpy(items + i * shape->bytes + shape->offset, &bits, 8);
        }
    }
}

/* weft_stable_sort() has tests of its own, against qsort(). */
static void sort_one(weft_pool *pool, size_t n, struct shape shape, enum pattern pattern) {
    size_t bytes = n * shape.bytes;
    char *items = malloc(bytes + 1), *expected = malloc(bytes + 1);
    fill(items, n, &shape, pattern);
    memcpy(expected, items, bytes);
    items[bytes] = 'a';
    cr_assert_eq(weft_stable_sort(pool, expected, n, shape.bytes, compare_items, &shape, NULL), WEFT_OK);
    cr_assert_eq(weft_sort_keys(pool, items, n, shape.bytes, shape.offset, shape.type), WEFT_OK, "%s", weft_error_detail());
    cr_assert(!memcmp(items, expected, bytes), "type %d, %zu items of %zu bytes, key at %zu, pattern %d", (int)shape.type, n,
              shape.bytes, shape.offset, (int)pattern);
    cr_assert_eq(items[bytes], 'a');
    free(items);
    free(expected);
}

Test(sort_keys, sorts_every_type_and_pattern_as_a_stable_sort_does) {
    static const size_t sizes[] = {0, 1, 2, 24, 25, 1000, 9000, 70000};
    weft_pool *pools[] = {make("core:1 pu:1"), make("core:3 pu:1")};
    for (size_t p = 0; p < 2; p++)
        for (weft_number type = WEFT_I32; type <= WEFT_F64; type++)
            for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
                for (enum pattern pattern = 0; pattern < PATTERNS; pattern++)
                    sort_one(pools[p], sizes[n], (struct shape){type, bytes_of(type), 0}, pattern);
    weft_pool_destroy(pools[0]);
    weft_pool_destroy(pools[1]);
}

Test(sort_keys, sorts_items_of_any_size_with_the_key_anywhere) {
    static const size_t sizes[] = {5, 8, 9, 12, 16, 17, 24, 100};
    weft_pool *pool = make("core:2 pu:1");
    for (weft_number type = WEFT_I32; type <= WEFT_F64; type++)
        for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++)
            for (size_t offset = 0; offset + bytes_of(type) <= sizes[b]; offset += 3)
                for (enum pattern pattern = RANDOM; pattern < PATTERNS; pattern += FEW)
                    sort_one(pool, 7000, (struct shape){type, sizes[b], offset}, pattern);
    weft_pool_destroy(pool);
}

/* So many that buckets are cut once more, and one worker sorts as many as it may. */
Test(sort_keys, sorts_many) {
    weft_pool *pool = make("core:2 pu:1");
    for (enum pattern pattern = 0; pattern < PATTERNS; pattern++)
        sort_one(pool, 700000, (struct shape){pattern % 2 ? WEFT_F64 : WEFT_U64, 8, 0}, pattern);
    sort_one(pool, 700000, (struct shape){WEFT_F32, 16, 4}, CLUSTERS);
    weft_pool_destroy(pool);
}

Test(sort_keys, sorts_random_shapes) {
    weft_pool *pool = make("core:4 pu:1");
    uint64_t random = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)random);
    for (int round = 0; round < 100; round++) {
        weft_number type = (weft_number)(1 + wf_rng_below(&random, 6));
        size_t bytes = bytes_of(type) + wf_rng_below(&random, 12);
        size_t offset = wf_rng_below(&random, (uint32_t)(bytes - bytes_of(type) + 1));
        sort_one(pool, wf_rng_below(&random, 50000), (struct shape){type, bytes, offset},
                 (enum pattern)wf_rng_below(&random, PATTERNS));
    }
    weft_pool_destroy(pool);
}

Test(sort_keys, puts_NaNs_last_and_minus_zero_before_zero) {
    weft_pool *pool = make("core:2 pu:1");
    double x[] = {NAN, 0.0, -0.0, INFINITY, -NAN, 1, -1, -INFINITY, 5e-324, -5e-324};
    float y[] = {NAN, 0.0f, -0.0f, INFINITY, -NAN, 1, -1, -INFINITY, 1e-45f, -1e-45f};
    cr_assert_eq(weft_sort_keys(pool, x, 10, 8, 0, WEFT_F64), WEFT_OK);
    cr_assert_eq(weft_sort_keys(pool, y, 10, 4, 0, WEFT_F32), WEFT_OK);
    double expected[] = {-INFINITY, -1, -5e-324, -0.0, 0.0, 5e-324, 1, INFINITY};
    float expected32[] = {-INFINITY, -1, -1e-45f, -0.0f, 0.0f, 1e-45f, 1, INFINITY};
    cr_assert(!memcmp(x, expected, sizeof expected));
    cr_assert(!memcmp(y, expected32, sizeof expected32));
    cr_assert(isnan(x[8]) && !signbit(x[8]) && isnan(x[9]) && signbit(x[9]), "NaNs keep their order");
    cr_assert(isnan(y[8]) && isnan(y[9]));
    weft_pool_destroy(pool);
}

Test(sort_keys, takes_payloads_of_any_size_along) {
    static const size_t sizes[] = {1, 4, 7, 8, 9, 16, 40};
    weft_pool *pool = make("core:2 pu:1");
    for (weft_number type = WEFT_I32; type <= WEFT_F64; type++)
        for (size_t b = 0; b < sizeof sizes / sizeof *sizes; b++)
            for (size_t n = 0; n <= 9000; n = n ? n * 3 : 1) {
                size_t bytes = bytes_of(type), whole = bytes + sizes[b];
                struct shape shape = {type, whole, 0};
                char *items = malloc(n * whole + 1), *numbers = malloc(n * bytes + 1), *payload = malloc(n * sizes[b] + 1);
                fill(items, n, &shape, n % 2 ? RANDOM : FEW);
                for (size_t i = 0; i < n; i++) {
                    memcpy(numbers + i * bytes, items + i * whole, bytes);
                    memcpy(payload + i * sizes[b], items + i * whole + bytes, sizes[b]);
                }
                cr_assert_eq(weft_stable_sort(pool, items, n, whole, compare_items, &shape, NULL), WEFT_OK);
                cr_assert_eq(weft_radix_sort(pool, type, numbers, payload, sizes[b], n), WEFT_OK, "%s", weft_error_detail());
                for (size_t i = 0; i < n; i++) {
                    cr_assert(!memcmp(numbers + i * bytes, items + i * whole, bytes));
                    cr_assert(!memcmp(payload + i * sizes[b], items + i * whole + bytes, sizes[b]), "type %d, %zu bytes",
                              (int)type, sizes[b]);
                }
                free(items), free(numbers), free(payload);
            }
    int32_t x[] = {3, -1, 2};
    cr_assert_eq(weft_radix_sort(pool, WEFT_I32, x, NULL, 0, 3), WEFT_OK);
    cr_assert(x[0] == -1 && x[1] == 2 && x[2] == 3);
    weft_pool_destroy(pool);
}

struct nested {
    weft_pool *pool;
    uint64_t *items;
};

static void sort_inside(void *arg, weft_range range) {
    struct nested *nested = arg;
    for (size_t i = range.first; i < range.last; i++)
        cr_assert_eq(weft_sort_keys(nested->pool, nested->items + i * 50000, 50000, 8, 0, WEFT_U64), WEFT_OK);
}

Test(sort_keys, runs_inside_loops) {
    weft_pool *pool = make("core:3 pu:1");
    uint64_t *items = malloc(6 * 50000 * 8), random = 5;
    for (size_t i = 0; i < 6 * 50000; i++)
        items[i] = wf_rng_next(&random);
    cr_assert_eq(weft_for(pool, 6, sort_inside, &(struct nested){pool, items}, NULL), WEFT_OK);
    for (size_t i = 0; i < 6 * 50000; i++)
        cr_assert(i % 50000 == 0 || items[i - 1] <= items[i]);
    free(items);
    weft_pool_destroy(pool);
}

#if !defined(__SANITIZE_ADDRESS__) /* it needs more address space than it says */
Test(sort_keys, leaves_items_alone_without_memory) {
    weft_pool *pool = make("core:2 pu:1");
    size_t n = 1 << 20;
    struct shape shape = {WEFT_U32, 16, 4};
    char *items = malloc(n * 16), *before = malloc(n * 16);
    fill(items, n, &shape, RANDOM);
    memcpy(before, items, n * 16);
    struct rlimit old, tight;
    getrlimit(RLIMIT_AS, &old);
    tight = old;
    tight.rlim_cur = 1 << 20; /* nothing more */
    setrlimit(RLIMIT_AS, &tight);
    weft_status direct = weft_sort_keys(pool, items, n, 16, 4, WEFT_U32),
                pairs = weft_sort_keys(pool, items, n / 2, 32, 4, WEFT_U32);
    bool told = *weft_error_detail();
    weft_status payload = weft_radix_sort(pool, WEFT_U64, items, items + n * 8, 8, n);
    setrlimit(RLIMIT_AS, &old);
    cr_assert_eq(direct, WEFT_ENOMEM);
    cr_assert_eq(pairs, WEFT_ENOMEM);
    cr_assert_eq(payload, WEFT_ENOMEM);
    cr_assert(told && !memcmp(items, before, n * 16));
    free(items);
    free(before);
    weft_pool_destroy(pool);
}
#endif

Test(sort_keys, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:2 pu:1");
    uint64_t x[2] = {2, 1}, y[2] = {3, 4};
    cr_assert_eq(weft_sort_keys(NULL, x, 2, 8, 0, WEFT_U64), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, NULL, 2, 8, 0, WEFT_U64), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, 2, 0, 0, WEFT_U64), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, 2, 8, 1, WEFT_U64), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "offset 1"), "%s", weft_error_detail());
    cr_assert_eq(weft_sort_keys(pool, x, 2, 8, SIZE_MAX, WEFT_U64), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, 4, 4, 0, WEFT_F64), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, 2, 8, 0, (weft_number)0), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, 2, 8, 0, (weft_number)7), WEFT_EINVAL);
    cr_assert_eq(weft_sort_keys(pool, x, SIZE_MAX, 8, 0, WEFT_U64), WEFT_EINVAL);
    cr_assert_eq(weft_radix_sort(pool, WEFT_U64, x, NULL, 8, 2), WEFT_EINVAL);
    cr_assert_eq(weft_radix_sort(pool, WEFT_U64, x, y, 0, 2), WEFT_EINVAL);
    cr_assert_eq(weft_radix_sort(pool, WEFT_U64, NULL, y, 8, 2), WEFT_EINVAL);
    cr_assert_eq(weft_radix_sort(pool, (weft_number)9, x, NULL, 0, 2), WEFT_EINVAL);
    cr_assert_eq(weft_radix_sort(pool, WEFT_U64, NULL, NULL, 0, 0), WEFT_OK);
    cr_assert(x[0] == 2 && y[0] == 3);
    weft_pool_destroy(pool);
}
