/* scheduler/: submitted tasks, spawn and sync, groups; who runs what while it waits. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "on_pool.h"

static weft_pool *make(const char *topology, size_t deque_slots) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology, .deque_slots = deque_slots});
}

static void count(void *arg) {
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

Test(submit, every_task_runs_once_before_destroy_returns) {
    weft_pool *pool = make("node:2 core:2 pu:1", 0);
    _Atomic(int) ran = 0;
    for (unsigned i = 0; i < 5000; i++)
        cr_assert_eq(
            weft_submit(pool, count, &ran, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = i % 2}),
            WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(ran, 5000);
}

Test(submit, refuses_what_cannot_be_run) {
    weft_pool *pool = make("node:2 core:1 pu:1", 0), *other = make("core:1 pu:1", 0);
    weft_group *foreign;
    weft_group_create(&foreign, other);
    cr_assert_eq(weft_submit(NULL, count, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_submit(pool, NULL, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_submit(pool, count, NULL, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = 2}),
                 WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "node 2"));
    cr_assert_eq(weft_submit(pool, count, NULL, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .node = 1}), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "placed"));
    cr_assert_eq(weft_submit(pool, count, NULL, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .group = foreign}), WEFT_EINVAL);
    cr_assert_eq(weft_submit(pool, count, NULL, &(weft_submit_options){.size = 0}), WEFT_EINVAL);
    weft_group_destroy(foreign);
    weft_pool_destroy(other);
    weft_pool_destroy(pool);
}

struct late {
    _Atomic(int) closing, ran;
    weft_status status;
};

static void submit_late(void *arg) {
    struct late *late = arg;
    while (!late->closing)
        usleep(100);
    weft_pool *pool = weft_current_pool();
    for (int i = 0; i < 10000 && late->status != WEFT_ECLOSED; i++) { /* until destroy has really begun */
        late->status = weft_submit(pool, count, &late->ran, NULL);
        late->closing += late->status == WEFT_OK;
        usleep(100);
    }
}

Test(submit, is_refused_once_destroy_has_begun_and_what_was_accepted_runs) {
    struct late late = {.status = WEFT_OK};
    weft_pool *pool = make("core:2 pu:1", 0);
    cr_assert_eq(weft_submit(pool, submit_late, &late, NULL), WEFT_OK);
    late.closing = 1;
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(late.status, WEFT_ECLOSED);
    cr_assert_eq(late.ran, late.closing - 1);
}

struct unfinished {
    weft_group *group;
    _Atomic(int) begun, ran, accepted;
    weft_status spawned;
};

/* Runs while the pool closes: new work is refused, the parts of this task are not. */
static void go_on_while_closing(void *arg) {
    struct unfinished *task = arg;
    weft_pool *pool = weft_current_pool();
    task->begun = 1;
    for (int i = 0; i < 10000 && weft_submit(pool, count, &task->accepted, NULL) != WEFT_ECLOSED; i++)
        usleep(100);
    cr_assert_eq(weft_submit(pool, count, &task->accepted, NULL), WEFT_ECLOSED);
    task->spawned = weft_group_spawn(task->group, count, &task->ran);
}

