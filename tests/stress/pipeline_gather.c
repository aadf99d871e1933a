/*
 * Pipelines with shuffles and batches of random shape on random pools, pulled or not, that end, fail, or are canceled. Conservation: a token is a
 * member of at most one batch; of a run that ends well each of exactly one, but for what drop_last leaves out; and what was started
 * is a member, or was dropped.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define MOST 600u

struct loader {
    weft_pool *pool;
    weft_pipeline *pipeline;
    weft_stage stages[6];
    unsigned count, tokens;
    size_t batch;
    bool pull, drop_last, one; /* batch exists at a time */
    uint64_t length, fails_at, cancels_at;
    _Atomic(uint64_t) filled, batches, arrived;
    _Atomic(uint8_t) member[2 * MOST];
};

static _Atomic(uint64_t) total;

static weft_status read_next(void *arg, weft_token *token) {
    struct loader *loader = arg;
    if (atomic_fetch_add(&loader->filled, 1) >= loader->length)
        return weft_token_end(token);
    CHECK(token->index < 2 * MOST);
    token->data = (void *)(uintptr_t)(token->index + 1);
    return WEFT_OK;
}

static weft_status decode(void *arg, weft_token *token) {
    struct loader *loader = arg;
    CHECK((uintptr_t)token->data == token->index + 1);
    if (token->index % 61 == 0)
        usleep(20);
    if (token->index == loader->cancels_at)
        weft_pipeline_cancel(loader->pipeline);
    return token->index == loader->fails_at ? weft_token_fail(token, WEFT_EIO, "as planned") : WEFT_OK;
}

static weft_status gather(void *arg, weft_token *batch) {
    struct loader *loader = arg;
    CHECK(batch->member_count > 0 && batch->member_count <= loader->batch);
    CHECK(batch->index == atomic_fetch_add(&loader->batches, 1));
    for (size_t i = 0; i < batch->member_count; i++) {
        uintptr_t index = (uintptr_t)batch->members[i]->data - 1;
        CHECK(atomic_fetch_add(&loader->member[index], 1) == 0);
        ((uint32_t *)batch->buffer)[i] = (uint32_t)index;
    }
    return WEFT_OK;
}

static weft_status arrive(void *arg, weft_token *batch) {
    struct loader *loader = arg;
    for (size_t i = 0; i < batch->member_count; i++)
        CHECK(loader->member[((uint32_t *)batch->buffer)[i]] == 1);
    CHECK(batch->index == loader->arrived);
    loader->arrived++;
    return WEFT_OK;
}

static void add(struct loader *loader, const char *name, weft_stage_kind kind, weft_stage_fn run, unsigned threads) {
    loader->stages[loader->count++] =
        (weft_stage){WEFT_STAGE_INIT, .name = name, .kind = kind, .run = run, .arg = loader, .threads = threads};
}

static void draw(struct loader *loader, weft_pool *pool, uint64_t *random) {
    memset(loader, 0, sizeof *loader);
    loader->pool = pool;
    loader->tokens = 4 + wf_rng_below(random, 30);
    loader->length = wf_rng_below(random, MOST);
    loader->pull = wf_rng_below(random, 2);
    loader->drop_last = wf_rng_below(random, 2);
    loader->fails_at = wf_rng_below(random, 5) ? UINT64_MAX : wf_rng_below(random, MOST);
    loader->cancels_at = wf_rng_below(random, 5) ? UINT64_MAX : wf_rng_below(random, MOST);
    bool parallel = !wf_rng_below(random, 3);
    add(loader, "read", parallel ? WEFT_STAGE_PARALLEL : WEFT_STAGE_ORDERED, read_next,
        wf_rng_below(random, 3) ? 0 : 1 + (parallel ? wf_rng_below(random, 3) : 0));
    add(loader, "decode", WEFT_STAGE_PARALLEL, decode, wf_rng_below(random, 3) ? 0 : 2);
    unsigned reach = loader->tokens;
    if (wf_rng_below(random, 2)) {
        add(loader, "shuffle", WEFT_STAGE_SHUFFLE, NULL, 0);
        unsigned window = 1 + wf_rng_below(random, reach - 2);
        loader->stages[2].window = window;
        reach -= window;
    }
    loader->batch = 1 + wf_rng_below(random, reach);
    add(loader, "batch", WEFT_STAGE_BATCH, gather, wf_rng_below(random, 2));
    weft_stage *batch = &loader->stages[loader->count - 1];
    batch->batch = loader->batch;
    batch->drop_last = loader->drop_last;
    batch->batches = wf_rng_below(random, 4);
    loader->one = batch->batches == 1;
    batch->batch_bytes = loader->batch * sizeof(uint32_t);
    if (wf_rng_below(random, 2))
        add(loader, "arrive", WEFT_STAGE_ORDERED, arrive, wf_rng_below(random, 2));
}

