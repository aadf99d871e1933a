/*
 * Workers are told to rest and to work again, at random and all the time, while tasks, groups, nested and static loops and reductions
 * come from outside. Everything runs once, and static parts run on the worker they belong to, resting or not. The pool's shape is
 * synthetic, so that nothing else re-plans it.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/rng.h"
#include "scheduler/pool.h"
#include "stress.h"
#include "weft.h"

#define WORKERS 8u
#define USERS 3u
#define ITEMS 4096u

static weft_pool *pool;
static atomic_bool over;
static _Atomic(uint64_t) submitted, ran;

struct user {
    uint64_t random;
    _Atomic(unsigned) visits[ITEMS];
    _Atomic(unsigned) owners[WORKERS];
};

static void task(void *arg) {
    (void)arg;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

static void visit(void *arg, weft_range range) {
    struct user *user = arg;
    for (size_t i = range.first; i < range.last; i++)
        atomic_fetch_add_explicit(&user->visits[i], 1, memory_order_relaxed);
}

static void visit_own(void *arg, weft_range range) {
    struct user *user = arg;
    atomic_fetch_add_explicit(&user->owners[weft_current_worker()], (unsigned)(range.last - range.first), memory_order_relaxed);
    visit(arg, range);
}

static void visit_cells(void *arg, weft_range range) {
    _Atomic(unsigned) *cells = arg;
    for (size_t i = range.first; i < range.last; i++)
        atomic_fetch_add_explicit(&cells[i], 1, memory_order_relaxed);
}

static void visit_nested(void *arg, weft_range range) {
    struct user *user = arg;
    for (size_t i = range.first; i < range.last; i++)
        CHECK(!weft_for(pool, ITEMS / WORKERS, visit_cells, user->visits + i * (ITEMS / WORKERS), NULL));
}

static void sum_leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        *(uint64_t *)sum += i;
}

static void sum_join(void *arg, void *left, const void *right) {
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void expect_visits(struct user *user, size_t n) {
    for (size_t i = 0; i < n; i++)
        CHECK(atomic_exchange_explicit(&user->visits[i], 0, memory_order_relaxed) == 1);
}

static void use_loop(struct user *user) {
    size_t n = 1 + wf_rng_below(&user->random, wf_rng_below(&user->random, 2) ? ITEMS : 3);
    CHECK(!weft_for(pool, n, visit, user, NULL));
    expect_visits(user, n);
}

static void use_static_loop(struct user *user) {
    size_t n = 1 + wf_rng_below(&user->random, ITEMS);
    CHECK(!weft_for(pool, n, visit_own, user, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    expect_visits(user, n);
    for (unsigned i = 0; i < WORKERS; i++)
        CHECK(atomic_exchange_explicit(&user->owners[i], 0, memory_order_relaxed) ==
              weft_partition(n, WORKERS, 1, i + 1) - weft_partition(n, WORKERS, 1, i));
}

static void use_nested_loops(struct user *user) {
    CHECK(!weft_for(pool, WORKERS, visit_nested, user, NULL));
    expect_visits(user, ITEMS);
}

static void use_group(struct user *user) {
    weft_group *group;
    unsigned count = 1 + wf_rng_below(&user->random, 50);
    CHECK(!weft_group_create(&group, pool));
    for (unsigned i = 0; i < count; i++)
        CHECK(!weft_group_spawn(group, task, NULL));
    atomic_fetch_add(&submitted, count);
    CHECK(!weft_group_wait(group));
    CHECK(!weft_group_destroy(group));
}

static void use_reduce(struct user *user) {
    uint64_t n = 1 + wf_rng_below(&user->random, 100000), sum = 0;
    CHECK(!weft_reduce(pool, n, sum_leaf, sum_join, NULL, &sum, sizeof sum, NULL));
    CHECK(sum == n * (n - 1) / 2);
}

static void use_tasks(struct user *user) {
    unsigned count = 1 + wf_rng_below(&user->random, 50);
    for (unsigned i = 0; i < count; i++) {
        weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = wf_rng_below(&user->random, 4)};
        CHECK(!weft_submit(pool, task, NULL, &there));
    }
    atomic_fetch_add(&submitted, count);
}

static void *use(void *arg) {
    static void (*const uses[])(struct user *) = {use_loop, use_static_loop, use_nested_loops, use_group, use_reduce, use_tasks};
    struct user *user = arg;
    for (uint64_t left = stress_scale(4000); left; left--)
        uses[wf_rng_below(&user->random, sizeof uses / sizeof *uses)](user);
    return NULL;
}

/* Another set of workers takes work: at least one, and the new ones first. */
static void *replan(void *arg) {
    uint64_t random = *(uint64_t *)arg, changes = 0;
    unsigned active = (1u << WORKERS) - 1;
    while (!atomic_load(&over)) {
        unsigned next = 1 + wf_rng_below(&random, (1u << WORKERS) - 1);
        for (unsigned i = 0; i < WORKERS; i++)
            if (next & ~active & 1u << i)
                wf_pool_rouse(pool, i);
        for (unsigned i = 0; i < WORKERS; i++)
            if (active & ~next & 1u << i)
                wf_pool_retire(pool, i);
        active = next;
        changes++;
        if (wf_rng_below(&random, 2))
            nanosleep(&(struct timespec){.tv_nsec = wf_rng_below(&random, 300000)}, NULL);
    }
    printf("%" PRIu64 " changes of who rests\n", changes);
    return NULL;
}

int main(void) {
    static struct user users[USERS];
    uint64_t seed = stress_seed();
    pthread_t threads[USERS], planner;
    alarm(200);
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:4 core:2 pu:1"}));
    CHECK(weft_pool_workers(pool) == WORKERS);
    CHECK(!pthread_create(&planner, NULL, replan, &seed));
    for (unsigned i = 0; i < USERS; i++) {
        users[i].random = seed + 1 + i;
        CHECK(!pthread_create(&threads[i], NULL, use, &users[i]));
    }
    for (unsigned i = 0; i < USERS; i++)
        pthread_join(threads[i], NULL);
    atomic_store(&over, true);
    pthread_join(planner, NULL);
    CHECK(!weft_pool_destroy(pool));
    CHECK(ran == submitted);
    printf("%" PRIu64 " tasks\n", (uint64_t)ran);
    return 0;
}
