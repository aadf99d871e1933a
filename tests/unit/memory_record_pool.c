/* memory/record_pool: carving, reuse, exhaustion, conservation. Several threads: see stress/record_pool.c. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"
#include "memory/record_pool.h"

static weft_status refuse(void *arg, void *start, size_t bytes) {
    (void)start, (void)bytes;
    return wf_fail(*(weft_status *)arg, "no such node");
}

static weft_status note(void *arg, void *start, size_t bytes) {
    cr_assert_not_null(start);
    *(size_t *)arg = bytes;
    return WEFT_OK;
}

Test(record_pool, records_are_distinct_lines_and_are_reused) {
    struct wf_record_pool pool;
    cr_assert_eq(wf_record_pool_init(&pool, 65, 1 << 20, NULL, NULL), WEFT_OK);
    cr_assert_eq(pool.record_bytes, 128);
    char *records[100];
    for (int i = 0; i < 100; i++) {
        cr_assert_not_null(records[i] = wf_record_alloc(&pool));
        cr_assert_eq((uintptr_t)records[i] % WF_LINE, 0);
        memset(records[i], i, 128);
    }
    for (int i = 0; i < 100; i++)
        cr_assert(records[i][0] == i && records[i][127] == i);
    for (int i = 0; i < 100; i++)
        wf_record_free(&pool, records[i], i % 2);
    cr_assert_eq(wf_record_pool_free_count(&pool), 100);
    for (int i = 0; i < 100; i++)
        memset(wf_record_alloc(&pool), 1, 128);
    cr_assert_eq(pool.carved, 100, "free records come before fresh ones");
    cr_assert_eq(wf_record_pool_free_count(&pool), 0);
    wf_record_pool_destroy(&pool);
    wf_record_pool_destroy(&pool);
}

Test(record_pool, remote_frees_come_back_in_batches_and_none_is_lost) {
    struct wf_record_pool pool;
    void *records[500];
    cr_assert_eq(wf_record_pool_init(&pool, 64, 1 << 20, NULL, NULL), WEFT_OK);
    for (int i = 0; i < 500; i++)
        records[i] = wf_record_alloc(&pool);
    for (int i = 0; i < 500; i++)
        wf_record_free(&pool, records[i], false);
    cr_assert_not_null(wf_record_alloc(&pool));
    cr_assert_eq(pool.carved, 500);
    for (int i = 1; i < 500; i++)
        cr_assert_not_null(wf_record_alloc(&pool));
    cr_assert_eq(pool.carved, 500);
    cr_assert_eq(wf_record_pool_free_count(&pool), 0);
    wf_record_pool_destroy(&pool);
}

Test(record_pool, exhaustion_is_an_error_and_a_free_ends_it) {
    struct wf_record_pool pool;
    cr_assert_eq(wf_record_pool_init(&pool, 4000, WF_RECORD_SLAB_BYTES * 2 - 5, NULL, NULL), WEFT_OK);
    size_t count = 2 * WF_RECORD_SLAB_BYTES / 4032;
    void *last = NULL;
    for (size_t i = 0; i < count; i++)
        cr_assert_not_null(last = wf_record_alloc(&pool));
    cr_assert_null(wf_record_alloc(&pool));
    cr_assert(strstr(weft_error_detail(), "in use"));
    wf_record_free(&pool, last, false);
    cr_assert_eq(wf_record_alloc(&pool), last);
    wf_record_pool_destroy(&pool);
}

Test(record_pool, records_larger_than_a_slab_work) {
    struct wf_record_pool pool;
    size_t bytes = WF_RECORD_SLAB_BYTES * 5 / 2;
    cr_assert_eq(wf_record_pool_init(&pool, bytes, 4 * bytes, NULL, NULL), WEFT_OK);
    for (int i = 0; i < 4; i++)
        memset(wf_record_alloc(&pool), 1, bytes);
    cr_assert_null(wf_record_alloc(&pool));
    wf_record_pool_destroy(&pool);
}

Test(record_pool, the_hook_sees_the_area_and_its_failure_is_the_pools) {
    struct wf_record_pool pool = {0};
    size_t bytes = 0;
    cr_assert_eq(wf_record_pool_init(&pool, 64, 100000, note, &bytes), WEFT_OK);
    cr_assert_eq(bytes, 2 * WF_RECORD_SLAB_BYTES);
    wf_record_pool_destroy(&pool);
    weft_status refusal = WEFT_EPERM;
    cr_assert_eq(wf_record_pool_init(&pool, 64, 100000, refuse, &refusal), WEFT_EPERM);
    cr_assert_str_eq(weft_error_detail(), "no such node");
    cr_assert_null(pool.area.start);
}

Test(record_pool, unusable_sizes_are_errors) {
    struct wf_record_pool pool;
    cr_assert_eq(wf_record_pool_init(&pool, 0, 100, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(wf_record_pool_init(&pool, 64, 0, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(wf_record_pool_init(&pool, 101, 100, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(wf_record_pool_init(&pool, 64, SIZE_MAX, NULL, NULL), WEFT_EINVAL);
}
