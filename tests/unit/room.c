/* scheduler/: pools with a limit on submitted tasks: who waits for room, who is refused, who goes beyond it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "weft.h"

#define LIMIT 3

static weft_pool *pool;
static _Atomic(int) ran, released, holding;

static void make(const char *topology, unsigned limit) {
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = topology, .submit_limit = limit};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    ran = released = holding = 0;
}

static void count(void *arg) {
    (void)arg;
    ran++;
}

static void hold(void *arg) {
    holding++;
    while (!released)
        usleep(100);
    count(arg);
}

static const weft_submit_options refuse = {WEFT_SUBMIT_OPTIONS_INIT, .full = WEFT_FULL_REFUSE};

/* Tasks that do not end until `released`, as many as there is room for. */
static void fill(void) {
    for (int i = 0; i < LIMIT; i++)
        cr_assert_eq(weft_submit(pool, hold, NULL, &refuse), WEFT_OK);
}

static void drain(void) {
    released = 1;
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(room, refuses_what_does_not_fit_and_says_why, .timeout = 60) {
    make("core:2 pu:1", LIMIT);
    fill();
    cr_assert_eq(weft_submit(pool, count, NULL, &refuse), WEFT_EAGAIN);
    cr_assert(strstr(weft_error_detail(), "submit_limit is 3"), "%s", weft_error_detail());
    released = 1;
    weft_status status;
    while ((status = weft_submit(pool, count, NULL, &refuse)) == WEFT_EAGAIN)
        usleep(100);
    cr_assert_eq(status, WEFT_OK);
    drain();
    cr_assert_eq(ran, LIMIT + 1);
}

Test(room, is_there_once_a_group_has_ended, .timeout = 60) {
    make("core:2 pu:1", LIMIT);
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .group = group, .full = WEFT_FULL_REFUSE};
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < LIMIT; i++)
            cr_assert_eq(weft_submit(pool, count, NULL, &options), WEFT_OK);
        cr_assert_eq(weft_group_wait(group), WEFT_OK);
    }
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    drain();
    cr_assert_eq(ran, 1000 * LIMIT);
}

static void *submit_one(void *arg) {
    *(weft_status *)arg = weft_submit(pool, count, NULL, NULL);
    return NULL;
}

static void *run_one(void *arg) {
    *(weft_status *)arg = weft_run(pool, count, NULL);
    return NULL;
}

static void *submit_pair(void *arg) {
    void *args[2] = {NULL, NULL};
    *(weft_status *)arg = weft_submit_batch(pool, count, args, 2, NULL);
    return NULL;
}

/* Three callers that find no room. */
static void begin_blocked(pthread_t threads[3], weft_status statuses[3]) {
    void *(*const calls[3])(void *) = {submit_one, run_one, submit_pair};
    while (!holding) /* from then on no worker sleeps, whose place weft_run() could take */
        usleep(100);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, calls[i], &statuses[i]);
    usleep(20000); /* most likely they sleep by then; what is checked does not depend on it */
}

static void end_blocked(const pthread_t threads[3], const weft_status statuses[3], weft_status expected) {
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        cr_assert_eq(statuses[i], expected, "call %d: %s", i, weft_status_name(statuses[i]));
    }
}

Test(room, is_waited_for, .timeout = 60) {
    pthread_t threads[3];
    weft_status statuses[3];
    make("core:1 pu:1", LIMIT);
    fill();
    begin_blocked(threads, statuses);
    cr_assert_eq(ran, 0);
    released = 1;
    end_blocked(threads, statuses, WEFT_OK);
    drain();
    cr_assert_eq(ran, LIMIT + 4);
}

static void *close_pool(void *arg) {
    (void)arg;
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    return NULL;
}

Test(room, of_a_closed_pool_is_not_waited_for, .timeout = 60) {
    pthread_t threads[3], closer;
    weft_status statuses[3];
    make("core:1 pu:1", LIMIT);
    fill();
    begin_blocked(threads, statuses);
    pthread_create(&closer, NULL, close_pool, NULL);
    end_blocked(threads, statuses, WEFT_ECLOSED); /* while the tasks still hold their room */
    cr_assert_eq(weft_submit(pool, count, NULL, &refuse), WEFT_ECLOSED);
    released = 1;
    pthread_join(closer, NULL);
    drain();
    cr_assert_eq(ran, LIMIT);
}

