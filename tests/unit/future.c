/* parallel/future: results, what follows them, waits with an end, references; groups with an end. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "on_pool.h"

#define SECOND UINT64_C(1000000000)

static weft_pool *pool;
static _Atomic(bool) released;
static _Atomic(unsigned) ran;

static void begin(const char *topology) {
    pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
    released = false;
    ran = 0;
}

static void end(void) {
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static weft_status give(void *arg, void **value) {
    ran++;
    *value = arg;
    return WEFT_OK;
}

static weft_status hold(void *arg, void **value) {
    while (!released)
        usleep(100);
    return give(arg, value);
}

static weft_status fail(void *arg, void **value) {
    (void)value;
    ran++;
    return arg ? weft_group_wait(NULL) : WEFT_EIO;
}

/* One further than what came before. */
static weft_status next(void *arg, weft_status status, void *before, void **value) {
    ran++;
    cr_assert(!status || arg);
    *value = (void *)((uintptr_t)before + 1);
    return WEFT_OK;
}

static weft_future *promise(void) {
    weft_future *future;
    cr_assert_eq(weft_future_create(&future, pool), WEFT_OK);
    return future;
}

static weft_future *then(weft_future *before, bool always) {
    weft_future *future;
    weft_async_options options = {WEFT_ASYNC_OPTIONS_INIT, .always = always};
    cr_assert_eq(weft_future_then(before, &future, next, always ? &ran : NULL, &options), WEFT_OK, "%s", weft_error_detail());
    return future;
}

