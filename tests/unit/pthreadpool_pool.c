/* adapters/: pools and calls of the pthreadpool on weft: threads, denormals, callers side by side and inside items, fork. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthreadpool.h>

#include "adapters/denormals.h"

static void count(void *counter, size_t i) {
    (void)i;
    (*(atomic_size_t *)counter)++;
}

static size_t count_items(pthreadpool_t pool, size_t n) {
    atomic_size_t items = 0;
    pthreadpool_parallelize_1d(pool, count, &items, n, PTHREADPOOL_FLAG_YIELD_WORKERS);
    return items;
}

/* Wait until `all` have come; each waits on a thread of its own then. */
static void meet(atomic_uint *arrived, unsigned all) {
    (*arrived)++;
    while (*arrived < all)
        sched_yield();
}

Test(pthreadpool_pool, has_as_many_threads_as_asked) {
    static const size_t asked[] = {1, 2, 3, 7, 33};
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        pthreadpool_t pool = pthreadpool_create(asked[i]);
        cr_assert_not_null(pool);
        cr_assert_eq(pthreadpool_get_threads_count(pool), asked[i]);
        cr_assert_eq(count_items(pool, 1000), 1000);
        pthreadpool_destroy(pool);
    }
}

Test(pthreadpool_pool, zero_threads_are_those_of_the_cpus_it_may_use) {
    cpu_set_t cpus;
    cr_assert_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    pthreadpool_t pool = pthreadpool_create(0);
    cr_assert_not_null(pool);
    size_t threads = pthreadpool_get_threads_count(pool);
    cr_assert(threads >= 1 && threads <= (size_t)CPU_COUNT(&cpus), "%zu", threads); /* less under a quota */
    cr_assert_eq(count_items(pool, 1000), 1000);
    pthreadpool_destroy(pool);
}

Test(pthreadpool_pool, what_cannot_be_made_is_null_and_null_is_the_caller_alone) {
    cr_assert_null(pthreadpool_create(5000));
    cr_assert_null(pthreadpool_create(SIZE_MAX));
    cr_assert_eq(pthreadpool_get_threads_count(NULL), 1);
    pthreadpool_destroy(NULL);
}

/* Items in the order of the serial loops, on one thread. */
struct order {
    pthread_t thread;
    size_t next, wrong;
};
static void in_order(void *context, size_t i, size_t j, size_t k, size_t tj, size_t tk) {
    struct order *order = context;
    order->wrong += !pthread_equal(order->thread, pthread_self()) || order->next != (i * 4 + j / 2) * 3 + k / 5;
    order->wrong += tj != (j < 6 ? 2 : 1) || tk != (k < 10 ? 5 : 3);
    order->next++;
}

Test(pthreadpool_pool, without_threads_items_run_in_order_on_the_caller) {
    pthreadpool_t one = pthreadpool_create(1), pools[] = {NULL, one};
    for (int i = 0; i < 2; i++) {
        struct order order = {.thread = pthread_self()};
        pthreadpool_parallelize_3d_tile_2d(pools[i], in_order, &order, 4, 7, 13, 2, 5, 0);
        cr_assert_eq(order.next, 4 * 4 * 3);
        cr_assert_eq(order.wrong, 0);
    }
    pthreadpool_destroy(one);
}

static void add_sizes(void *sum, size_t i, size_t j, size_t tj) {
    (void)i;
    *(atomic_size_t *)sum += j ^ tj;
}

Test(pthreadpool_pool, ranges_beyond_32_bits_have_the_same_items_as_serially) {
    size_t range = ((size_t)5 << 32) + 5, tile = range / 16;
    pthreadpool_t pool = pthreadpool_create(2);
    atomic_size_t serial = 0, parallel = 0;
    pthreadpool_parallelize_2d_tile_1d(NULL, add_sizes, &serial, 100, range, tile, 0);
    pthreadpool_parallelize_2d_tile_1d(pool, add_sizes, &parallel, 100, range, tile, 0);
    cr_assert_neq(serial, 0);
    cr_assert_eq(serial, parallel);
    cr_assert_eq(count_items(pool, 0), 0);
    pthreadpool_destroy(pool);
}

Test(pthreadpool_pool, a_tile_of_zero_is_one_item) {
    atomic_size_t sum = 0;
    pthreadpool_parallelize_2d_tile_1d(NULL, add_sizes, &sum, 1, 4, 0, 0);
    cr_assert_eq(sum, (0 ^ 1) + (1 ^ 1) + (2 ^ 1) + (3 ^ 1));
}

#define IMBALANCE 101
static void first_waits(void *counter, size_t i) {
    atomic_size_t *items = counter;
    while (i == 0 && *items < IMBALANCE - 1)
        sched_yield();
    (*items)++;
}

