/* scheduler/: typed tasks: arguments, results, loops of spawns, overflow, what they may call, and the rules that asserts watch. */
#undef NDEBUG /* the checks of weft/fork.h */
#include <criterion/criterion.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "on_pool.h"

static weft_pool *make(const char *topology, size_t deque_slots) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology, .deque_slots = deque_slots});
}

WEFT_TASK(long, fib, (int, n)) {
    if (n < 2)
        return n;
    WEFT_SPAWN(fib, n - 1);
    long right = WEFT_CALL(fib, n - 2);
    return WEFT_SYNC(fib) + right;
}

static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "node:2 core:2 pu:1"};

Test(fork, children_return_their_results_on_every_shape, .timeout = 60) {
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        weft_pool *pool = make(shapes[i], 0);
        long result = 0;
        cr_assert_eq(WEFT_RUN(pool, &result, fib, 25), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(result, 75025);
        cr_assert_eq(WEFT_RUN(pool, NULL, fib, 5), WEFT_OK);
        weft_pool_destroy(pool);
    }
}

/* No parameters, eight of them, no result, large ones of both kinds. */
struct large {
    double items[20];
};

WEFT_TASK(int, five) {
    return 5;
}

WEFT_TASK(long, sum_of_eight, (char, a), (short, b), (int, c), (long, d), (float, e), (double, f), (long *, g), (size_t, h)) {
    return a + b + c + d + (long)e + (long)f + *g + (long)h;
}

WEFT_TASK(struct large, add_to_all, (struct large, large), (double, what)) {
    for (unsigned i = 0; i < 20; i++)
        large.items[i] += what;
    return large;
}

WEFT_VOID_TASK(every_kind, (int *, failures)) {
    long seven = 7;
    struct large zero = {{0}};
    WEFT_SPAWN(five);
    WEFT_SPAWN(sum_of_eight, 1, 2, 3, 4, 5, 6, &seven, 8);
    WEFT_SPAWN(add_to_all, zero, 1.5);
    struct large called = WEFT_CALL(add_to_all, zero, 2);
    struct large synced = WEFT_SYNC(add_to_all);
    for (unsigned i = 0; i < 20; i++)
        *failures += (int)(2 * called.items[i]) != 4 || (int)(2 * synced.items[i]) != 3;
    *failures += WEFT_SYNC(sum_of_eight) != 36;
    *failures += WEFT_SYNC(five) != 5;
    *failures += WEFT_CALL(five) != 5;
}

Test(fork, arguments_and_results_may_have_any_size, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1", 0);
    for (int round = 0; round < 1000; round++) {
        int failures = 0;
        cr_assert_eq(WEFT_RUN_VOID(pool, every_kind, &failures), WEFT_OK);
        cr_assert_eq(failures, 0);
    }
    int result = 0;
    cr_assert_eq(WEFT_RUN(pool, &result, five), WEFT_OK);
    cr_assert_eq(result, 5);
    weft_pool_destroy(pool);
}

WEFT_TASK_DECLARE(bool, even, (unsigned, n));

WEFT_TASK(bool, odd, (unsigned, n)) {
    if (!n)
        return false;
    WEFT_SPAWN(even, n - 1);
    return WEFT_SYNC(even);
}

WEFT_TASK_DEFINE(bool, even, (unsigned, n)) {
    if (!n)
        return true;
    WEFT_SPAWN(odd, n - 1);
    return WEFT_SYNC(odd);
}

Test(fork, tasks_may_spawn_each_other, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1", 0);
    bool result = true;
    cr_assert_eq(WEFT_RUN(pool, &result, even, 1001), WEFT_OK);
    cr_assert(!result);
    weft_pool_destroy(pool);
}

WEFT_TASK(size_t, square, (size_t, i)) {
    return i * i;
}

WEFT_TASK(size_t, squares, (size_t, n)) {
    size_t sum = 0;
    for (size_t i = 0; i < n; i++)
        WEFT_SPAWN(square, i);
    for (size_t i = n; i-- > 0;)
        sum += WEFT_SYNC(square) == i * i;
    return sum;
}

Test(fork, a_million_children_wait_and_those_beyond_the_deque_run_at_once, .timeout = 60) {
    for (unsigned few = 0; few < 2; few++) {
        weft_pool *pool = make("core:2 pu:1", few ? 64 : (size_t)1 << 20);
        size_t right = 0;
        cr_assert_eq(WEFT_RUN(pool, &right, squares, (size_t)1 << 20), WEFT_OK);
        cr_assert_eq(right, (size_t)1 << 20);
        weft_stats stats;
        weft_pool_stats(pool, -1, &stats);
        cr_assert(few ? stats.overflows > 0 : !stats.overflows);
        weft_pool_destroy(pool);
    }
}