static void expect(weft_future *future, void *expected) {
    void *value = NULL;
    cr_assert_eq(weft_future_wait(future, &value), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(value, expected);
    cr_assert(weft_future_done(future));
}

static void expect_failure(weft_future *future, weft_status status, const char *text) {
    void *value = &ran;
    cr_assert_eq(weft_future_wait(future, &value), status);
    cr_assert(strstr(weft_error_detail(), text), "%s", weft_error_detail());
    cr_assert_eq(value, &ran);
}

Test(future, has_the_result_of_its_function) {
    weft_future *future;
    begin("core:2 pu:1");
    cr_assert_eq(weft_async(pool, &future, give, &ran, NULL), WEFT_OK);
    expect(future, &ran);
    weft_future_release(future);
    cr_assert_eq(weft_async(pool, &future, fail, NULL, NULL), WEFT_OK);
    expect_failure(future, WEFT_EIO, "gave this status");
    weft_future_release(future);
    cr_assert_eq(weft_async(pool, &future, fail, &ran, NULL), WEFT_OK);
    expect_failure(future, WEFT_EINVAL, "weft_group_wait() needs a group");
    weft_future_release(future);
    cr_assert_eq(weft_async(pool, NULL, give, NULL, NULL), WEFT_OK);
    end();
    cr_assert_eq(ran, 4);
}

Test(future, is_set_once) {
    begin("core:1 pu:1");
    weft_future *future = promise();
    cr_assert(!weft_future_done(future) && !weft_future_done(NULL));
    cr_assert_eq(weft_future_set(future, WEFT_OK, &pool), WEFT_OK);
    cr_assert_eq(weft_future_set(future, WEFT_OK, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "set already"));
    expect(future, &pool);
    weft_future_release(future);
    cr_assert_eq(weft_async(pool, &future, give, NULL, NULL), WEFT_OK);
    cr_assert_eq(weft_future_set(future, WEFT_OK, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "has a function"));
    weft_future_release(future);
    end();
}

Test(future, keeps_the_text_of_the_failure_it_was_set_to) {
    begin("core:1 pu:1");
    weft_future *future = promise();
    cr_assert_eq(weft_future_set(future, weft_group_wait(NULL), NULL), WEFT_OK);
    weft_group_create(NULL, NULL); /* another text in between */
    expect_failure(future, WEFT_EINVAL, "weft_group_wait() needs a group");
    weft_future_release(future);
    end();
}

Test(future, is_followed_before_and_after_it_is_done) {
    begin("core:2 pu:1");
    char base[1000];
    weft_future *first = promise(), *last = weft_future_retain(first);
    for (unsigned i = 0; i < 500; i++) {
        weft_future *following = then(last, false);
        weft_future_release(last);
        last = following;
    }
    weft_future *beside = then(first, false);
    cr_assert_eq(weft_future_set(first, WEFT_OK, base), WEFT_OK);
    expect(last, base + 500);
    expect(beside, base + 1);
    weft_future *later = then(last, false);
    expect(later, base + 501);
    cr_assert_eq(ran, 502);
    weft_future_release(first);
    weft_future_release(last);
    weft_future_release(beside);
    weft_future_release(later);
    end();
}

Test(future, a_failure_passes_what_follows_unless_that_wants_it) {
    begin("core:2 pu:1");
    weft_future *first = promise(), *last = weft_future_retain(first);
    for (unsigned i = 0; i < 100000; i++) { /* no chain is too long for a stack */
        weft_future *following = then(last, false);
        weft_future_release(last);
        last = following;
    }
    weft_future *caught = then(last, true);
    cr_assert_eq(weft_future_set(first, WEFT_EIO, NULL), WEFT_OK);
    expect_failure(last, WEFT_EIO, "");
    expect(caught, (void *)(uintptr_t)1);
    cr_assert_eq(ran, 1);
    weft_future_release(first);
    weft_future_release(last);
    weft_future_release(caught);
    end();
}

Test(future, all_are_done_when_the_last_is) {
    begin("core:2 pu:1");
    weft_future *futures[4], *all;
    for (unsigned i = 0; i < 4; i++)
        futures[i] = promise();
    cr_assert_eq(weft_future_all(&all, pool, futures, 4), WEFT_OK);
    for (unsigned i = 4; i-- > 0;) {
        cr_assert(!weft_future_done(all));
        cr_assert_eq(weft_future_set(futures[i], i == 1 ? WEFT_EIO : i == 2 ? WEFT_EPERM : WEFT_OK, NULL), WEFT_OK);
    }
    expect_failure(all, WEFT_EIO, ""); /* the first in order, not in time */
    cr_assert_eq(weft_future_which(all), SIZE_MAX);
    weft_future_release(all);
    cr_assert_eq(weft_future_all(&all, pool, futures, 1), WEFT_OK);
    expect(all, NULL);
    weft_future_release(all);
    cr_assert_eq(weft_future_all(&all, pool, NULL, 0), WEFT_OK);
    expect(all, NULL);
    weft_future_release(all);
    for (unsigned i = 0; i < 4; i++)
        weft_future_release(futures[i]);
    end();
}

Test(future, any_has_the_result_of_the_first) {
    begin("core:2 pu:1");
    weft_future *futures[3], *any;
    for (unsigned i = 0; i < 3; i++)
        futures[i] = promise();
    cr_assert_eq(weft_future_any(&any, pool, futures, 3), WEFT_OK);
    cr_assert_eq(weft_future_which(any), SIZE_MAX);
    cr_assert_eq(weft_future_set(futures[2], WEFT_OK, &pool), WEFT_OK);
    cr_assert_eq(weft_future_set(futures[0], WEFT_EIO, NULL), WEFT_OK);
    expect(any, &pool);
    cr_assert_eq(weft_future_which(any), 2);
    weft_future_release(any);
    for (unsigned i = 0; i < 3; i++)
        weft_future_release(futures[i]); /* one of them was never set: it is cancelled */
    end();
}

/* A task on the only worker waits for what nobody but itself can run. */
static void wait_inside(void *arg) {
    weft_future *futures[4], *all, *any;
    char *base = arg;
    cr_assert_eq(weft_async(pool, &futures[0], give, base, NULL), WEFT_OK);
    for (unsigned i = 1; i < 4; i++)
        futures[i] = then(futures[i - 1], false);
    expect(futures[3], base + 3);
    for (unsigned i = 0; i < 4; i++) {
        weft_future_release(futures[i]);
        cr_assert_eq(weft_async(pool, &futures[i], give, base + i, NULL), WEFT_OK);
    }
    cr_assert_eq(weft_future_any(&any, pool, futures, 4), WEFT_OK);
    cr_assert_eq(weft_future_all(&all, pool, (weft_future *[]){any, futures[3]}, 2), WEFT_OK);
    expect(all, NULL);
    cr_assert(weft_future_which(any) < 4);
    weft_future_release(any);
    weft_future_release(all);
    for (unsigned i = 0; i < 4; i++)
        weft_future_release(futures[i]);
}

Test(future, a_task_runs_what_it_waits_for, .timeout = 60) {
    char base[10];
    begin("core:1 pu:1");
    run(pool, wait_inside, base);
    end();
    cr_assert_eq(ran, 8);
}

/* And nothing else: a lock is held across the wait. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static weft_status take_lock(void *arg, void **value) {
    cr_assert_eq(pthread_mutex_trylock(&lock), 0, "it ran below a wait that has the lock");
    pthread_mutex_unlock(&lock);
    return give(arg, value);
}

static void wait_with_lock(void *arg) {
    weft_future *stranger, *own;
    (void)arg;
    pthread_mutex_lock(&lock);
    cr_assert_eq(weft_async(pool, &stranger, take_lock, NULL, NULL), WEFT_OK);
    cr_assert_eq(weft_async(pool, &own, give, NULL, NULL), WEFT_OK);
    expect(own, NULL);
    pthread_mutex_unlock(&lock);
    weft_future_release(own);
    weft_future_release(stranger);
}

Test(future, a_task_that_waits_runs_no_stranger) {
    begin("core:1 pu:1");
    for (unsigned i = 0; i < 100; i++)
        run(pool, wait_with_lock, NULL);
    end();
    cr_assert_eq(ran, 200);
}

static weft_future *own_future;

static weft_status wait_for_own(void *arg, void **value) {
    (void)arg;
    (void)value;
    while (!released)
        usleep(100);
    return weft_future_wait(own_future, NULL);
}

Test(future, does_not_wait_for_itself) {
    begin("core:2 pu:1");
    cr_assert_eq(weft_async(pool, &own_future, wait_for_own, NULL, NULL), WEFT_OK);
    released = true;
    expect_failure(own_future, WEFT_EDEADLK, "inside its own function");
    weft_future_release(own_future);
    end();
}

static void spawned(void *arg) {
    (void)arg;
    usleep(1000);
    ran++;
}

static weft_status spawn_some(void *arg, void **value) {
    for (unsigned i = 0; i < 20; i++)
        cr_assert_eq(weft_spawn(spawned, arg), WEFT_OK);
    (void)value;
    return WEFT_OK;
}

Test(future, is_done_after_what_its_function_spawned) {
    weft_future *future;
    begin("core:2 pu:1");
    cr_assert_eq(weft_async(pool, &future, spawn_some, NULL, NULL), WEFT_OK);
    expect(future, NULL);
    cr_assert_eq(ran, 20);
    weft_future_release(future);
    end();
}

static void wait_late(void *arg) {
    weft_future *future = arg;
    void *value = &ran;
    cr_assert_eq(weft_future_wait_until(future, 1, &value), WEFT_ETIMEDOUT);
    cr_assert_eq(weft_future_wait_until(future, now() + SECOND / 100, &value), WEFT_ETIMEDOUT);
    cr_assert_eq(value, &ran);
}

Test(future, is_waited_for_no_longer_than_asked, .timeout = 60) {
    weft_future *future;
    begin("core:2 pu:1");
    cr_assert_eq(weft_async(pool, &future, hold, NULL, NULL), WEFT_OK);
    weft_future *never = promise();
    wait_late(never); /* the one with a function may have been begun by then or not */
    run(pool, wait_late, never);
    released = true;
    cr_assert_eq(weft_future_wait_until(future, now() + 50 * SECOND, NULL), WEFT_OK);
    cr_assert_eq(weft_future_wait_until(future, 1, NULL), WEFT_OK);
    weft_future_release(future);
    weft_future_release(never);
    end();
}