Test(submit, parts_of_a_task_that_runs_while_the_pool_closes_are_not_refused, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", 0);
    struct unfinished task = {.spawned = WEFT_EINVAL};
    cr_assert_eq(weft_group_create(&task.group, pool), WEFT_OK);
    cr_assert_eq(weft_submit(pool, go_on_while_closing, &task, NULL), WEFT_OK);
    while (!task.begun)
        usleep(100);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(task.spawned, WEFT_OK);
    cr_assert_eq(task.ran, 1, "close waited for the task that outlived its maker");
    cr_assert_eq(weft_group_destroy(task.group), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

struct outsider {
    weft_pool *pool;
    _Atomic(int) ran, accepted;
    weft_status last;
};

static void *submit_until_refused(void *arg) {
    struct outsider *outsider = arg;
    while ((outsider->last = weft_submit(outsider->pool, count, &outsider->ran, NULL)) == WEFT_OK)
        outsider->accepted++;
    return NULL;
}

Test(submit, is_refused_in_a_closed_pool_from_any_thread) {
    for (int round = 0; round < 100; round++) {
        weft_pool *pool = make("node:2 core:1 pu:1", 0);
        struct outsider outsiders[3];
        pthread_t threads[3];
        for (int i = 0; i < 3; i++) {
            outsiders[i] = (struct outsider){.pool = pool};
            pthread_create(&threads[i], NULL, submit_until_refused, &outsiders[i]);
        }
        if (round % 2)
            usleep(300);
        cr_assert_eq(weft_pool_close(pool), WEFT_OK);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
            cr_assert_eq(outsiders[i].last, WEFT_ECLOSED);
            cr_assert_eq(outsiders[i].ran, outsiders[i].accepted);
        }
        _Atomic(int) ran = 0;
        weft_group *group;
        cr_assert_eq(weft_submit(pool, count, &ran, NULL), WEFT_ECLOSED);
        cr_assert(strstr(weft_error_detail(), "no more work"));
        cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
        cr_assert_eq(weft_group_spawn(group, count, &ran), WEFT_ECLOSED);
        cr_assert_eq(weft_group_wait(group), WEFT_OK);
        cr_assert_eq(weft_group_destroy(group), WEFT_OK);
        cr_assert_eq(weft_for(pool, 10, NULL, &ran, NULL), WEFT_EINVAL);
        cr_assert_eq(weft_pool_close(pool), WEFT_OK, "twice");
        cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
        cr_assert_eq(ran, 0);
    }
    cr_assert_eq(weft_pool_close(NULL), WEFT_EINVAL);
}

struct fib {
    int n;
    long value;
};

static void fib(void *arg) {
    struct fib *task = arg;
    if (task->n < 2) {
        task->value = task->n;
        return;
    }
    struct fib left = {task->n - 1, 0}, right = {task->n - 2, 0};
    weft_spawn(fib, &left);
    fib(&right);
    weft_sync();
    task->value = left.value + right.value;
}

Test(spawn, computes_fib_on_any_number_of_workers) {
    static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "core:5 pu:1", "node:3 core:2 pu:1"};
    for (size_t i = 0; i < 4; i++) {
        weft_pool *pool = make(shapes[i], 0);
        struct fib task = {24, 0};
        run(pool, fib, &task);
        cr_assert_eq(task.value, 46368);
        weft_pool_destroy(pool);
    }
}

static void spawn_many(void *arg) {
    for (int i = 0; i < 100000; i++)
        cr_assert_eq(weft_spawn(count, arg), WEFT_OK);
    /* no sync: a task syncs when it returns */
}

Test(spawn, runs_inline_when_the_deque_is_full_and_syncs_at_the_end) {
    weft_pool *pool = make("core:2 pu:1", 64);
    _Atomic(int) ran = 0;
    run(pool, spawn_many, (void *)&ran);
    cr_assert_eq(ran, 100000);
    weft_stats stats;
    weft_pool_stats(pool, -1, &stats);
    cr_assert_gt(stats.overflows, 0);
    cr_assert_eq(stats.tasks, 100001);
    weft_pool_destroy(pool);
}

Test(spawn, needs_a_task_and_a_function) {
    cr_assert_eq(weft_spawn(count, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "weft_submit"));
    cr_assert_eq(weft_sync(), WEFT_EINVAL);
}

/*
 * Every task takes one lock, and its parent holds it across the sync of other children. If a waiting worker ran a stranger's
 * task, that one would wait for a lock below it on the same stack, for ever.
 */
struct strangers {
    pthread_mutex_t lock;
    _Atomic(int) leaves;
};

static void innocent_leaf(void *arg) {
    struct strangers *strangers = arg;
    for (volatile int i = 0; i < 3000; i++)
        ;
    strangers->leaves++;
}