WEFT_TASK(long, deep, (long, n)) {
    if (!n)
        return 0;
    WEFT_SPAWN(five);
    long below = WEFT_CALL(deep, n - 1);
    return WEFT_SYNC(five) + below;
}

Test(fork, recursion_deeper_than_the_deque_goes_on, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1", 64);
    long result = 0;
    cr_assert_eq(WEFT_RUN(pool, &result, deep, 10000), WEFT_OK);
    cr_assert_eq(result, 50000);
    weft_pool_destroy(pool);
}

/* A child that nobody can see, as its parent never comes back to spawn or sync before it has run. */
static _Atomic(int) ran;

WEFT_VOID_TASK(run_it) {
    atomic_store(&ran, 1);
}

WEFT_TASK(bool, long_leaf) {
    struct timespec begin, now;
    WEFT_SPAWN(run_it);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!atomic_load(&ran) && now.tv_sec - begin.tv_sec < 30);
    bool elsewhere = atomic_load(&ran);
    WEFT_SYNC(run_it);
    return elsewhere;
}

Test(fork, a_long_leaf_hides_no_work, .timeout = 100) {
    weft_pool *pool = make("core:2 pu:1", 0);
    for (int round = 0; round < 50; round++) {
        bool elsewhere = false;
        atomic_store(&ran, 0);
        cr_assert_eq(WEFT_RUN(pool, &elsewhere, long_leaf), WEFT_OK);
        cr_assert(elsewhere, "round %d", round);
    }
    weft_pool_destroy(pool);
}

/* What else a typed task may call. */
static void count(void *arg) {
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

static void count_range(void *arg, weft_range range) {
    atomic_fetch_add((_Atomic(int) *)arg, (int)(range.last - range.first));
}

WEFT_TASK(long, caller, (weft_pool *, pool), (_Atomic(int) *, counted), (weft_group *, group)) {
    long nested = 0;
    WEFT_SPAWN(fib, 12);
    weft_spawn(count, counted);
    weft_spawn(count, counted);
    weft_sync();
    WEFT_SPAWN(fib, 10);
    weft_for(pool, 1000, count_range, counted, NULL);
    weft_group_spawn(group, count, counted);
    weft_group_wait(group);
    WEFT_RUN(pool, &nested, fib, 10);
    weft_run(pool, count, counted);
    nested -= WEFT_SYNC(fib);
    return nested + WEFT_SYNC(fib);
}

WEFT_VOID_TASK(callers, (weft_pool *, pool), (_Atomic(int) *, counted), (int, n), (weft_group **, groups), (long *, sum)) {
    for (int i = 0; i < n; i++)
        WEFT_SPAWN(caller, pool, counted, groups[i]);
    for (int i = 0; i < n; i++)
        *sum += WEFT_SYNC(caller);
}

Test(fork, loops_groups_and_plain_children_go_with_typed_ones, .timeout = 60) {
    enum { N = 40 };
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        weft_pool *pool = make(shapes[i], 64);
        _Atomic(int) counted = 0;
        weft_group *groups[N];
        long sum = 0;
        for (int g = 0; g < N; g++)
            cr_assert_eq(weft_group_create(&groups[g], pool), WEFT_OK);
        cr_assert_eq(WEFT_RUN_VOID(pool, callers, pool, &counted, N, groups, &sum), WEFT_OK);
        cr_assert_eq(counted, N * 1004);
        cr_assert_eq(sum, N * 144);
        for (int g = 0; g < N; g++)
            weft_group_destroy(groups[g]);
        weft_pool_destroy(pool);
    }
}

static void run_inside(void *arg) {
    long result = 0;
    if (!WEFT_RUN(weft_current_pool(), &result, fib, 15))
        *(long *)arg = result;
}

Test(fork, typed_tasks_run_inside_plain_ones_and_other_pools, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1", 0), *closed = make("core:1 pu:1", 0);
    long result = 0;
    cr_assert_eq(weft_run(pool, run_inside, &result), WEFT_OK);
    cr_assert_eq(result, 610);
    weft_pool_close(closed);
    result = -1;
    cr_assert_eq(WEFT_RUN(closed, &result, fib, 5), WEFT_ECLOSED);
    cr_assert_eq(result, -1);
    cr_assert_eq(WEFT_RUN(NULL, &result, fib, 5), WEFT_EINVAL);
    cr_assert_eq(weft_run(pool, NULL, NULL), WEFT_EINVAL);
    weft_pool_destroy(closed);
    weft_pool_destroy(pool);
}

/* The rules, as the asserts of a program without NDEBUG tell of them. */
WEFT_VOID_TASK(syncs_too_much) {
    WEFT_SYNC(run_it);
}

WEFT_VOID_TASK(spawns_and_leaves) {
    WEFT_SPAWN(run_it);
}

