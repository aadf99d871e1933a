/* array/replica: versions of replicated arrays, in sections and without. Swaps under load: tests/stress/replica.c. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "array/replica.h"
#include "on_pool.h"

#define TWO_NODES "node:2 core:2 pu:1"
#define N ((size_t)30000)

static weft_pool *pool;
static weft_array *array;
static uint32_t items[N];

static void make_array(void) {
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED};
    pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = TWO_NODES});
    cr_assert_eq(weft_array_create(&array, pool, N, sizeof *items, &options), WEFT_OK, "%s", weft_error_detail());
}

static void end_array(void) {
    weft_array_destroy(array);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

TestSuite(replica, .init = make_array, .fini = end_array);

static weft_status swap(uint32_t stamp) {
    for (size_t i = 0; i < N; i++)
        items[i] = stamp + (uint32_t)i;
    return weft_array_swap(array, items);
}

static void expect(const void *copy, uint32_t stamp) {
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(((const uint32_t *)copy)[i], stamp ? stamp + i : 0, "item %zu", i);
}

static unsigned versions_there(void) {
    unsigned there = 0;
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++)
        there += array->replica->areas[slot] != NULL;
    return there;
}

Test(replica, a_section_keeps_its_version) {
    weft_reading first = weft_array_read_begin(array);
    expect(weft_array_read_local(first), 0);
    cr_assert_eq(swap(100), WEFT_OK, "%s", weft_error_detail());
    weft_reading second = weft_array_read_begin(array);
    cr_assert_eq(swap(200), WEFT_OK);
    expect(weft_array_read_local(first), 0);
    expect(weft_array_read_local(second), 100);
    expect(weft_array_data(array), 200);
    expect(weft_array_local(array), 200);
    cr_assert_eq(weft_array_reclaim(array), 2);
    weft_array_read_end(first);
    cr_assert_eq(weft_array_reclaim(array), 1);
    expect(weft_array_read_local(second), 100);
    weft_array_read_end(second);
    cr_assert_eq(weft_array_reclaim(array), 0);
    cr_assert_eq(versions_there(), 1);
}

Test(replica, without_readers_the_old_version_goes_at_once) {
    for (uint32_t round = 1; round < 30; round++) {
        cr_assert_eq(swap(round * 1000), WEFT_OK);
        cr_assert_eq(versions_there(), 1);
        expect(weft_array_data(array), round * 1000);
    }
}

Test(replica, more_versions_than_are_kept_are_refused) {
    weft_reading readings[WF_VERSIONS];
    unsigned begun = 0;
    weft_status status = WEFT_OK;
    while (begun < WF_VERSIONS && status == WEFT_OK) {
        readings[begun++] = weft_array_read_begin(array);
        status = swap(begun);
    }
    cr_assert_eq(begun, WF_VERSIONS, "seven old ones and the current");
    cr_assert_eq(status, WEFT_EAGAIN);
    cr_assert(strstr(weft_error_detail(), "versions"), "%s", weft_error_detail());
    for (unsigned i = 0; i < begun; i++)
        expect(weft_array_read_local(readings[i]), i);
    weft_array_read_end(readings[3]);
    cr_assert_eq(swap(77), WEFT_OK);
    for (unsigned i = 0; i < begun; i++)
        if (i != 3)
            weft_array_read_end(readings[i]);
    cr_assert_eq(weft_array_reclaim(array), 0);
    expect(weft_array_data(array), 77);
}

struct visit {
    weft_reading reading;
    const void *copy[2];
};

static void look(void *arg, weft_range range) {
    struct visit *visit = arg;
    (void)range;
    const void *copy = weft_array_read_local(visit->reading);
    expect(copy, 500);
    __atomic_store_n(&visit->copy[weft_current_node()], copy, __ATOMIC_RELAXED);
}

/* The section is the caller's, the loop runs on all workers, and another version has come meanwhile. */
Test(replica, a_loop_inside_a_section_reads_its_version_on_every_node) {
    struct visit visit = {0};
    cr_assert_eq(swap(500), WEFT_OK);
    visit.reading = weft_array_read_begin(array);
    cr_assert_eq(swap(600), WEFT_OK);
    weft_for_options all = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096};
    cr_assert_eq(weft_for(pool, weft_pool_workers(pool), look, &visit, &all), WEFT_OK);
    cr_assert(visit.copy[0] && visit.copy[1] && visit.copy[0] != visit.copy[1]);
    weft_array_read_end(visit.reading);
}

static void swap_in_task(void *arg) {
    weft_reading reading = weft_array_read_begin(array);
    expect(weft_array_read_local(reading), 1);
    cr_assert_eq(swap(*(uint32_t *)arg), WEFT_OK, "%s", weft_error_detail());
    expect(weft_array_read_local(reading), 1);
    cr_assert_eq(weft_array_swap(array, weft_array_read_local(reading)), WEFT_OK);
    weft_array_read_end(reading);
}

Test(replica, a_task_may_swap_inside_a_section_also_what_it_reads) {
    uint32_t stamp = 9;
    cr_assert_eq(swap(1), WEFT_OK);
    run(pool, swap_in_task, &stamp);
    expect(weft_array_data(array), 1);
    cr_assert_eq(weft_array_reclaim(array), 0);
}

Test(replica, resize_leaves_one_version) {
    cr_assert_eq(swap(5), WEFT_OK);
    weft_reading reading = weft_array_read_begin(array);
    cr_assert_eq(swap(6), WEFT_OK);
    weft_array_read_end(reading);
    cr_assert_eq(weft_array_resize(array, 2 * N), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(versions_there(), 1);
    uint32_t *larger = calloc(2 * N, sizeof *larger);
    memcpy(larger, weft_array_data(array), 2 * N * sizeof *larger);
    expect(larger, 6);
    cr_assert_eq(larger[N], 0);
    larger[2 * N - 1] = 3;
    cr_assert_eq(weft_array_swap(array, larger), WEFT_OK);
    cr_assert_eq(((uint32_t *)weft_array_data(array))[2 * N - 1], 3);
    free(larger);
}

Test(replica, bad_arguments_are_refused) {
    weft_array *one = NULL;
    cr_assert_eq(weft_array_swap(NULL, items), WEFT_EINVAL);
    cr_assert_eq(weft_array_swap(array, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_array_create(&one, pool, 10, 4, NULL), WEFT_OK);
    cr_assert_eq(weft_array_swap(one, items), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "REPLICATED"), "%s", weft_error_detail());
    weft_reading reading = weft_array_read_begin(one);
    cr_assert_eq(weft_array_read_local(reading), weft_array_data(one));
    weft_array_read_end(reading);
    weft_array_destroy(one);
    cr_assert_eq(weft_array_reclaim(NULL), 0);
    reading = weft_array_read_begin(NULL);
    cr_assert_null(weft_array_read_local(reading));
    weft_array_read_end(reading);
    cr_assert_eq(swap(4), WEFT_OK);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_array_swap(array, items), WEFT_ECLOSED);
    expect(weft_array_data(array), 4);
    cr_assert_eq(versions_there(), 1);
}
