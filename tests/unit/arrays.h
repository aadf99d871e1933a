/* Pools and arrays of the unit tests of array/. */
#ifndef WEFT_TESTS_ARRAYS_H
#define WEFT_TESTS_ARRAYS_H

#include <criterion/criterion.h>

#include "array/array.h"
#include "weft.h"

#define TWO_NODES "node:2 core:2 pu:1"
#define THREE_NODES "node:3 core:2 pu:1"

static inline weft_pool *make_pool(const char *topology) {
    weft_pool *pool = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = topology};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    return pool;
}

static inline weft_array *make(weft_pool *pool, size_t n, size_t item_bytes, weft_array_options options) {
    weft_array *array = NULL;
    options.size = sizeof options;
    cr_assert_eq(weft_array_create(&array, pool, n, item_bytes, &options), WEFT_OK, "%s", weft_error_detail());
    return array;
}

static inline weft_placement placement_of(const weft_array *array) {
    weft_placement placement = {0};
    weft_status status = weft_array_placement(array, &placement, NULL, 0);
    if (status == WEFT_EPERM || status == WEFT_ENOTSUP)
        cr_skip_test("the kernel does not say where pages are");
    cr_assert_eq(status, WEFT_OK, "%s", weft_error_detail());
    return placement;
}

#endif