static void holds_the_lock(void *arg) {
    struct strangers *strangers = arg;
    pthread_mutex_lock(&strangers->lock);
    for (int i = 0; i < 4; i++)
        weft_spawn(innocent_leaf, strangers);
    weft_sync();
    pthread_mutex_unlock(&strangers->lock);
}

Test(wait, never_runs_a_strangers_task, .timeout = 60) {
    weft_pool *pool = make("core:3 pu:1", 0);
    struct strangers strangers = {.lock = PTHREAD_MUTEX_INITIALIZER};
    weft_group *group;
    weft_group_create(&group, pool);
    for (int i = 0; i < 3000; i++)
        cr_assert_eq(weft_group_spawn(group, holds_the_lock, &strangers), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(strangers.leaves, 12000);
    weft_group_destroy(group);
    weft_pool_destroy(pool);
}

struct nested {
    weft_pool *pool;
    weft_group *group;
    int depth;
    _Atomic(int) *ran;
};

static void fill_group(void *arg) {
    struct nested *nested = arg;
    atomic_fetch_add(nested->ran, 1);
    if (!nested->depth)
        return;
    struct nested inner = {nested->pool, NULL, nested->depth - 1, nested->ran};
    cr_assert_eq(weft_group_create(&inner.group, nested->pool), WEFT_OK);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_group_spawn(inner.group, fill_group, &inner), WEFT_OK);
    cr_assert_eq(weft_group_wait(inner.group), WEFT_OK);
    cr_assert_eq(weft_group_destroy(inner.group), WEFT_OK);
}

Test(group, nests) {
    weft_pool *pool = make("node:2 core:2 pu:1", 0);
    _Atomic(int) ran = 0;
    struct nested root = {pool, NULL, 6, &ran};
    run(pool, fill_group, &root);
    cr_assert_eq(ran, 1093); /* 1 + 3 + ... + 3^6 */
    weft_pool_destroy(pool);
}

/* A worker waits for a group that another thread fills: with one worker nobody but the waiter can run it. */
struct filled_from_outside {
    weft_group *group;
    _Atomic(int) waiting, ran;
};

static void wait_on_the_only_worker(void *arg) {
    struct filled_from_outside *state = arg;
    state->waiting = 1;
    cr_assert_eq(weft_group_wait(state->group), WEFT_OK);
    cr_assert_geq(state->ran, 3);
}

static void outer_of_group(void *arg) {
    (void)arg;
    usleep(30000); /* the waiter sleeps by now */
}

Test(group, filled_from_outside_is_run_by_the_worker_that_waits_for_it) {
    weft_pool *pool = make("core:1 pu:1", 0);
    struct filled_from_outside state = {0};
    weft_group *waiter;
    weft_group_create(&state.group, pool);
    weft_group_create(&waiter, pool);
    cr_assert_eq(weft_group_spawn(state.group, outer_of_group, NULL), WEFT_OK);
    cr_assert_eq(weft_group_spawn(state.group, count, &state.ran), WEFT_OK);
    cr_assert_eq(weft_group_spawn(waiter, wait_on_the_only_worker, &state), WEFT_OK);
    cr_assert_eq(weft_group_spawn(state.group, count, &state.ran), WEFT_OK);
    cr_assert_eq(weft_group_spawn(state.group, count, &state.ran), WEFT_OK);
    cr_assert_eq(weft_group_wait(waiter), WEFT_OK);
    cr_assert_eq(weft_group_wait(state.group), WEFT_OK);
    cr_assert_eq(state.ran, 3);
    weft_group_destroy(state.group);
    weft_group_destroy(waiter);
    weft_pool_destroy(pool);
}

/* The group's task was added by a task below the one that waits for it, on the same stack. */
struct below {
    weft_pool *pool;
    weft_group *group;
    _Atomic(int) ran, met;
    int meet; /* workers that wait at once; 0: any */
};

