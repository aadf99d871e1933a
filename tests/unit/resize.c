/* array/resize: content, parts, what stays as it was. Where the pages lie on real nodes is in tests/numa/arrays.c. */
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include "array/array.h"
#include "on_pool.h"

#define TWO_NODES "node:2 core:2 pu:1"

static weft_pool *pool;

static void make_pool(void) {
    pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = TWO_NODES});
}

static void end_pool(void) {
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

TestSuite(resize, .init = make_pool, .fini = end_pool);

static weft_array *make(size_t n, size_t item_bytes, weft_array_options options) {
    weft_array *array = NULL;
    options.size = sizeof options;
    cr_assert_eq(weft_array_create(&array, pool, n, item_bytes, &options), WEFT_OK, "%s", weft_error_detail());
    return array;
}

static void *copy_of(const weft_array *array, unsigned copy) {
    return array->areas[copy].start;
}

static void fill(const weft_array *array, size_t first, size_t last) {
    for (unsigned copy = 0; copy < array->copies; copy++)
        for (size_t i = first; i < last; i++)
            ((uint32_t *)copy_of(array, copy))[i] = (uint32_t)(i * 2654435761u + copy + 1);
}

/* Items below `kept` have their content, the others are zero. */
static void check(const weft_array *array, size_t kept) {
    cr_assert_geq(weft_array_count(array), kept);
    for (unsigned copy = 0; copy < array->copies; copy++) {
        const uint32_t *items = copy_of(array, copy);
        for (size_t i = 0; i < weft_array_count(array); i++)
            cr_assert_eq(items[i], i < kept ? (uint32_t)(i * 2654435761u + copy + 1) : 0, "item %zu of copy %u", i, copy);
    }
}

static void check_like_new(weft_array *array, weft_array_options options) {
    weft_array *other = make(array->n, array->item_bytes, options);
    cr_assert_arr_eq(array->bounds, other->bounds, (array->worker_count + 1) * sizeof *array->bounds);
    cr_assert_arr_eq(array->stretches, other->stretches, array->node_count * sizeof *array->stretches);
    cr_assert_eq(array->areas[0].bytes, other->areas[0].bytes);
    cr_assert_eq(array->areas[0].pages, other->areas[0].pages);
    weft_array_destroy(other);
}

static void grow_and_shrink(weft_array_options options) {
    static const size_t sizes[] = {70000, 70001, 1, 1024, 3000000, 1025, 200000};
    weft_array *array = make(5000, sizeof(uint32_t), options);
    size_t n = 5000;
    fill(array, 0, n);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        cr_assert_eq(weft_array_resize(array, sizes[i]), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(weft_array_count(array), sizes[i]);
        check(array, n < sizes[i] ? n : sizes[i]);
        check_like_new(array, options);
        fill(array, 0, n = sizes[i]);
    }
    weft_array_destroy(array);
}

Test(resize, every_place_keeps_its_content_and_is_split_as_a_new_array) {
    static const unsigned weights[] = {3, 1};
    for (int place = WEFT_PARTITIONED; place <= WEFT_WEIGHTED; place++) {
        weft_array_options options = {.place = (weft_place)place, .node = place == WEFT_ON_NODE};
        if (place == WEFT_ON_MEMORY_NODE)
            continue; /* there is none here */
        if (place == WEFT_WEIGHTED)
            options.weights = weights, options.weight_count = 2;
        grow_and_shrink(options);
    }
}

Test(resize, untouched_arrays_stay_untouched) {
    weft_array_options options = {.untouched = true, .pages = WEFT_PAGES_BASE};
    weft_array *array = make(1 << 20, sizeof(uint32_t), options);
    fill(array, 1000, 2000);
    fill(array, 900000, 900100);
    cr_assert_eq(weft_array_resize(array, 4 << 20), WEFT_OK);
    const uint32_t *items = weft_array_data(array);
    for (size_t i = 0; i < 4 << 20; i += 50)
        cr_assert_eq(items[i] != 0, (i >= 1000 && i < 2000) || (i >= 900000 && i < 900100), "item %zu", i);
    weft_array_destroy(array);
    array = make(1 << 20, sizeof(uint32_t), options);
    fill(array, 1000, 2000);
    cr_assert_eq(weft_array_resize(array, 4 << 20), WEFT_OK);
    weft_placement placement;
    if (weft_array_placement(array, &placement, NULL, 0) == WEFT_OK)
        cr_assert_leq(placement.pages - placement.pages_absent, 2);
    weft_array_destroy(array);
}

Test(resize, huge_pages_are_kept) {
    weft_array_options options = {.pages = WEFT_PAGES_THP, .place = WEFT_ON_NODE};
    weft_array *array = make(16 << 20, 1, options);
    weft_pages before = array->areas[0].pages;
    cr_assert_eq(weft_array_resize(array, 24 << 20), WEFT_OK);
    cr_assert_eq(array->areas[0].pages, before);
    weft_array_destroy(array);
}

Test(resize, the_same_size_keeps_pointers) {
    weft_array *array = make(1000, sizeof(uint32_t), (weft_array_options){0});
    void *data = weft_array_data(array);
    fill(array, 0, 1000);
    cr_assert_eq(weft_array_resize(array, 1000), WEFT_OK);
    cr_assert_eq(weft_array_data(array), data);
    check(array, 1000);
    weft_array_destroy(array);
}

Test(resize, a_failure_leaves_the_array_as_it_was) {
    weft_array *array = make(100000, sizeof(uint32_t), (weft_array_options){.place = WEFT_REPLICATED});
    void *data = weft_array_data(array);
    size_t bound = array->bounds[1];
    fill(array, 0, 100000);
    cr_assert_eq(weft_array_resize(NULL, 1), WEFT_EINVAL);
    cr_assert_eq(weft_array_resize(array, 0), WEFT_EINVAL);
    cr_assert_eq(weft_array_resize(array, SIZE_MAX / 2), WEFT_EINVAL);
    cr_assert_eq(weft_array_resize(array, (size_t)1 << 44), WEFT_ENOMEM);
    cr_assert(*weft_error_detail());
    cr_assert_eq(weft_array_data(array), data);
    cr_assert_eq(weft_array_count(array), 100000);
    cr_assert_eq(array->bounds[1], bound);
    check(array, 100000);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_array_resize(array, 50), WEFT_ECLOSED);
    check(array, 100000);
    weft_array_destroy(array);
}

static void resize_it(void *array) {
    cr_assert_eq(weft_array_resize(array, 300000), WEFT_OK, "%s", weft_error_detail());
}

Test(resize, a_task_may_resize) {
    weft_array *array = make(100000, sizeof(uint32_t), (weft_array_options){0});
    fill(array, 0, 100000);
    run(pool, resize_it, array);
    check(array, 100000);
    weft_array_destroy(array);
}
