/* scheduler/placed: children that prefer a node. Two workers, one on each node, so that it is known who is busy. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "on_pool.h"

#define PATIENT_US 1000000 /* the most: spawners leave children to idle nodes for so long; no test waits for it */

static weft_pool *make(const char *topology, uint32_t spin_us) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology, .spin_us = spin_us});
}

static unsigned here(void) {
    return (unsigned)weft_current_node();
}

struct tree {
    int depth;
    long leaves;
};

static void grow(void *arg) {
    struct tree *tree = arg;
    if (!tree->depth) {
        tree->leaves = 1;
        return;
    }
    struct tree children[5];
    for (unsigned i = 0; i < 5; i++) {
        children[i] = (struct tree){tree->depth - 1, 0};
        unsigned node = i == 3 ? WEFT_NODE_HOME : i % weft_pool_nodes(weft_current_pool());
        cr_assert_eq(i == 4 ? weft_spawn(grow, &children[i]) : weft_spawn_at(node, grow, &children[i]), WEFT_OK);
    }
    cr_assert_eq(weft_sync(), WEFT_OK);
    for (unsigned i = 0; i < 5; i++)
        tree->leaves += children[i].leaves;
}

Test(placed, children_run_once_and_are_seen_after_sync, .timeout = 60) {
    static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "node:2 core:1 pu:1", "node:3 core:2 pu:1"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        weft_pool *pool = make(shapes[i], i % 2 ? WEFT_SPIN_NONE : 20);
        struct tree tree = {5, 0};
        run(pool, grow, &tree);
        cr_assert_eq(tree.leaves, 5 * 5 * 5 * 5 * 5);
        weft_pool_destroy(pool);
    }
}

static void count(void *arg) {
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

static void leave_all(void *arg) {
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(weft_spawn_at(i % 2, count, arg), WEFT_OK);
    /* no sync: a task syncs when it returns */
}

Test(placed, children_are_waited_for_when_their_parent_returns, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", WEFT_SPIN_NONE);
    _Atomic(int) ran = 0;
    run(pool, leave_all, &ran);
    cr_assert_eq(ran, 1000);
    weft_pool_destroy(pool);
}

static void note_node(void *arg) {
    *(unsigned *)arg = here();
}

/* Until a worker has looked for work in vain since the call, or sleeps. */
static void await_idle(unsigned worker) {
    weft_stats before, now;
    cr_assert_eq(weft_pool_stats(weft_current_pool(), (int)worker, &before), WEFT_OK);
    do {
        usleep(10);
        cr_assert_eq(weft_pool_stats(weft_current_pool(), (int)worker, &now), WEFT_OK);
    } while (now.failed_rounds == before.failed_rounds && now.parks == now.wakes);
}

static void place_on_idle(void *arg) {
    unsigned other = 1 - here(), ran_on = 9;
    await_idle(other);
    cr_assert_eq(weft_spawn_at(other, note_node, &ran_on), WEFT_OK);
    cr_assert_eq(weft_sync(), WEFT_OK);
    *(unsigned *)arg += ran_on == other;
}

Test(placed, child_runs_on_its_node_while_somebody_is_idle_there, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", PATIENT_US);
    unsigned there = 0;
    for (int round = 0; round < 200; round++) {
        usleep(200); /* time to become idle, and a CPU: this thread spins while it waits */
        run(pool, place_on_idle, &there);
    }
    cr_assert_geq(there, 190, "only %u of 200", there); /* all, unless that worker gets no CPU for a second */
    weft_pool_destroy(pool);
}

/* A node whose only worker is busy until it is told otherwise. */
struct busy {
    _Atomic(int) begun, go_on, ended;
};

static void be_busy(void *arg) {
    struct busy *busy = arg;
    busy->begun = 1;
    while (!busy->go_on)
        usleep(100);
    busy->ended = 1;
}

static void await(_Atomic(int) *flag) {
    while (!*flag)
        usleep(100);
}

static void place_on_busy(void *arg) {
    static struct busy busy; /* be_busy() may look at it when this task has ended */
    (void)arg;
    unsigned self = here(), ran_on[3];
    cr_assert_eq(weft_submit(weft_current_pool(), be_busy, &busy, NULL), WEFT_OK); /* the other worker takes it */
    await(&busy.begun);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(weft_spawn_at(1 - self, note_node, &ran_on[i]), WEFT_OK);
    cr_assert_eq(weft_sync(), WEFT_OK);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(ran_on[i], self);
    busy.go_on = 1;
    await(&busy.ended); /* it is on this stack */
}

Test(placed, child_of_a_busy_node_is_run_by_its_parent, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", PATIENT_US);
    run(pool, place_on_busy, NULL);
    weft_pool_destroy(pool);
}

struct displaced {
    struct busy busy;
    unsigned home, ran_on;
};

/* A plain child of a placed task that runs away from its home: it sends parts there until the worker there is idle again. */
static void send_home(void *arg) {
    struct displaced *displaced = arg;
    displaced->busy.go_on = 1;
    for (int i = 0; i < 100000 && displaced->ran_on != displaced->home; i++) {
        cr_assert_eq(weft_spawn_at(WEFT_NODE_HOME, note_node, &displaced->ran_on), WEFT_OK);
        cr_assert_eq(weft_sync(), WEFT_OK);
        usleep(100);
    }
}

static void run_displaced(void *arg) {
    struct displaced *displaced = arg;
    cr_assert_neq(here(), displaced->home);
    cr_assert_eq(weft_spawn(send_home, displaced), WEFT_OK);
}

static void displace(void *arg) {
    struct displaced displaced = {.home = 1 - here(), .ran_on = 9};
    (void)arg;
    cr_assert_eq(weft_submit(weft_current_pool(), be_busy, &displaced.busy, NULL), WEFT_OK);
    await(&displaced.busy.begun);
    cr_assert_eq(weft_spawn_at(displaced.home, run_displaced, &displaced), WEFT_OK);
    cr_assert_eq(weft_sync(), WEFT_OK);
    cr_assert_eq(displaced.ran_on, displaced.home);
}

Test(placed, descendants_of_a_child_that_was_taken_elsewhere_can_be_sent_home, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", PATIENT_US);
    run(pool, displace, NULL);
    weft_pool_destroy(pool);
}

/* Submitted for a node: that is its home, wherever it runs. */
static void part_of_submitted(void *arg) {
    struct displaced *displaced = arg;
    cr_assert_neq(here(), displaced->home);
    send_home(displaced);
}

static void submit_displaced(void *arg) {
    struct displaced displaced = {.home = 1 - here(), .ran_on = 9};
    (void)arg;
    weft_pool *pool = weft_current_pool();
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = displaced.home};
    cr_assert_eq(weft_submit(pool, be_busy, &displaced.busy, NULL), WEFT_OK);
    await(&displaced.busy.begun);
    cr_assert_eq(weft_group_create(&there.group, pool), WEFT_OK);
    cr_assert_eq(weft_submit(pool, part_of_submitted, &displaced, &there), WEFT_OK);
    cr_assert_eq(weft_group_wait(there.group), WEFT_OK);
    cr_assert_eq(weft_group_destroy(there.group), WEFT_OK);
    cr_assert_eq(displaced.ran_on, displaced.home);
}

