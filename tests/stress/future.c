/*
 * Random webs of futures on pools of several shapes: functions, promises that other threads set, chains, all and any; waited for from
 * outside and inside tasks, with and without an end; some cancelled, some released at once. Conservation: what ran saw the plain writes
 * of what it depends on, nothing ran twice, every future is done in the end, and no memory is left (AddressSanitizer).
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define COUNT 60u
#define ACTORS 3u
#define SOURCES 3u

struct cell {
    uint64_t value;           /* plain: 1 + the greatest of its sources' */
    const struct cell *after; /* NULL: it follows none */
    unsigned runs;
};

static weft_status work(void *arg, void **value) {
    struct cell *cell = arg;
    CHECK(!cell->runs++);
    cell->value = 1;
    *value = cell;
    return WEFT_OK;
}

static weft_status follow(void *arg, weft_status status, void *before, void **value) {
    struct cell *cell = arg;
    CHECK(!cell->runs++);
    cell->value = status || !before ? 1 : ((const struct cell *)before)->value + 1;
    *value = cell;
    return WEFT_OK;
}

struct web {
    weft_pool *pool;
    uint64_t random;
    weft_future *futures[COUNT];
    struct cell cells[COUNT];
    bool promised[COUNT];
};

static void *set_all(void *arg) {
    struct web *web = arg;
    for (unsigned i = 0; i < COUNT; i++) {
        if (!web->promised[i])
            continue;
        struct cell *cell = &web->cells[i];
        cell->value = 1;
        weft_status status = weft_future_set(web->futures[i], i % 5 ? WEFT_OK : WEFT_EIO, cell);
        CHECK(status == WEFT_OK || status == WEFT_ECANCELED);
    }
    return NULL;
}

static void make_one(struct web *web, unsigned i) {
    weft_async_options options = {WEFT_ASYNC_OPTIONS_INIT, .always = i % 2};
    unsigned kind = i < 4 ? i % 2 : wf_rng_below(&web->random, 6);
    weft_future *sources[SOURCES];
    for (unsigned k = 0; k < SOURCES && i; k++)
        sources[k] = web->futures[wf_rng_below(&web->random, i)];
    if (kind == 0)
        CHECK(!weft_async(web->pool, &web->futures[i], work, &web->cells[i], &options));
    else if (kind == 1)
        CHECK(!weft_future_create(&web->futures[i], web->pool) && (web->promised[i] = true));
    else if (kind == 2)
        CHECK(!weft_future_all(&web->futures[i], web->pool, sources, SOURCES));
    else if (kind == 3)
        CHECK(!weft_future_any(&web->futures[i], web->pool, sources, SOURCES));
    else
        CHECK(!weft_future_then(sources[0], &web->futures[i], follow, &web->cells[i], &options));
}

static void see(weft_future *future, uint64_t end_ns) {
    void *value = NULL;
    weft_status status = end_ns ? weft_future_wait_until(future, end_ns, &value) : weft_future_wait(future, &value);
    CHECK(status == WEFT_OK || status == WEFT_EIO || status == WEFT_ECANCELED || (end_ns && status == WEFT_ETIMEDOUT));
    CHECK(status || !value || ((const struct cell *)value)->value > 0);
}

static void see_some(void *arg) {
    struct web *web = arg;
    uint64_t random = web->random;
    for (unsigned i = 0; i < 10; i++)
        see(web->futures[wf_rng_below(&random, COUNT)],
            wf_rng_below(&random, 2) ? wf_now_ns() + wf_rng_below(&random, 100000) : 0);
}

static void weave(struct web *web) {
    pthread_t setter;
    weft_pool *pool = web->pool;
    uint64_t random = web->random;
    memset(web, 0, sizeof *web);
    web->pool = pool;
    web->random = random;
    for (unsigned i = 0; i < COUNT; i++)
        make_one(web, i);
    CHECK(!pthread_create(&setter, NULL, set_all, web));
    if (wf_rng_below(&web->random, 4) == 0)
        weft_future_cancel(web->futures[wf_rng_below(&web->random, COUNT)]);
    weft_group *group;
    CHECK(!weft_group_create(&group, pool));
    CHECK(wf_rng_below(&web->random, 2) ? !weft_run(pool, see_some, web) : !weft_group_spawn(group, see_some, web));
    for (unsigned i = 0; i < COUNT; i++)
        see(web->futures[COUNT - 1 - i], 0);
    CHECK(!weft_group_wait(group) && !weft_group_destroy(group));
    CHECK(!pthread_join(setter, NULL));
}

static void *act(void *arg) {
    const struct web *given = arg;
    struct web web = *given;
    for (uint64_t i = stress_scale(500); i > 0; i--) {
        weave(&web);
        for (unsigned k = 0; k < COUNT; k++)
            weft_future_release(web.futures[k]);
    }
    return NULL;
}

static void on_pool(const weft_pool_options *options, uint64_t *random) {
    struct web webs[ACTORS];
    pthread_t threads[ACTORS];
    weft_pool *pool;
    CHECK(!weft_pool_create(&pool, options));
    for (unsigned i = 0; i < ACTORS; i++) {
        webs[i] = (struct web){.pool = pool, .random = wf_rng_next(random)};
        CHECK(!pthread_create(&threads[i], NULL, act, &webs[i]));
    }
    for (unsigned i = 0; i < ACTORS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    uint64_t random = stress_seed();
    const char *const topologies[] = {"core:1 pu:1", "core:2 pu:1", "node:2 core:2 pu:1"};
    for (unsigned i = 0; i < 3; i++) {
        on_pool(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topologies[i]}, &random);
        on_pool(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topologies[i], .spin_us = WEFT_SPIN_NONE,
                                     .help = WEFT_HELP_ANY},
                &random);
    }
    return 0;
}
