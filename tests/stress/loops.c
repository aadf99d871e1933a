/*
 * Many loops at once: from outside, from tasks, nested, stealing and static, with bodies of uneven length. Every iteration of
 * every loop runs once, and the caller sees what the bodies wrote.
 */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define CALLERS 4
#define MOST 3000

static weft_pool *pool;

struct loop {
    unsigned char hits[MOST]; /* plain: each cell belongs to one iteration */
    uint64_t random;
    int depth;
};

static void run_loop(struct loop *loop, size_t n, uint64_t *random);

static void body(void *arg, weft_range range) {
    struct loop *loop = arg;
    for (size_t i = range.first; i < range.last; i++) {
        loop->hits[i]++;
        uint64_t random = loop->random + i;
        for (volatile uint32_t spin = wf_rng_below(&random, 64) == 0 ? 2000 : 2; spin; spin--)
            ;
        if (loop->depth && wf_rng_below(&random, 256) == 0) {
            struct loop *inner = malloc(sizeof *inner);
            inner->depth = loop->depth - 1;
            run_loop(inner, wf_rng_below(&random, 200), &random);
            free(inner);
        }
    }
}

static void run_loop(struct loop *loop, size_t n, uint64_t *random) {
    memset(loop->hits, 0, sizeof loop->hits);
    loop->random = wf_rng_next(random);
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &report,
                                .schedule = wf_rng_below(random, 3) ? WEFT_SCHEDULE_STEAL : WEFT_SCHEDULE_STATIC,
                                .grain = wf_rng_below(random, 2) ? 0 : 1 + wf_rng_below(random, 50)};
    CHECK(!weft_for(pool, n, body, loop, &options));
    for (size_t i = 0; i < n; i++)
        CHECK(loop->hits[i] == 1);
    CHECK(report.iterations == n);
    CHECK(report.iterations_local <= n);
}

struct caller {
    uint64_t random;
    bool in_task;
};

static void call_loops(void *arg) {
    struct caller *caller = arg;
    struct loop *loop = malloc(sizeof *loop);
    loop->depth = 2;
    run_loop(loop, wf_rng_below(&caller->random, MOST), &caller->random);
    free(loop);
}

static void *outside(void *arg) {
    struct caller *caller = arg;
    uint64_t rounds = stress_scale(6000);
    weft_group *group;
    CHECK(!weft_group_create(&group, pool));
    for (uint64_t round = 0; round < rounds; round++) {
        if (caller->in_task && round % 2) {
            CHECK(!weft_run(pool, call_loops, caller));
        } else if (caller->in_task) {
            CHECK(!weft_group_spawn(group, call_loops, caller));
            CHECK(!weft_group_wait(group));
        } else {
            call_loops(caller);
        }
    }
    CHECK(!weft_group_destroy(group));
    return NULL;
}

int main(void) {
    static const char *const shapes[] = {"core:1 pu:1", "core:2 pu:1", "node:2 core:2 pu:1", "node:4 core:2 pu:1"};
    uint64_t seed = stress_seed();
    alarm(290);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        CHECK(!weft_pool_create(
            &pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = shapes[s], .spin_us = s % 2 ? WEFT_SPIN_NONE : 30}));
        pthread_t threads[CALLERS];
        struct caller callers[CALLERS];
        for (int i = 0; i < CALLERS; i++) {
            callers[i] = (struct caller){seed + s * 16 + (uint64_t)i, i % 2};
            CHECK(!pthread_create(&threads[i], NULL, outside, &callers[i]));
        }
        for (int i = 0; i < CALLERS; i++)
            pthread_join(threads[i], NULL);
        weft_stats stats;
        CHECK(!weft_pool_stats(pool, -1, &stats));
        printf("%-20s %" PRIu64 " iterations, %" PRIu64 " of them local, %" PRIu64 " steals\n", shapes[s], stats.loop_iterations,
               stats.loop_iterations_local, stats.steals_cache + stats.steals_node + stats.steals_remote[0]);
        CHECK(!weft_pool_destroy(pool));
    }
    return 0;
}