Test(pthreadpool_pool, an_item_that_waits_holds_no_other_back) {
    pthreadpool_t pool = pthreadpool_create(2);
    for (int round = 0; round < 200; round++) {
        atomic_size_t items = 0;
        pthreadpool_parallelize_1d(pool, first_waits, &items, IMBALANCE, 0);
        cr_assert_eq(items, IMBALANCE);
    }
    pthreadpool_destroy(pool);
}

/* Two items, on two threads at once: what each sees of denormal numbers. */
struct denormals {
    atomic_uint arrived;
    uint64_t control[2];
    float product[2];
};
static void look(void *context, size_t i) {
    struct denormals *seen = context;
    volatile float small = 1e-38f;
    meet(&seen->arrived, 2);
    seen->control[i] = wf_float_control() & WF_DENORMALS_FLUSH;
    seen->product[i] = small * 0.125f;
}

static struct denormals look_at(pthreadpool_t pool, uint32_t flags) {
    struct denormals seen = {0};
    pthreadpool_parallelize_1d(pool, look, &seen, 2, flags);
    return seen;
}

Test(pthreadpool_pool, denormals_are_zeros_on_every_thread_while_asked) {
    if (!WF_DENORMALS_FLUSH)
        cr_skip_test("this processor's switch for denormal numbers is not known");
    pthreadpool_t pool = pthreadpool_create(2);
    uint64_t before = wf_float_control();
    for (int round = 0; round < 100; round++) {
        struct denormals flushed = look_at(pool, PTHREADPOOL_FLAG_DISABLE_DENORMALS), plain = look_at(pool, 0);
        cr_assert_eq(wf_float_control() & WF_DENORMALS_FLUSH, before & WF_DENORMALS_FLUSH);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(flushed.control[i], WF_DENORMALS_FLUSH);
            cr_assert_eq(flushed.product[i], 0);
            cr_assert_eq(plain.control[i], 0);
            cr_assert_gt(plain.product[i], 0);
        }
    }
    pthreadpool_destroy(pool);
}

Test(pthreadpool_pool, denormals_are_as_on_the_caller_otherwise) {
    if (!WF_DENORMALS_FLUSH)
        cr_skip_test("this processor's switch for denormal numbers is not known");
    pthreadpool_t pool = pthreadpool_create(2);
    uint64_t before = wf_float_control();
    wf_set_float_control(before | WF_DENORMALS_FLUSH);
    struct denormals flushed = look_at(pool, 0);
    cr_assert_eq(wf_float_control() & WF_DENORMALS_FLUSH, WF_DENORMALS_FLUSH);
    wf_set_float_control(before);
    struct denormals plain = look_at(pool, 0);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(flushed.product[i], 0);
        cr_assert_gt(plain.product[i], 0);
    }
    pthreadpool_destroy(pool);
}

/* Two calls with one pool; an item of each waits for the other's. */
struct caller {
    pthreadpool_t pool;
    atomic_uint *arrived;
};
static void meet_other(void *context, size_t i) {
    if (i == 0)
        meet(((struct caller *)context)->arrived, 2);
}
static void *call(void *context) {
    pthreadpool_parallelize_1d(((struct caller *)context)->pool, meet_other, context, 2, 0);
    return NULL;
}

Test(pthreadpool_pool, callers_do_not_wait_for_each_other) {
    pthreadpool_t pool = pthreadpool_create(2);
    for (int round = 0; round < 200; round++) {
        atomic_uint arrived = 0;
        struct caller caller = {pool, &arrived};
        pthread_t other;
        cr_assert_eq(pthread_create(&other, NULL, call, &caller), 0);
        call(&caller);
        pthread_join(other, NULL);
        cr_assert_eq(arrived, 2);
    }
    pthreadpool_destroy(pool);
}

struct nested {
    pthreadpool_t pool;
    atomic_size_t items;
};
static void call_again(void *context, size_t i, size_t j) {
    struct nested *nested = context;
    pthreadpool_parallelize_1d(nested->pool, count, &nested->items, 10 * i + j, 0);
}

Test(pthreadpool_pool, items_may_call) {
    for (size_t threads = 1; threads <= 3; threads++) {
        struct nested nested = {.pool = pthreadpool_create(threads)};
        pthreadpool_parallelize_2d(nested.pool, call_again, &nested, 10, 10, 0);
        cr_assert_eq(nested.items, 4950);
        pthreadpool_destroy(nested.pool);
    }
}

Test(pthreadpool_pool, a_child_of_fork_goes_on_alone) {
    pthreadpool_t pool = pthreadpool_create(2);
    cr_assert_eq(count_items(pool, 100), 100);
    pid_t child = fork();
    if (!child) {
        bool right = count_items(pool, 100) == 100;
        pthreadpool_destroy(pool);
        _exit(!right);
    }
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(count_items(pool, 100), 100);
    pthreadpool_destroy(pool);
}
