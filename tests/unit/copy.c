/* array/copy: copying and filling of all sizes at all alignments, reports, and refusals. Where copies run: tests/numa/copy.c. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/rng.h"
#include "weft.h"

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}), WEFT_OK, "%s",
                 weft_error_detail());
    return pool;
}

#define MOST ((size_t)3 << 20)

static void copy_one(weft_pool *pool, unsigned char *to, const unsigned char *from, size_t at, size_t bytes) {
    weft_loop_report report = {0};
    weft_copy_options options = {WEFT_COPY_OPTIONS_INIT, .schedule = at ? WEFT_SCHEDULE_STEAL : WEFT_SCHEDULE_STATIC,
                                 .report = &report};
    memset(to, 0xa5, MOST + 100);
    cr_assert_eq(weft_memcpy(pool, to + at, from + 7, bytes, &options), WEFT_OK, "%s", weft_error_detail());
    cr_assert(!memcmp(to + at, from + 7, bytes), "%zu bytes at %zu", bytes, at);
    cr_assert(to[at + bytes] == 0xa5 && (!at || to[at - 1] == 0xa5));
    cr_assert_eq(report.iterations, bytes);
    cr_assert_leq(report.iterations_local + report.iterations_unknown, bytes);
    cr_assert_eq(weft_memset(pool, to + at, 0x1c3, bytes, NULL), WEFT_OK, "%s", weft_error_detail());
    for (size_t i = 0; i < bytes; i++)
        cr_assert_eq(to[at + i], 0xc3);
    cr_assert(to[at + bytes] == 0xa5 && (!at || to[at - 1] == 0xa5));
}

Test(copy, copies_and_fills_every_byte_and_no_other) {
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1"};
    static const size_t sizes[] = {0, 1, 4096, 256 << 10, (256 << 10) + 1, 1000003, MOST};
    unsigned char *to = malloc(MOST + 100), *from = malloc(MOST + 100);
    uint64_t random = 1;
    for (size_t i = 0; i < MOST + 100; i++)
        from[i] = (unsigned char)wf_rng_next(&random);
    for (size_t s = 0; s < 3; s++) {
        weft_pool *pool = make(shapes[s]);
        for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++)
            for (size_t at = 0; at < 80; at += 39)
                copy_one(pool, to, from, at, sizes[n]);
        weft_pool_destroy(pool);
    }
    free(to);
    free(from);
}

Test(copy, fills_memory_that_is_not_present) {
    weft_pool *pool = make("node:2 core:1 pu:1");
    unsigned char *fresh = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(fresh, MAP_FAILED);
    cr_assert_eq(weft_memset(pool, fresh, 9, MOST, NULL), WEFT_OK, "%s", weft_error_detail());
    for (size_t i = 0; i < MOST; i++)
        cr_assert_eq(fresh[i], 9);
    munmap(fresh, MOST);
    weft_pool_destroy(pool);
}

Test(copy, refuses_what_makes_no_sense) {
    weft_pool *pool = make("core:2 pu:1");
    char x[100] = {1}, y[100] = {2};
    weft_copy_options small = {.size = 1};
    cr_assert_eq(weft_memcpy(NULL, x, y, 100, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memcpy(pool, NULL, y, 100, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memcpy(pool, x, NULL, 100, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memcpy(pool, x, x + 50, 51, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "overlap"));
    cr_assert_eq(weft_memcpy(pool, x + 50, x, 51 - 1, NULL), WEFT_OK);
    cr_assert_eq(weft_memcpy(pool, x, y, SIZE_MAX, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memcpy(pool, x, y, 100, &small), WEFT_EINVAL);
    weft_copy_options first_touch = {WEFT_COPY_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH};
    cr_assert_eq(weft_memcpy(pool, x, y, 100, &first_touch), WEFT_EINVAL);
    cr_assert_eq(weft_memset(NULL, x, 0, 100, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memset(pool, NULL, 0, 100, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_memset(pool, x, 0, 100, &small), WEFT_EINVAL);
    cr_assert_eq(weft_memset(pool, NULL, 0, 0, NULL), WEFT_OK);
    cr_assert_eq(x[0], 1);
    weft_pool_destroy(pool);
}
