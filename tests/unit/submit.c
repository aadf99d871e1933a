/* scheduler/: batches of submitted tasks; groups and pools that are used from the wrong place. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "on_pool.h"

static weft_pool *make(const char *topology) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
}

static void count(void *arg) {
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

#define BATCH 1000 /* several chunks of an inbox */

static void submit_batches(weft_pool *pool, _Atomic(int) *ran, weft_group *group) {
    void *args[BATCH];
    for (size_t i = 0; i < BATCH; i++)
        args[i] = ran + i;
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .group = group};
    for (size_t size = 0; size <= BATCH; size += size ? 333 : 1)
        cr_assert_eq(weft_submit_batch(pool, count, args, size, &options), WEFT_OK);
}

static void check_batches(const _Atomic(int) *ran) {
    for (int i = 0; i < BATCH; i++)
        cr_assert_eq(ran[i], i == 0 ? 4 : i < 334 ? 3 : i < 667 ? 2 : 1, "argument %d: %d times", i, ran[i]);
}

Test(batch, runs_each_argument_once, .timeout = 60) {
    weft_pool *pool = make("node:2 core:2 pu:1");
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    static _Atomic(int) ran[BATCH], detached[BATCH];
    submit_batches(pool, ran, group);
    submit_batches(pool, detached, NULL);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    check_batches(ran);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    check_batches(detached);
}

struct inner {
    weft_pool *pool;
    _Atomic(int) ran[BATCH];
};

/* On the only worker, which has to run them itself while it waits. */
static void submit_inside(void *arg) {
    struct inner *inner = arg;
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, inner->pool), WEFT_OK);
    submit_batches(inner->pool, inner->ran, group);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    check_batches(inner->ran);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
}

Test(batch, of_a_worker_is_run_by_the_worker_that_waits_for_it, .timeout = 60) {
    static struct inner inner;
    inner.pool = make("core:1 pu:1");
    run(inner.pool, submit_inside, &inner);
    check_batches(inner.ran);
    weft_pool_destroy(inner.pool);
}

Test(batch, is_refused_as_a_whole) {
    weft_pool *pool = make("core:2 pu:1");
    static _Atomic(int) ran[BATCH];
    void *args[3] = {&ran[0], &ran[0], &ran[0]};
    cr_assert_eq(weft_submit_batch(pool, NULL, args, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_submit_batch(NULL, count, args, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_submit_batch(pool, count, NULL, 3, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "3 arguments"));
    cr_assert_eq(weft_submit_batch(pool, count, NULL, 0, NULL), WEFT_OK);
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .group = group};
    cr_assert_eq(weft_submit_batch(pool, count, args, 3, &options), WEFT_ECLOSED);
    cr_assert_eq(weft_group_wait(group), WEFT_OK, "nothing of it counts");
    weft_group_destroy(group);
    weft_pool_destroy(pool);
    cr_assert_eq(ran[0], 0);
}

/* More than the inbox of a node holds: none of it runs, and the inbox is as it was. */
Test(batch, that_is_too_large_leaves_no_trace, .timeout = 60) {
    weft_pool *pool = make("core:1 pu:1");
    static _Atomic(int) ran;
    size_t many = 8u << 20;
    void **args = malloc(many * sizeof *args);
    for (size_t i = 0; i < many; i++)
        args[i] = &ran;
    cr_assert_eq(weft_submit_batch(pool, count, args, many, NULL), WEFT_ENOMEM);
    cr_assert_eq(weft_submit_batch(pool, count, args, 500, NULL), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(ran, 500);
    free(args);
}

/* A worker of one pool waits for a group of another as any thread outside. */
struct foreign {
    weft_pool *other;
    _Atomic(int) ran;
};

static void wait_for_foreign(void *arg) {
    struct foreign *foreign = arg;
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, foreign->other), WEFT_OK);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(weft_group_spawn(group, count, &foreign->ran), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(foreign->ran, 100);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
}

Test(pools, wait_for_groups_of_each_other, .timeout = 60) {
    weft_pool *pool = make("core:1 pu:1");
    struct foreign foreign = {.other = make("core:2 pu:1")};
    run(pool, wait_for_foreign, &foreign);
    weft_pool_destroy(foreign.other);
    weft_pool_destroy(pool);
}

static void nest(void *arg) {
    weft_pool *own = weft_current_pool(), *inner = make("core:2 pu:1");
    cr_assert_eq(weft_pool_close(own), WEFT_EDEADLK);
    cr_assert_eq(weft_pool_destroy(own), WEFT_EDEADLK);
    run(inner, count, arg);
    cr_assert_eq(weft_current_pool(), own);
    cr_assert_eq(weft_pool_destroy(inner), WEFT_OK);
}

Test(pools, are_made_and_ended_inside_tasks_but_not_their_own, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1");
    _Atomic(int) ran = 0;
    run(pool, nest, &ran);
    cr_assert_eq(ran, 1);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

/* Threads that submit at once, more than there are lanes, singly and in batches. */
static void *submit_from_thread(void *arg) {
    struct inner *inner = arg;
    void *args[7];
    for (int i = 0; i < 7; i++)
        args[i] = &inner->ran[i];
    for (int i = 0; i < 2000; i++)
        cr_assert_eq(i % 2 ? weft_submit(inner->pool, count, args[0], NULL)
                           : weft_submit_batch(inner->pool, count, args, 7, NULL),
                     WEFT_OK);
    return NULL;
}

Test(submit, from_many_threads_at_once, .timeout = 60) {
    static struct inner inner;
    inner.pool = make("core:2 pu:1");
    pthread_t threads[9];
    for (int i = 0; i < 9; i++)
        pthread_create(&threads[i], NULL, submit_from_thread, &inner);
    for (int i = 0; i < 9; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(weft_pool_destroy(inner.pool), WEFT_OK);
    for (int i = 0; i < 7; i++)
        cr_assert_eq(inner.ran[i], i ? 9 * 1000 : 9 * 2000);
}