Test(placed, submitted_tasks_have_the_node_they_were_placed_on_as_home, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", PATIENT_US);
    run(pool, submit_displaced, NULL);
    weft_pool_destroy(pool);
}

static void misuse(void *arg) {
    (void)arg;
    cr_assert_eq(weft_spawn_at(0, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_spawn_at(2, count, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "node 2"));
    cr_assert_eq(weft_spawn_at(WEFT_NODE_HOME, NULL, NULL), WEFT_EINVAL);
}

Test(placed, needs_a_task_a_function_and_a_node_that_exists) {
    _Atomic(int) ran = 0;
    cr_assert_eq(weft_spawn_at(0, count, &ran), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "worker"));
    weft_pool *pool = make("node:2 core:1 pu:1", 0);
    run(pool, misuse, NULL);
    weft_pool_destroy(pool);
    cr_assert_eq(ran, 0);
}

struct waiting {
    weft_group *group;
    weft_status status;
};

static void wait_for_own(void *arg) {
    struct waiting *waiting = arg;
    waiting->status = weft_group_wait(waiting->group);
}

static void place_waiting(void *arg) {
    cr_assert_eq(weft_spawn_at(1 - here(), wait_for_own, arg), WEFT_OK);
}

Test(placed, child_cannot_wait_for_the_group_its_parent_counts_in, .timeout = 60) {
    weft_pool *pool = make("node:2 core:1 pu:1", 0);
    struct waiting waiting = {.status = WEFT_OK};
    cr_assert_eq(weft_group_create(&waiting.group, pool), WEFT_OK);
    cr_assert_eq(weft_group_spawn(waiting.group, place_waiting, &waiting), WEFT_OK);
    cr_assert_eq(weft_group_wait(waiting.group), WEFT_OK);
    cr_assert_eq(waiting.status, WEFT_EDEADLK);
    cr_assert_eq(weft_group_destroy(waiting.group), WEFT_OK);
    weft_pool_destroy(pool);
}