static void wait_in_child(void *arg) {
    struct below *below = arg;
    cr_assert_eq(weft_group_wait(below->group), WEFT_OK);
}

static void wait_in_body(void *arg, weft_range range) {
    (void)range;
    wait_in_child(arg);
}

static void add_then_wait_in_child(void *arg) {
    struct below *below = arg;
    for (below->met++; below->met < below->meet;)
        ;
    cr_assert_eq(weft_group_spawn(below->group, count, &below->ran), WEFT_OK);
    cr_assert_eq(weft_spawn(wait_in_child, below), WEFT_OK);
    cr_assert_eq(weft_sync(), WEFT_OK);
}

static void add_then_wait_in_loop(void *arg) {
    struct below *below = arg;
    cr_assert_eq(weft_group_spawn(below->group, count, &below->ran), WEFT_OK);
    cr_assert_eq(weft_for(below->pool, 1, wait_in_body, below, NULL), WEFT_OK);
    cr_assert_eq(below->ran, 1);
}

Test(group, is_waited_for_by_children_of_those_who_filled_it, .timeout = 60) {
    weft_pool *pool = make("core:1 pu:1", 0);
    for (int i = 0; i < 2; i++) {
        struct below below = {.pool = pool};
        weft_group_create(&below.group, pool);
        run(pool, i ? add_then_wait_in_loop : add_then_wait_in_child, &below);
        cr_assert_eq(below.ran, 1);
        weft_group_destroy(below.group);
    }
    weft_pool_destroy(pool);
    pool = make("core:4 pu:1", 0);
    for (int round = 0; round < 20; round++) {
        struct below below = {.pool = pool, .meet = 4};
        weft_group *outer;
        weft_group_create(&below.group, pool);
        weft_group_create(&outer, pool);
        for (int i = 0; i < 4; i++)
            weft_group_spawn(outer, add_then_wait_in_child, &below);
        cr_assert_eq(weft_group_wait(outer), WEFT_OK);
        cr_assert_eq(below.ran, 4);
        weft_group_destroy(outer);
        weft_group_destroy(below.group);
    }
    weft_pool_destroy(pool);
}

/* x, in group two, may wait for group one although a task of one spawned it: nobody in one waits for x. */
static void spawn_into_other(void *arg) {
    struct below *groups = arg;
    cr_assert_eq(weft_group_spawn(groups[1].group, wait_in_child, &groups[0]), WEFT_OK);
}

Test(group, may_be_waited_for_by_tasks_that_its_tasks_left_to_others, .timeout = 60) {
    weft_pool *pool = make("core:2 pu:1", 0);
    struct below groups[2] = {{.pool = pool}, {.pool = pool}};
    weft_group_create(&groups[0].group, pool);
    weft_group_create(&groups[1].group, pool);
    cr_assert_eq(weft_group_spawn(groups[0].group, spawn_into_other, groups), WEFT_OK);
    cr_assert_eq(weft_group_wait(groups[0].group), WEFT_OK);
    cr_assert_eq(weft_group_wait(groups[1].group), WEFT_OK);
    weft_group_destroy(groups[0].group);
    weft_group_destroy(groups[1].group);
    weft_pool_destroy(pool);
}

/* A second spawn, shortly after the first has woken somebody, is not left lying while the owner computes and others sleep. */
struct lingering {
    weft_pool *pool;
    _Atomic(int) first, second, gap_us;
};

static uint64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

static void linger(void *arg) {
    *(_Atomic(int) *)arg = 1;
    for (uint64_t end = now_us() + 20000; now_us() < end;)
        ;
}

static void spawn_twice_and_compute(void *arg) {
    struct lingering *state = arg;
    weft_spawn(linger, &state->first);
    for (uint64_t end = now_us() + (uint64_t)state->gap_us; now_us() < end;)
        ;
    weft_spawn(linger, &state->second);
    for (uint64_t end = now_us() + 10000000; !(state->first && state->second) && now_us() < end;)
        ;
    cr_assert(state->first && state->second, "gap %d us: a public task was left lying for 10 s", state->gap_us);
    weft_sync();
}