/* On the only worker, whose own task fills the node: a wait would be for itself. */
static void submit_beyond(void *arg) {
    void *args[LIMIT + 1] = {NULL};
    weft_group *group = arg;
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .group = group};
    for (int i = 0; i < LIMIT; i++)
        cr_assert_eq(weft_submit(pool, count, NULL, &options), WEFT_OK);
    cr_assert_eq(weft_submit_batch(pool, count, args, LIMIT + 1, &options), WEFT_OK);
    cr_assert_eq(weft_submit(pool, count, NULL, &refuse), WEFT_EAGAIN);
    cr_assert_eq(weft_submit_batch(pool, count, args, LIMIT + 1, &refuse), WEFT_EINVAL);
    cr_assert_eq(weft_group_spawn(group, count, NULL), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
}

Test(room, is_exceeded_from_inside_a_task, .timeout = 60) {
    make("core:1 pu:1", LIMIT);
    weft_group *inner, *outer;
    cr_assert_eq(weft_group_create(&inner, pool), WEFT_OK);
    cr_assert_eq(weft_group_create(&outer, pool), WEFT_OK);
    cr_assert_eq(weft_group_spawn(outer, submit_beyond, inner), WEFT_OK);
    cr_assert_eq(weft_submit(pool, count, NULL, NULL), WEFT_OK);
    cr_assert_eq(weft_group_wait(outer), WEFT_OK);
    weft_group_destroy(inner);
    weft_group_destroy(outer);
    drain();
    cr_assert_eq(ran, 2 * LIMIT + 3);
}

Test(room, takes_a_batch_as_a_whole, .timeout = 60) {
    make("core:2 pu:1", LIMIT);
    void *args[LIMIT + 1] = {NULL};
    cr_assert_eq(weft_submit_batch(pool, count, args, LIMIT + 1, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "submit_limit, which is 3"), "%s", weft_error_detail());
    cr_assert_eq(weft_submit(pool, hold, NULL, &refuse), WEFT_OK);
    cr_assert_eq(weft_submit_batch(pool, count, args, LIMIT, &refuse), WEFT_EAGAIN);
    released = 1;
    for (int i = 0; i < 100; i++)
        cr_assert_eq(weft_submit_batch(pool, count, args, LIMIT, NULL), WEFT_OK);
    drain();
    cr_assert_eq(ran, 1 + 100 * LIMIT);
}

/* Tasks of one node that run on the other give back the room of theirs. */
Test(room, is_that_of_each_node, .timeout = 60) {
    make("node:2 core:1 pu:1", 1);
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = 1, .full = WEFT_FULL_REFUSE};
    weft_submit_options here = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .full = WEFT_FULL_REFUSE};
    cr_assert_eq(weft_submit(pool, hold, NULL, &there), WEFT_OK);
    cr_assert_eq(weft_submit(pool, count, NULL, &there), WEFT_EAGAIN);
    cr_assert_eq(weft_submit(pool, hold, NULL, &here), WEFT_OK);
    cr_assert_eq(weft_submit(pool, count, NULL, &here), WEFT_EAGAIN);
    released = 1;
    there.full = here.full = WEFT_FULL_BLOCK;
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(weft_submit(pool, count, NULL, &there), WEFT_OK);
        cr_assert_eq(weft_submit(pool, count, NULL, i % 7 ? &there : &here), WEFT_OK);
    }
    drain();
    cr_assert_eq(ran, 2 + 2000);
}

Test(room, is_without_end_by_default) {
    make("core:1 pu:1", 0);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(weft_submit(pool, hold, NULL, &refuse), WEFT_OK);
    weft_submit_options odd = {WEFT_SUBMIT_OPTIONS_INIT, .full = (weft_full)2};
    cr_assert_eq(weft_submit(pool, count, NULL, &odd), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "full is 2"));
    drain();
    cr_assert_eq(ran, 1000);
}
