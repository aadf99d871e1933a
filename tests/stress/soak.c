/*
 * A mixed load on several pools for WEFT_SOAK_SECONDS (default 20): submitters, groups, nested loops, reductions, arrays, pools
 * that come and go, tasks that sleep, and threads that spin beside them and take CPUs away. Conservation is checked all along:
 * every task that was accepted ran once, every loop covered its iterations.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define DRIVERS 6
#define SPINNERS 2

static const char *const shapes[] = {NULL, "core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:2 pu:1"};
static _Atomic(bool) stop;
static _Atomic(uint64_t) accepted, ran, loops, pools;

static void task(void *arg) {
    uint64_t random = (uint64_t)(uintptr_t)arg;
    if (wf_rng_below(&random, 400) == 0)
        usleep(wf_rng_below(&random, 2000));
    for (volatile uint32_t work = wf_rng_below(&random, 300); work; work--)
        ;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

static void tree(void *arg) {
    uintptr_t depth = (uintptr_t)arg & 7;
    for (int i = 0; depth && i < 3; i++) {
        atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        CHECK(!weft_spawn(tree, (void *)(depth - 1)));
    }
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

struct nest {
    weft_pool *pool;
    _Atomic(uint64_t) count;
};

static void innermost(void *arg, weft_range range) {
    ((struct nest *)arg)->count += range.last - range.first;
}

static void outer(void *arg, weft_range range) {
    struct nest *nest = arg;
    for (size_t i = range.first; i < range.last; i++)
        CHECK(!weft_for(nest->pool, 30, innermost, nest, NULL));
}

static void leaf(void *arg, weft_range range, void *sum) {
    for (size_t i = range.first; i < range.last; i++)
        *(uint64_t *)sum += ((uint64_t *)arg)[i];
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void number(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((uint64_t *)arg)[i] = i;
}

static void use_array(weft_pool *pool, uint64_t *random) {
    size_t n = 1 + wf_rng_below(random, 200000);
    weft_array *array;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = (weft_place)wf_rng_below(random, 3)};
    CHECK(!weft_array_create(&array, pool, n, sizeof(uint64_t), &options));
    CHECK(!weft_for_array(array, number, weft_array_data(array), NULL));
    uint64_t sum = 0;
    CHECK(!weft_reduce(pool, n, leaf, join, weft_array_data(array), &sum, sizeof sum, NULL));
    CHECK(sum == (uint64_t)n * (n - 1) / 2);
    weft_array_destroy(array);
}

static void one_step(weft_pool *pool, weft_group *group, uint64_t *random) {
    switch (wf_rng_below(random, 5)) {
    case 0:
        for (uint32_t i = wf_rng_below(random, 200); i; i--) {
            weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = i % weft_pool_nodes(pool)};
            options.group = i % 2 ? group : NULL;
            atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
            CHECK(!weft_submit(pool, task, (void *)(uintptr_t)wf_rng_next(random), &options));
        }
        break;
    case 1:
        atomic_fetch_add_explicit(&accepted, 1, memory_order_relaxed);
        CHECK(!weft_group_spawn(group, tree, (void *)(uintptr_t)7));
        break;
    case 2: {
        struct nest nest = {pool, 0};
        size_t n = wf_rng_below(random, 100);
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)wf_rng_below(random, 2)};
        CHECK(!weft_for(pool, n, outer, &nest, &options));
        CHECK(nest.count == n * 30);
        break;
    }
    case 3:
        use_array(pool, random);
        break;
    default:
        usleep(wf_rng_below(random, 3000));
    }
    atomic_fetch_add_explicit(&loops, 1, memory_order_relaxed);
}

/* One pool after another, each used for a while by this thread, ended with work in flight. */
static void *drive(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    while (!stop) {
        weft_pool *pool;
        weft_group *group;
        weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = shapes[wf_rng_below(&random, 5)]};
        options.spin_us = wf_rng_below(&random, 2) ? WEFT_SPIN_NONE : 0;
        options.deque_slots = wf_rng_below(&random, 2) ? 64 : 0;
        CHECK(!weft_pool_create(&pool, &options));
        CHECK(!weft_group_create(&group, pool));
        for (uint32_t steps = 1 + wf_rng_below(&random, 60); steps && !stop; steps--)
            one_step(pool, group, &random);
        CHECK(!weft_group_wait(group));
        CHECK(!weft_group_destroy(group));
        CHECK(!weft_pool_destroy(pool));
        pools++;
    }
    return NULL;
}

static void *spin(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    while (!stop) {
        for (volatile uint32_t work = wf_rng_below(&random, 20000000); work && !stop; work--)
            ;
        usleep(wf_rng_below(&random, 50000));
    }
    return NULL;
}

int main(void) {
    const char *text = getenv("WEFT_SOAK_SECONDS");
    unsigned seconds = text ? (unsigned)atoi(text) : 20;
    uint64_t seed = stress_seed(), seeds[DRIVERS + SPINNERS];
    pthread_t threads[DRIVERS + SPINNERS];
    alarm(seconds + 200);
    for (unsigned i = 0; i < DRIVERS + SPINNERS; i++) {
        seeds[i] = seed * 1000003 + i;
        CHECK(!pthread_create(&threads[i], NULL, i < DRIVERS ? drive : spin, &seeds[i]));
    }
    sleep(seconds);
    stop = true;
    for (unsigned i = 0; i < DRIVERS + SPINNERS; i++)
        pthread_join(threads[i], NULL);
    printf("%u s: %" PRIu64 " pools, %" PRIu64 " steps, %" PRIu64 " tasks\n", seconds, (uint64_t)pools, (uint64_t)loops,
           (uint64_t)ran);
    CHECK(accepted == ran);
    CHECK(pools > 0);
    return 0;
}
