/*
 * Sleep and wake races on a whole pool that never spins: submitters with random pauses, so that workers are on their way to
 * sleep when a task arrives. A lost wake-up leaves a task lying and the program hanging; the watchdog says so.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define SUBMITTERS 2

static _Atomic(uint64_t) ran;
static weft_pool *pool;
static uint64_t rounds;

static void task(void *arg) {
    (void)arg;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

/* One task at a time: submitted, waited for, so that the pool is going to sleep again at the next. */
static void *submitter(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    weft_group *group;
    CHECK(!weft_group_create(&group, pool));
    for (uint64_t i = 0; i < rounds; i++) {
        uint32_t burst = 1 + wf_rng_below(&random, 3);
        for (uint32_t k = 0; k < burst; k++)
            CHECK(!weft_group_spawn(group, task, NULL));
        CHECK(!weft_group_wait(group));
        for (volatile uint32_t pause = wf_rng_below(&random, 400); pause; pause--)
            ;
    }
    CHECK(!weft_group_destroy(group));
    return NULL;
}

int main(void) {
    uint64_t seed = stress_seed();
    rounds = stress_scale(1000000);
    alarm(280); /* a lost wake-up hangs */
    CHECK(!weft_pool_create(
        &pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1", .spin_us = WEFT_SPIN_NONE}));
    pthread_t threads[SUBMITTERS];
    uint64_t seeds[SUBMITTERS];
    for (int i = 0; i < SUBMITTERS; i++) {
        seeds[i] = seed + (uint64_t)i;
        CHECK(!pthread_create(&threads[i], NULL, submitter, &seeds[i]));
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    weft_stats stats;
    CHECK(!weft_pool_stats(pool, -1, &stats));
    CHECK(stats.tasks == ran);
    printf("%" PRIu64 " tasks, %" PRIu64 " sleeps\n", (uint64_t)ran, stats.parks);
    CHECK(!weft_pool_destroy(pool));
    return 0;
}
