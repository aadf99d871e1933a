/* What the tests of pipelines share: a pool, a pipeline, and stages that note what they have seen. */
#ifndef WEFT_TESTS_UNIT_PIPELINE_H
#define WEFT_TESTS_UNIT_PIPELINE_H

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "weft.h"

#define MOST 4096

static weft_pool *pool;
static weft_pipeline *pipeline;

/* What a run does: how many tokens the source fills, and what the stages have seen. */
static struct {
    uint64_t count;                           /* tokens of the source */
    _Atomic(uint64_t) filled;                 /* so far */
    _Atomic(unsigned) seen[4][MOST];          /* runs of a stage on an index */
    uint64_t order[MOST];                     /* indexes as the last stage got them */
    uint64_t kept;                            /* how many */
    _Atomic(unsigned) inside[4], most_inside; /* tokens in a stage at once */
    _Atomic(unsigned) alive, most_alive;
} run;

static inline void make_pool(unsigned workers) {
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = workers}), WEFT_OK);
}

static inline void make(const weft_stage *stages, unsigned count, unsigned tokens, const weft_pipeline_options *options) {
    cr_assert_eq(weft_pipeline_create(&pipeline, pool, stages, count, tokens, options), WEFT_OK, "%s", weft_error_detail());
}

static inline void end_all(void) {
    cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

static inline void begin_run(uint64_t count) {
    memset(&run, 0, sizeof run);
    run.count = count;
}

static inline void raise_to(_Atomic(unsigned) *most, unsigned value) {
    unsigned seen = atomic_load(most);
    while (seen < value && !atomic_compare_exchange_weak(most, &seen, value))
        ;
}

static inline weft_status fill(void *arg, weft_token *token) {
    (void)arg;
    if (run.filled == run.count)
        return weft_token_end(token);
    run.filled++;
    raise_to(&run.most_alive, ++run.alive);
    run.seen[0][token->index]++;
    return WEFT_OK;
}

static inline weft_status see(void *arg, weft_token *token) {
    unsigned stage = (unsigned)(uintptr_t)arg;
    unsigned now = ++run.inside[stage];
    run.seen[stage][token->index]++;
    if (token->index % 7 == stage)
        sched_yield();
    if (stage == 2)
        raise_to(&run.most_inside, now);
    run.inside[stage]--;
    return WEFT_OK;
}

static inline weft_status keep(void *arg, weft_token *token) {
    (void)arg;
    run.order[run.kept++] = token->index;
    run.alive--;
    return WEFT_OK;
}

static inline weft_stage stage(const char *name, weft_stage_fn fn, uintptr_t arg, weft_stage_kind kind, unsigned threads) {
    return (weft_stage){WEFT_STAGE_INIT, .name = name, .run = fn, .arg = (void *)arg, .kind = kind, .threads = threads};
}

static inline void expect_all_in_order(uint64_t count) {
    cr_assert_eq(run.kept, count);
    for (uint64_t i = 0; i < count; i++) {
        cr_assert_eq(run.order[i], i);
        for (unsigned s = 0; s < 3; s++)
            cr_assert_eq(run.seen[s][i], 1, "stage %u, token %lu: %u times", s, (unsigned long)i, run.seen[s][i]);
    }
}

static inline weft_status endless(void *arg, weft_token *token) {
    (void)arg;
    (void)token;
    run.filled++;
    return WEFT_OK;
}

static inline weft_status pass(void *arg, weft_token *token) {
    (void)arg;
    (void)token;
    return WEFT_OK;
}

#endif