WEFT_TASK(int, syncs_by_another_name) {
    WEFT_SPAWN(five);
    WEFT_SPAWN(run_it);
    return WEFT_SYNC(five);
}

WEFT_VOID_TASK(parent_of_one_that_syncs_too_much) {
    WEFT_SPAWN(run_it);
    WEFT_CALL(syncs_too_much); /* not its child */
    WEFT_SYNC(run_it);
}

Test(fork, sync_without_spawn_is_caught, .signal = SIGABRT, .timeout = 60) {
    WEFT_RUN_VOID(make("core:1 pu:1", 0), syncs_too_much);
}

Test(fork, sync_of_the_callers_child_is_caught, .signal = SIGABRT, .timeout = 60) {
    WEFT_RUN_VOID(make("core:1 pu:1", 0), parent_of_one_that_syncs_too_much);
}

Test(fork, spawn_without_sync_is_caught, .signal = SIGABRT, .timeout = 60) {
    WEFT_RUN_VOID(make("core:1 pu:1", 0), spawns_and_leaves);
}

Test(fork, sync_by_another_name_is_caught, .signal = SIGABRT, .timeout = 60) {
    WEFT_RUN(make("core:1 pu:1", 0), NULL, syncs_by_another_name);
}

/* A worker that waits for a child which another one runs, and what it may run meanwhile. */
struct stranger {
    weft_pool *pool;
    _Atomic(int) begun, waited, ran;
    bool alone;
};

static void hold_until_the_stranger_ran(void *arg) {
    struct stranger *stranger = arg;
    struct timespec begin, now;
    atomic_store(&stranger->begun, 1);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (!atomic_load(&stranger->ran) && now.tv_sec - begin.tv_sec < (stranger->alone ? 1 : 30));
    atomic_store(&stranger->waited, atomic_load(&stranger->ran));
}

static void be_the_stranger(void *arg) {
    atomic_store(&((struct stranger *)arg)->ran, 1);
}

static void wait_beside_a_stranger(void *arg) {
    struct stranger *stranger = arg;
    weft_spawn(hold_until_the_stranger_ran, stranger);
    while (!atomic_load(&stranger->begun))
        ; /* on the other worker */
    weft_submit(stranger->pool, be_the_stranger, stranger, NULL);
    weft_sync();
}

static bool stranger_runs_in_a_wait(weft_help help) {
    weft_pool *pool = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = "core:2 pu:1", .help = help};
    struct stranger stranger = {.alone = help == WEFT_HELP_SUBTREE};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
    stranger.pool = pool;
    run(pool, wait_beside_a_stranger, &stranger);
    weft_pool_destroy(pool);
    cr_assert_eq(stranger.ran, 1);
    return stranger.waited;
}

Test(help, a_wait_runs_strangers_only_where_the_pool_allows_it, .timeout = 100) {
    cr_assert(!stranger_runs_in_a_wait(WEFT_HELP_SUBTREE));
    cr_assert(stranger_runs_in_a_wait(WEFT_HELP_ANY));
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .help = (weft_help)7}), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "help"));
}

static void run_beside_a_stranger(void *arg) {
    weft_run(((struct stranger *)arg)->pool, wait_beside_a_stranger, arg);
}

/* The thread is of a pool that allows it, and waits as a worker of one that does not. */
Test(help, a_caller_from_another_pool_keeps_this_ones_rule, .timeout = 100) {
    weft_pool *helpful =
        pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "core:1 pu:1", .help = WEFT_HELP_ANY});
    struct stranger stranger = {.alone = true, .pool = make("core:2 pu:1", 0)};
    run(helpful, run_beside_a_stranger, &stranger);
    weft_pool_destroy(stranger.pool);
    weft_pool_destroy(helpful);
    cr_assert(stranger.ran && !stranger.waited);
}

WEFT_VOID_TASK(tree_of_waits, (weft_pool *, pool), (int, depth), (_Atomic(int) *, counted)) {
    if (!depth)
        return;
    WEFT_SPAWN(tree_of_waits, pool, depth - 1, counted);
    weft_submit(pool, count, counted, NULL);
    weft_for(pool, 64, count_range, counted, NULL);
    WEFT_CALL(tree_of_waits, pool, depth - 1, counted);
    WEFT_SYNC(tree_of_waits);
}

Test(help, anything_may_run_in_a_wait_and_nothing_is_lost, .timeout = 100) {
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        weft_pool *pool = NULL;
        weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = shapes[i], .help = WEFT_HELP_ANY};
        _Atomic(int) counted = 0;
        cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
        cr_assert_eq(WEFT_RUN_VOID(pool, tree_of_waits, pool, 9, &counted), WEFT_OK);
        weft_pool_destroy(pool);
        cr_assert_eq(counted, 511 * 65);
    }
}