static void wait_until_all_sleep(weft_pool *pool) {
    weft_stats stats;
    do {
        usleep(200);
        weft_pool_stats(pool, -1, &stats);
    } while (stats.parks - stats.wakes != weft_pool_workers(pool));
}

Test(steal, wakes_a_sleeper_for_every_spawn_that_needs_one, .timeout = 100) {
    weft_pool *pool = make("core:3 pu:1", 0);
    for (int gap = 0; gap < 60; gap += 4) {
        struct lingering state = {.pool = pool, .gap_us = gap};
        wait_until_all_sleep(pool); /* a worker that is merely late asks for nothing, and a task may stay private */
        run(pool, spawn_twice_and_compute, &state);
    }
    weft_pool_destroy(pool);
}

static void wait_for_own_group(void *arg) {
    struct nested *nested = arg;
    cr_expect_eq(weft_group_wait(nested->group), WEFT_EDEADLK);
    atomic_fetch_add(nested->ran, 1);
}

static void spawn_waiter(void *arg) {
    weft_spawn(wait_for_own_group, arg);
}

Test(group, cannot_be_waited_for_by_its_own_tasks) {
    weft_pool *pool = make("core:2 pu:1", 0);
    _Atomic(int) ran = 0;
    struct nested nested = {pool, NULL, 0, &ran};
    weft_group_create(&nested.group, pool);
    weft_group_spawn(nested.group, wait_for_own_group, &nested);
    weft_group_spawn(nested.group, spawn_waiter, &nested);
    cr_assert_eq(weft_group_wait(nested.group), WEFT_OK);
    cr_assert_eq(ran, 2);
    weft_group_destroy(nested.group);
    weft_pool_destroy(pool);
}

static void nap(void *arg) {
    (void)arg;
    usleep(50000);
}

Test(group, is_not_destroyed_while_tasks_run_and_is_reusable) {
    weft_pool *pool = make("core:2 pu:1", 0);
    weft_group *group;
    _Atomic(int) ran = 0;
    weft_group_create(&group, pool);
    weft_group_spawn(group, nap, NULL);
    cr_assert_eq(weft_group_destroy(group), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "wait"));
    for (int round = 0; round < 100; round++) {
        weft_group_spawn(group, count, (void *)&ran);
        cr_assert_eq(weft_group_wait(group), WEFT_OK);
        cr_assert_eq(ran, round + 1);
    }
    cr_assert_eq(weft_group_wait(group), WEFT_OK, "an empty group is over at once");
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    cr_assert_eq(weft_group_destroy(NULL), WEFT_OK);
    cr_assert_eq(weft_group_wait(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_group_create(NULL, pool), WEFT_EINVAL);
    cr_assert_eq(weft_group_create(&group, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_group_spawn(NULL, count, NULL), WEFT_EINVAL);
    weft_pool_destroy(pool);
}

/* Steals by class: one worker of eight fills its deque with tasks that last, the others must come and get them. */
static void last_a_while(void *arg) {
    for (volatile int i = 0; i < 20000; i++)
        ;
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

static void spread(void *arg) {
    for (int i = 0; i < 4000; i++)
        weft_spawn(last_a_while, arg);
}

Test(steal, is_counted_by_distance_class) {
    weft_pool *pool = make("package:2 node:2 core:2 pu:1", 0);
    _Atomic(int) ran = 0;
    run(pool, spread, (void *)&ran);
    cr_assert_eq(ran, 4000);
    weft_stats stats;
    weft_pool_stats(pool, -1, &stats);
    uint64_t steals = stats.steals_cache + stats.steals_node;
    for (int i = 0; i < WEFT_REMOTE_CLASSES; i++)
        steals += stats.steals_remote[i];
    cr_assert_gt(steals, 0);
    cr_assert_eq(stats.steals_remote[2], 0, "there are two remote distances here");
    weft_pool_destroy(pool);
}