static void hold_task(void *arg) {
    (void)arg;
    while (!released)
        usleep(100);
    ran++;
}

static void wait_late_for_group(void *arg) {
    cr_assert_eq(weft_group_wait_until(arg, 0), WEFT_ETIMEDOUT);
    cr_assert_eq(weft_group_wait_until(arg, now() + SECOND / 100), WEFT_ETIMEDOUT);
}

Test(group, is_waited_for_no_longer_than_asked, .timeout = 60) {
    weft_group *group;
    begin("core:2 pu:1");
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    cr_assert_eq(weft_group_wait_until(group, 0), WEFT_OK);
    cr_assert_eq(weft_group_spawn(group, hold_task, NULL), WEFT_OK);
    wait_late_for_group(group);
    cr_assert_eq(weft_run(pool, wait_late_for_group, group), WEFT_OK);
    released = true;
    cr_assert_eq(weft_group_wait_until(group, now() + 50 * SECOND), WEFT_OK);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    end();
}

Test(future, is_cancelled_as_long_as_its_function_has_not_begun) {
    weft_future *busy, *waits;
    begin("core:1 pu:1");
    cr_assert_eq(weft_async(pool, &busy, hold, NULL, NULL), WEFT_OK);
    cr_assert_eq(weft_async(pool, &waits, give, NULL, NULL), WEFT_OK);
    weft_future *after = then(waits, false), *own = promise();
    cr_assert_eq(weft_future_cancel(waits), WEFT_OK);
    cr_assert_eq(weft_future_cancel(waits), WEFT_EAGAIN);
    cr_assert_eq(weft_future_cancel(own), WEFT_OK);
    cr_assert_eq(weft_future_set(own, WEFT_OK, NULL), WEFT_ECANCELED);
    expect_failure(after, WEFT_ECANCELED, "was cancelled");
    released = true;
    expect(busy, NULL);
    cr_assert_eq(weft_future_cancel(busy), WEFT_EAGAIN);
    weft_future_release(busy);
    weft_future_release(waits);
    weft_future_release(after);
    weft_future_release(own);
    end();
    cr_assert_eq(ran, 1);
}