static void pull(struct loader *loader) {
    weft_token *batch = NULL, *before = NULL;
    for (uint64_t i = 0; !weft_pipeline_next(loader->pipeline, &batch) && batch; i++) {
        CHECK(batch->index == i);
        weft_token_release(before); /* if there are several batches, one is kept a while */
        before = NULL;
        if (!loader->one && i % 3 == 0)
            before = batch;
        else
            weft_token_release(batch);
    }
    weft_token_release(before);
}

static void check_run(struct loader *loader, weft_status status) {
    uint64_t members = 0;
    for (unsigned i = 0; i < 2 * MOST; i++)
        members += loader->member[i];
    weft_pipeline_stats stats;
    CHECK(!weft_pipeline_get_stats(loader->pipeline, &stats));
    CHECK(status == WEFT_OK || (status == WEFT_EIO && loader->fails_at < MOST) ||
          (status == WEFT_ECANCELED && loader->cancels_at < MOST));
    uint64_t rest = loader->length % loader->batch;
    if (!status)
        CHECK(members == loader->length - (loader->drop_last ? rest : 0) && stats.finished == loader->batches);
    if (status == WEFT_EIO && !loader->stages[2].window)
        CHECK(members == loader->fails_at / loader->batch * loader->batch);
    CHECK(members <= stats.started);
    total += members;
}

static void run_loader(void *arg) {
    struct loader *loader = arg;
    weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .pull = loader->pull};
    CHECK(!weft_pipeline_create(&loader->pipeline, loader->pool, loader->stages, loader->count, loader->tokens, &options));
    for (uint64_t epoch = 0; epoch < 3; epoch++) {
        loader->filled = loader->batches = loader->arrived = 0;
        memset(loader->member, 0, sizeof loader->member);
        CHECK(!weft_pipeline_start(loader->pipeline, epoch));
        if (loader->pull)
            pull(loader);
        check_run(loader, weft_pipeline_wait(loader->pipeline));
    }
    CHECK(!weft_pipeline_destroy(loader->pipeline));
}

static void *run_outside(void *arg) {
    run_loader(arg);
    return NULL;
}

static void *run_in_task(void *arg) {
    CHECK(!weft_run(((struct loader *)arg)->pool, run_loader, arg));
    return NULL;
}

static void try_pool(const char *shape, uint64_t seed) {
    enum { AT_ONCE = 2 };
    static struct loader loaders[AT_ONCE];
    weft_pool *pool;
    pthread_t threads[AT_ONCE];
    CHECK(!weft_pool_create(
        &pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = shape, .spin_us = seed % 2 ? 20 : WEFT_SPIN_NONE}));
    for (int i = 0; i < AT_ONCE; i++) {
        draw(&loaders[i], pool, &seed);
        CHECK(!pthread_create(&threads[i], NULL, wf_rng_below(&seed, 2) ? run_outside : run_in_task, &loaders[i]));
    }
    for (int i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i], NULL);
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1"};
    uint64_t seed = stress_seed();
    alarm(280);
    for (unsigned s = 0; s < 3; s++) {
        for (uint64_t i = stress_scale(80); i; i--)
            try_pool(shapes[s], wf_rng_next(&seed));
        printf("%-20s %" PRIu64 " members so far\n", shapes[s], (uint64_t)total);
    }
    return 0;
}
