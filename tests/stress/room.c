/*
 * Pools with a small limit under submitters that wait, that are refused and try again, batches, tasks that submit, and a close in the
 * middle. Conservation: every task that was accepted ran once. From outside never more than the limit waits or runs on a node.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define THREADS 4
#define LIMIT 5u

static _Atomic(uint64_t) accepted, ran, refused;
static _Atomic(int) inside[4]; /* per node: accepted from outside and not ended; at most the limit, as it is counted late */
static weft_pool *pool;
static bool closes; /* the pool, while they submit */

static void end_one(void *arg) {
    (void)arg;
    atomic_fetch_add(&ran, 1);
}

static void node_task(void *arg) {
    unsigned node = (unsigned)(uintptr_t)arg & 3;
    atomic_fetch_sub(&inside[node], 1);
    if ((uintptr_t)arg & 4) { /* beyond the limit, or refused once the pool is closed */
        weft_status status = weft_submit(pool, end_one, NULL, NULL);
        CHECK(!status || status == WEFT_ECLOSED);
        if (!status)
            atomic_fetch_add(&accepted, 1);
    }
    atomic_fetch_add(&ran, 1);
}

static weft_status submit_some(unsigned node, unsigned count, weft_full full, bool more) {
    void *args[LIMIT];
    for (unsigned i = 0; i < count; i++)
        args[i] = (void *)(uintptr_t)(node | (more ? 4u : 0));
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = node, .full = full};
    return count == 1 ? weft_submit(pool, node_task, args[0], &options)
                      : weft_submit_batch(pool, node_task, args, count, &options);
}

static void *outside(void *argument) {
    uint64_t random = *(uint64_t *)argument;
    for (uint64_t left = stress_scale(30000); left; left--) {
        unsigned node = wf_rng_below(&random, weft_pool_nodes(pool));
        unsigned count = wf_rng_below(&random, 4) ? 1 : 1 + wf_rng_below(&random, LIMIT);
        weft_full full = wf_rng_below(&random, 2) ? WEFT_FULL_BLOCK : WEFT_FULL_REFUSE;
        weft_status status = submit_some(node, count, full, !wf_rng_below(&random, 8));
        if (status == WEFT_ECLOSED && closes)
            break;
        if (status) {
            CHECK(status == WEFT_EAGAIN && full == WEFT_FULL_REFUSE);
            atomic_fetch_add(&refused, 1);
            sched_yield();
            continue;
        }
        CHECK(atomic_fetch_add(&inside[node], (int)count) + (int)count <= (int)LIMIT);
        atomic_fetch_add(&accepted, count);
    }
    return NULL;
}

static void try_pool(const char *shape, uint64_t seed) {
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = shape, .submit_limit = LIMIT,
                                                        .spin_us = seed % 2 ? 20 : WEFT_SPIN_NONE}));
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = seed * 31 + (uint64_t)i;
        CHECK(!pthread_create(&threads[i], NULL, outside, &seeds[i]));
    }
    if (closes) {
        usleep((useconds_t)(seed % 3000));
        CHECK(!weft_pool_close(pool));
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK(!weft_pool_destroy(pool));
    CHECK(accepted == ran);
}

int main(void) {
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:1 pu:1"};
    uint64_t seed = stress_seed();
    alarm(280);
    for (unsigned s = 0; s < 4; s++) {
        closes = false;
        try_pool(shapes[s], seed + s);
        closes = true;
        for (uint64_t i = stress_scale(100); i; i--)
            try_pool(shapes[s], wf_rng_next(&seed));
        printf("%-20s %" PRIu64 " tasks so far, %" PRIu64 " refusals\n", shapes[s], (uint64_t)ran, (uint64_t)refused);
    }
    return 0;
}
