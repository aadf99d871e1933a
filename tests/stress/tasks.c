/*
 * Random trees of tasks on pools of several shapes: spawn (some on a node) and sync, groups inside tasks, submissions from tasks and from
 * outside, a lock held across a wait. Conservation: every task that was made ran once, and every parent saw its children.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

static _Atomic(uint64_t) made, ran;
static weft_pool *pool;

struct tree {
    uint64_t random;
    int depth;
    uint64_t count; /* plain: written by the task, read by its parent after the wait */
};

static void node(void *arg);

static void grow(struct tree *tree, struct tree *children, unsigned count, weft_group *group) {
    for (unsigned i = 0; i < count; i++) {
        children[i] = (struct tree){wf_rng_next(&tree->random), tree->depth - 1, 0};
        atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
        if (group)
            CHECK(!weft_group_spawn(group, node, &children[i]));
        else if (wf_rng_below(&tree->random, 4) == 0)
            CHECK(!weft_spawn_at(wf_rng_below(&tree->random, weft_pool_nodes(pool)), node, &children[i]));
        else
            CHECK(!weft_spawn(node, &children[i]));
    }
}

static void node(void *arg) {
    struct tree *tree = arg;
    struct tree children[4];
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
    tree->count = 1;
    if (!tree->depth)
        return;
    unsigned count = wf_rng_below(&tree->random, 5);
    weft_group *group = NULL;
    if (wf_rng_below(&tree->random, 4) == 0)
        CHECK(!weft_group_create(&group, pool));
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* never contended: held across a wait by its only task */
    pthread_mutex_lock(&lock);
    grow(tree, children, count, group);
    CHECK(!(group ? weft_group_wait(group) : weft_sync()));
    pthread_mutex_unlock(&lock);
    CHECK(!weft_group_destroy(group));
    for (unsigned i = 0; i < count; i++) {
        CHECK(children[i].count > 0);
        tree->count += children[i].count;
    }
}

static void *outside(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    uint64_t rounds = stress_scale(6000);
    weft_group *group;
    CHECK(!weft_group_create(&group, pool));
    for (uint64_t round = 0; round < rounds; round++) {
        struct tree roots[4];
        for (int i = 0; i < 4; i++) {
            roots[i] = (struct tree){wf_rng_next(&random), 7, 0};
            atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
            CHECK(!weft_submit(pool, node, &roots[i],
                               &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .placed = true,
                                                      .node = (unsigned)i % weft_pool_nodes(pool), .group = group}));
        }
        CHECK(!weft_group_wait(group));
        for (int i = 0; i < 4; i++)
            CHECK(roots[i].count > 0);
    }
    CHECK(!weft_group_destroy(group));
    return NULL;
}

int main(void) {
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:1 pu:1"};
    uint64_t seed = stress_seed();
    alarm(280);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = shapes[s], .deque_slots = 64,
                                                            .spin_us = s % 2 ? 20 : WEFT_SPIN_NONE}));
        uint64_t before = ran;
        pthread_t threads[2];
        uint64_t seeds[2] = {seed + s, ~seed + s};
        for (int i = 0; i < 2; i++)
            CHECK(!pthread_create(&threads[i], NULL, outside, &seeds[i]));
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        weft_stats stats;
        CHECK(!weft_pool_stats(pool, -1, &stats));
        CHECK(!weft_pool_destroy(pool));
        CHECK(made == ran);
        CHECK(stats.tasks == ran - before);
        printf("%-20s %" PRIu64 " tasks so far, %" PRIu64 " steals\n", shapes[s], (uint64_t)ran,
               stats.steals_cache + stats.steals_node + stats.steals_remote[0]);
    }
    return 0;
}