Test(future, that_nobody_can_set_any_more_is_cancelled) {
    begin("core:1 pu:1");
    weft_future *first = promise(), *second = promise(), *any;
    cr_assert_eq(weft_future_any(&any, pool, (weft_future *[]){first, second}, 2), WEFT_OK);
    weft_future_release(first); /* `any` has it still */
    cr_assert(!weft_future_done(any));
    cr_assert_eq(weft_future_set(second, WEFT_OK, NULL), WEFT_OK);
    expect(any, NULL);
    weft_future_release(second);
    weft_future_release(any);
    end();
}

static bool readable(int descriptor) {
    struct pollfd poll_one = {.fd = descriptor, .events = POLLIN};
    return poll(&poll_one, 1, 0) == 1;
}

static void *wait_readable(void *arg) {
    struct pollfd poll_one = {.fd = *(int *)arg, .events = POLLIN};
    cr_assert_eq(poll(&poll_one, 1, -1), 1);
    return NULL;
}

Test(future, makes_a_descriptor_readable, .timeout = 60) {
    int descriptor, same, later;
    pthread_t thread;
    begin("core:2 pu:1");
    weft_future *future = promise();
    cr_assert_eq(weft_future_eventfd(future, &descriptor), WEFT_OK);
    cr_assert_eq(weft_future_eventfd(future, &same), WEFT_OK);
    cr_assert(descriptor == same && !readable(descriptor));
    cr_assert_eq(pthread_create(&thread, NULL, wait_readable, &descriptor), 0);
    cr_assert_eq(weft_future_set(future, WEFT_OK, NULL), WEFT_OK);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert(readable(descriptor));
    weft_future_release(future);
    cr_assert(fcntl(descriptor, F_GETFD) == -1 && errno == EBADF);
    future = promise();
    cr_assert_eq(weft_future_set(future, WEFT_OK, NULL), WEFT_OK);
    cr_assert_eq(weft_future_eventfd(future, &later), WEFT_OK);
    cr_assert(readable(later));
    weft_future_release(future);
    end();
}

Test(future, says_when_there_is_no_descriptor) {
    int descriptor = -7;
    begin("core:1 pu:1");
    weft_future *future = promise();
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    cr_assert_eq(weft_future_eventfd(future, &descriptor), WEFT_EPERM);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    cr_assert_eq(descriptor, -7);
    weft_future_release(future);
    end();
}

Test(future, refuses_what_makes_none) {
    weft_future *future, *none[] = {NULL};
    int descriptor;
    begin("core:1 pu:1");
    weft_pool *other = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "core:1 pu:1"});
    cr_assert_eq(weft_async(NULL, &future, give, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_async(pool, &future, NULL, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_async(pool, &future, give, NULL, &(weft_async_options){.size = 0}), WEFT_EINVAL);
    cr_assert_eq(weft_async(pool, &future, give, NULL, &(weft_async_options){WEFT_ASYNC_OPTIONS_INIT, .node = 1}), WEFT_EINVAL);
    cr_assert_eq(weft_async(pool, &future, give, NULL, &(weft_async_options){WEFT_ASYNC_OPTIONS_INIT, .placed = true, .node = 1}),
                 WEFT_EINVAL);
    cr_assert_eq(weft_future_create(NULL, pool), WEFT_EINVAL);
    cr_assert_eq(weft_future_create(&future, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_then(NULL, &future, next, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_all(&future, pool, none, 1), WEFT_EINVAL);
    cr_assert_eq(weft_future_all(&future, pool, NULL, 1), WEFT_EINVAL);
    cr_assert_eq(weft_future_any(&future, pool, none, 0), WEFT_EINVAL);
    cr_assert_eq(weft_future_set(NULL, WEFT_OK, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_wait(NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_cancel(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_eventfd(NULL, &descriptor), WEFT_EINVAL);
    weft_future_release(weft_future_retain(NULL));
    weft_future *foreign = promise();
    cr_assert_eq(weft_future_then(foreign, &future, NULL, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_future_all(&future, other, &foreign, 1), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "another pool"), "%s", weft_error_detail());
    weft_future_release(foreign);
    weft_pool_destroy(other);
    end();
}

Test(future, fails_with_what_cannot_follow_in_a_closed_pool) {
    weft_future *future;
    begin("core:1 pu:1");
    weft_future *own = promise(), *after = then(own, true);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_async(pool, &future, give, NULL, NULL), WEFT_ECLOSED);
    cr_assert_eq(weft_future_set(own, WEFT_OK, NULL), WEFT_OK);
    expect_failure(after, WEFT_ECLOSED, "takes no more work");
    weft_future_release(own);
    weft_future_release(after);
    end();
    cr_assert_eq(ran, 0);
}
