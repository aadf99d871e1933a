/*
 * Pipelines of random shape on random pools: kinds of stages, threads, drops, failures, cancels, pauses and stalls, several at once,
 * inside tasks and from outside. Conservation: each stage runs once on each index that comes to it, ORDERED ones in order, SERIAL ones
 * on one at a time; what was started has finished or was dropped; of a run that fails, all that came before is finished.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/rng.h"
#include "parallel/pipeline.h"
#include "stress.h"
#include "weft.h"

#define STAGES 6u
#define MOST 400u

static _Atomic(uint64_t) total;

struct line {
    weft_pool *pool;
    weft_stage stages[STAGES];
    struct stage {
        struct line *line;
        unsigned number;
        _Atomic(unsigned) inside;
        uint64_t ordered; /* the least index that may come next */
        _Atomic(uint8_t) ran[2 * MOST];
    } states[STAGES];
    unsigned count, tokens;
    uint64_t seed;       /* of what happens to which token */
    uint64_t length;     /* tokens of the source */
    uint64_t fails_at;   /* an index, in some middle stage; UINT64_MAX: none does */
    uint64_t cancels_at; /* the same */
    bool stalls;         /* the source, now and then; `nudge` wakes it */
    _Atomic(bool) over;
    _Atomic(uint64_t) calls, filled, finished, drops;
    weft_pipeline *pipeline;
};

/* The same for every run: whether a stage drops a token. */
static bool drops(const struct line *line, unsigned stage, uint64_t index) {
    uint64_t random = line->seed + stage * 1000003 + index * 7919;
    return stage && wf_rng_below(&random, 16) == 0;
}

static void dawdle(const struct line *line, uint64_t index) {
    uint64_t random = line->seed ^ (index * 31);
    unsigned what = wf_rng_below(&random, 64);
    if (what == 0)
        usleep(50);
    else if (what < 4)
        sched_yield();
}

static weft_status run_stage(void *arg, weft_token *token) {
    struct stage *stage = arg;
    struct line *line = stage->line;
    weft_stage_kind kind = line->stages[stage->number].kind;
    CHECK(token->index < 2 * MOST);
    CHECK(atomic_fetch_add(&stage->inside, 1) == 0 || kind == WEFT_STAGE_PARALLEL);
    if (!stage->number && line->stalls && atomic_fetch_add(&line->calls, 1) % 16 == 3) {
        atomic_fetch_sub(&stage->inside, 1);
        return weft_token_stall(token);
    }
    if (!stage->number && atomic_fetch_add(&line->filled, 1) >= line->length) {
        atomic_fetch_sub(&stage->inside, 1);
        return weft_token_end(token);
    }
    CHECK(atomic_fetch_add(&stage->ran[token->index], 1) == 0);
    if (kind == WEFT_STAGE_ORDERED) {
        CHECK(token->index >= stage->ordered);
        stage->ordered = token->index + 1;
    }
    if (!stage->number)
        token->data = (void *)(uintptr_t)(token->index ^ line->seed);
    CHECK((uintptr_t)token->data == (token->index ^ line->seed));
    *(uint64_t *)token->buffer = stage->number ? *(uint64_t *)token->buffer + 1 : 0;
    dawdle(line, token->index);
    atomic_fetch_sub(&stage->inside, 1);
    if (stage->number == line->count - 1)
        atomic_fetch_add(&line->finished, 1);
    if (stage->number == 1 && token->index >= line->fails_at)
        return weft_token_fail(token, WEFT_EIO, "as planned");
    if (stage->number == 1 && token->index == line->cancels_at)
        weft_pipeline_cancel(line->pipeline);
    if (stage->number < line->count - 1 && drops(line, stage->number, token->index)) {
        atomic_fetch_add(&line->drops, 1);
        return weft_token_drop(token);
    }
    return WEFT_OK;
}

static void draw(struct line *line, weft_pool *pool, uint64_t *random) {
    static const char *const names[STAGES] = {"a", "b", "c", "d", "e", "f"};
    *line = (struct line){.pool = pool, .seed = wf_rng_next(random), .fails_at = UINT64_MAX, .cancels_at = UINT64_MAX};
    line->count = 2 + wf_rng_below(random, STAGES - 1);
    line->tokens = wf_rng_below(random, 4) ? 1 + wf_rng_below(random, 9) : 1 + wf_rng_below(random, 40);
    line->length = wf_rng_below(random, MOST);
    line->stalls = wf_rng_below(random, 3) == 0;
    unsigned threads = wf_rng_below(random, 2) ? 4 : 40; /* one stage in so many has its own */
    for (unsigned s = 0; s < line->count; s++) {
        weft_stage_kind kind = (weft_stage_kind)wf_rng_below(random, 3);
        line->states[s].line = line;
        line->states[s].number = s;
        unsigned own = wf_rng_below(random, threads) ? 0 : kind == WEFT_STAGE_PARALLEL ? 1 + wf_rng_below(random, 3) : 1;
        line->stages[s] = (weft_stage){WEFT_STAGE_INIT,  .name = names[s],        .kind = kind,
                                       .run = run_stage, .arg = &line->states[s], .threads = own};
    }
    unsigned fate = wf_rng_below(random, 6);
    if (fate == 0)
        line->fails_at = wf_rng_below(random, MOST);
    if (fate == 1)
        line->cancels_at = wf_rng_below(random, MOST);
}

