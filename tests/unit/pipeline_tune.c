/* parallel/pipeline_tune: the search finds where more tokens stop to pay; and pipelines that are tuned do all they did before. */
#include "parallel/pipeline_tune.h"

#include "parallel/pipeline.h"
#include "pipeline.h"

/* A line of which `knee` tokens keep the slowest stage busy. */
static double rate_of(unsigned tokens, unsigned knee) {
    return tokens < knee ? tokens : knee;
}

static unsigned most_used;

static void settle(struct wf_tune *tune, unsigned knee, double waits, unsigned windows) {
    most_used = 0;
    while (windows--) {
        wf_tune_step(tune, rate_of(tune->now, knee), waits);
        most_used = tune->now > most_used ? tune->now : most_used;
        cr_assert_geq(tune->now, tune->least);
        cr_assert_leq(tune->now, tune->most);
    }
}

Test(pipeline_tune, finds_the_knee_from_both_sides) {
    static const unsigned knees[] = {1, 3, 8, 20, 100, 1000};
    static const unsigned begins[] = {1, 10, 1000};
    for (unsigned k = 0; k < WF_ARRAY_LENGTH(knees); k++)
        for (unsigned b = 0; b < WF_ARRAY_LENGTH(begins); b++) {
            struct wf_tune tune;
            wf_tune_init(&tune, 1, begins[b], 1000);
            settle(&tune, knees[k], 1, 400);
            unsigned settled = tune.before ? tune.before : tune.now;
            cr_assert_geq(settled, knees[k] - knees[k] / 30, "knee %u from %u: %u", knees[k], begins[b], settled);
            cr_assert_leq(settled, knees[k] + knees[k] / 2 + 1, "knee %u from %u: %u", knees[k], begins[b], settled);
        }
}

Test(pipeline_tune, follows_a_line_that_changes) {
    struct wf_tune tune;
    wf_tune_init(&tune, 2, 4, 500);
    static const unsigned knees[] = {10, 200, 5};
    for (unsigned k = 0; k < WF_ARRAY_LENGTH(knees); k++) {
        settle(&tune, knees[k], 1, 600);
        unsigned settled = tune.before ? tune.before : tune.now;
        cr_assert_geq(settled, knees[k] - knees[k] / 30);
        cr_assert_leq(settled, knees[k] + knees[k] / 2 + 1);
    }
}

Test(pipeline_tune, takes_no_more_when_the_source_never_waits) {
    struct wf_tune tune;
    wf_tune_init(&tune, 3, 20, 500);
    settle(&tune, 6, 0, 100);
    cr_assert_leq(most_used, 20);
    settle(&tune, 6, 0, 100);
    unsigned settled = tune.before ? tune.before : tune.now;
    cr_assert_geq(settled, 6);
    cr_assert_leq(settled, 8);
}

Test(pipeline_tune, begins_within_its_bounds) {
    struct wf_tune tune;
    wf_tune_init(&tune, 7, 2, 9);
    cr_assert_eq(tune.now, 7);
    wf_tune_init(&tune, 1, 20, 9);
    cr_assert_eq(tune.now, 9);
}

static weft_status nap(void *arg, weft_token *token) {
    usleep(200);
    return see(arg, token);
}

/* `nap` has 8 threads, and tokens that wait there for order behind a slow one: more than the 11 that it begins with pay, all 512 do not. */
Test(pipeline_tune, a_tuned_run_is_the_same_run_with_fewer_tokens, .timeout = 60) {
    for (unsigned workers = 1; workers < 3; workers++) {
        make_pool(workers);
        make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("nap", nap, 1, WEFT_STAGE_PARALLEL, 8),
                            stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
             3, 512, &(weft_pipeline_options){WEFT_PIPELINE_OPTIONS_INIT, .token_bytes = 64, .tune = true});
        pipeline->tune.window_ns = 1000000; /* so that some fit into the test */
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            begin_run(4000);
            cr_assert_eq(weft_pipeline_run(pipeline, epoch), WEFT_OK, "%s", weft_error_detail());
            cr_assert_eq(run.kept, 4000);
            for (uint64_t k = 0; k < 4000; k++)
                cr_assert_eq(run.order[k], k);
        }
        weft_pipeline_stats stats;
        cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
        cr_assert_leq(stats.tokens, 256);
        cr_assert_leq(stats.tokens_most, 256);
        cr_assert_geq(stats.tokens, 1);
        end_all();
    }
}

static weft_status gather(void *arg, weft_token *token) {
    (void)arg;
    run.kept += token->member_count;
    return WEFT_OK;
}

Test(pipeline_tune, batches_and_windows_are_filled_all_the_same, .timeout = 60) {
    make_pool(1);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0),
                        {WEFT_STAGE_INIT, .name = "mix", .kind = WEFT_STAGE_SHUFFLE, .window = 30},
                        {WEFT_STAGE_INIT, .name = "gather", .kind = WEFT_STAGE_BATCH, .run = gather, .batch = 25}},
         3, 200, &(weft_pipeline_options){WEFT_PIPELINE_OPTIONS_INIT, .tune = true});
    cr_assert_eq(pipeline->tune.least, 55);
    pipeline->tune.window_ns = 0;
    begin_run(3000);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(run.kept, 3000);
    end_all();
}

Test(pipeline_tune, is_not_for_tokens_that_others_take, .timeout = 60) {
    make_pool(1);
    weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0)};
    weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .tune = true, .pull = true};
    cr_assert_eq(weft_pipeline_create(&pipeline, pool, stages, 1, 4, &options), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "tune and pull"), "%s", weft_error_detail());
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}
