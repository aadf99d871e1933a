/* Pools for unit tests, and running one task on them to its end on a worker's own thread (weft_run() may take the caller's). */
#ifndef WEFT_TESTS_UNIT_ON_POOL_H
#define WEFT_TESTS_UNIT_ON_POOL_H

#include <criterion/criterion.h>

#include "weft.h"

static inline weft_pool *pool_with(const weft_pool_options *options) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, options), WEFT_OK, "%s", weft_error_detail());
    return pool;
}

static inline void run(weft_pool *pool, weft_task_fn fn, void *arg) {
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    cr_assert_eq(weft_group_spawn(group, fn, arg), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
}

#endif