static void forget(struct line *line) {
    for (unsigned s = 0; s < line->count; s++) {
        line->states[s].ordered = 0;
        memset(line->states[s].ran, 0, sizeof line->states[s].ran);
    }
    line->filled = line->finished = line->drops = 0;
}

/* The first stage that drops an index, or count. */
static unsigned reach(const struct line *line, uint64_t index) {
    for (unsigned s = 1; s + 1 < line->count; s++)
        if (drops(line, s, index))
            return s;
    return line->count;
}

static void check_tokens(const struct line *line, weft_status status) {
    for (uint64_t i = 0; i < 2 * MOST; i++) {
        unsigned ran = 0;
        while (ran < line->count && line->states[ran].ran[i])
            ran++;
        for (unsigned s = ran; s < line->count; s++)
            CHECK(!line->states[s].ran[i]);
        unsigned expected = !line->states[0].ran[i] ? 0 : reach(line, i) == line->count ? line->count : reach(line, i) + 1;
        bool whole = !status || (status == WEFT_EIO && i < line->fails_at);
        CHECK(whole ? ran == expected : ran <= expected);
    }
}

static void check_run(const struct line *line, weft_status status) {
    weft_pipeline_stats stats;
    CHECK(!weft_pipeline_get_stats(line->pipeline, &stats));
    CHECK(stats.started == stats.finished + stats.dropped);
    CHECK(status == WEFT_OK || (status == WEFT_EIO && line->fails_at < MOST) ||
          (status == WEFT_ECANCELED && line->cancels_at < MOST));
    if (!status)
        CHECK(stats.started == line->length && stats.finished == line->finished && stats.dropped == line->drops);
    check_tokens(line, status);
}

/* Wakes the source, also for nothing, and pauses it. */
static void *nudge(void *arg) {
    struct line *line = arg;
    uint64_t random = line->seed;
    while (!line->over) {
        weft_pipeline_wake(line->pipeline);
        sched_yield();
        if (wf_rng_below(&random, 4))
            continue;
        weft_pipeline_pause(line->pipeline);
        sched_yield();
        weft_pipeline_resume(line->pipeline);
    }
    return NULL;
}

static void run_line(void *arg) {
    struct line *line = arg;
    weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .token_bytes = sizeof(uint64_t), .tune = line->seed % 3 == 0};
    CHECK(!weft_pipeline_create(&line->pipeline, line->pool, line->stages, line->count, line->tokens, &options));
    line->pipeline->tune.window_ns = 0; /* as often as it comes */
    pthread_t nudger;
    line->over = false;
    CHECK(!line->stalls || !pthread_create(&nudger, NULL, nudge, line));
    for (int again = 0; again < 3; again++) {
        forget(line);
        check_run(line, weft_pipeline_run(line->pipeline, (uint64_t)again));
    }
    line->over = true;
    if (line->stalls)
        pthread_join(nudger, NULL);
    CHECK(!weft_pipeline_destroy(line->pipeline));
}

static void *run_outside(void *arg) {
    run_line(arg);
    return NULL;
}

static void *run_in_task(void *arg) {
    struct line *line = arg;
    CHECK(!weft_run(line->pool, run_line, line));
    return NULL;
}

static void try_pool(const char *shape, uint64_t seed) {
    weft_pool *pool;
    enum { AT_ONCE = 3 };
    static struct line lines[AT_ONCE];
    pthread_t threads[AT_ONCE];
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = shape, .spin_us = seed % 2 ? 20 : WEFT_SPIN_NONE};
    options.submit_limit = seed % 3 ? 0 : 1;
    CHECK(!weft_pool_create(&pool, &options));
    for (int i = 0; i < AT_ONCE; i++) {
        draw(&lines[i], pool, &seed);
        CHECK(!pthread_create(&threads[i], NULL, wf_rng_below(&seed, 2) ? run_outside : run_in_task, &lines[i]));
    }
    for (int i = 0; i < AT_ONCE; i++) {
        pthread_join(threads[i], NULL);
        total += lines[i].filled;
    }
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    static const char *const shapes[] = {"core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:1 pu:1"};
    uint64_t seed = stress_seed();
    alarm(280);
    for (unsigned s = 0; s < 4; s++) {
        for (uint64_t i = stress_scale(60); i; i--)
            try_pool(shapes[s], wf_rng_next(&seed));
        printf("%-20s %" PRIu64 " tokens so far\n", shapes[s], (uint64_t)total);
    }
    return 0;
}
