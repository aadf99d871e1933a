/* parallel/pipeline*: how runs end that do not go well: failure, cancel, closed pools; runs that pause; stages that sleep; and what is refused. */
#include "pipeline.h"

#define FAILS_AT 117

static weft_status fail_late(void *arg, weft_token *token) {
    see(arg, token);
    if (token->index == FAILS_AT + 3)
        return weft_token_fail(token, WEFT_EINVAL, "behind the first");
    if (token->index == FAILS_AT)
        return weft_token_fail(token, WEFT_EIO, "image %d is broken", 42);
    return WEFT_OK;
}

static void try_failure(weft_stage_kind kind, unsigned threads, unsigned keeper) {
    const weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, keeper), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                                 stage("decode", fail_late, 2, kind, threads),
                                 stage("keep", keep, 0, WEFT_STAGE_ORDERED, keeper)};
    make_pool(0);
    make(stages, 4, 8, NULL);
    for (int again = 0; again < 5; again++) {
        begin_run(MOST);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EIO);
        cr_assert_str_eq(weft_error_detail(), "stage 'decode', token 117: image 42 is broken");
        cr_assert_eq(run.kept, FAILS_AT, "%lu", (unsigned long)run.kept);
        for (uint64_t i = 0; i < run.kept; i++)
            cr_assert_eq(run.order[i], i);
        weft_pipeline_stats stats;
        cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
        cr_assert_eq(stats.started, stats.finished + stats.dropped);
        cr_assert_eq(stats.finished, FAILS_AT);
    }
    end_all();
}

Test(pipeline_ends, keeps_what_comes_before_a_failure, .timeout = 60) {
    try_failure(WEFT_STAGE_PARALLEL, 0, 0);
}

Test(pipeline_ends, keeps_what_comes_before_a_failure_of_a_thread, .timeout = 60) {
    try_failure(WEFT_STAGE_PARALLEL, 3, 1);
}

Test(pipeline_ends, keeps_what_comes_before_a_failure_of_a_serial_stage, .timeout = 60) {
    try_failure(WEFT_STAGE_SERIAL, 0, 1);
}

static weft_status refuse(void *arg, weft_token *token) {
    (void)arg;
    return token->index == 3 ? WEFT_ENOTSUP : WEFT_OK;
}

static weft_status end_too_late(void *arg, weft_token *token) {
    (void)arg;
    return token->index == 2 ? weft_token_end(token) : WEFT_OK;
}

Test(pipeline_ends, names_the_stage_that_only_returned_a_status, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_SERIAL, 0), stage("refuse", refuse, 0, WEFT_STAGE_PARALLEL, 0)}, 2, 3,
         NULL);
    begin_run(50);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_ENOTSUP);
    cr_assert_str_eq(weft_error_detail(), "stage 'refuse', token 3: returned WEFT_ENOTSUP");
    cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_SERIAL, 0), stage("late", end_too_late, 0, WEFT_STAGE_PARALLEL, 1)}, 2,
         3, NULL);
    begin_run(50);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "stage 'late', token 2: weft_token_end() is for the first stage"), "%s",
              weft_error_detail());
    end_all();
}

static weft_status fail_source(void *arg, weft_token *token) {
    fill(arg, token);
    return token->index == 20 ? weft_token_fail(token, WEFT_OK, "no status") : WEFT_OK;
}

Test(pipeline_ends, ends_when_its_source_fails, .timeout = 60) {
    for (unsigned threads = 0; threads < 2; threads++) {
        make_pool(0);
        make((weft_stage[]){stage("fill", fail_source, 0, WEFT_STAGE_ORDERED, threads),
                            stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
             2, 4, NULL);
        begin_run(MOST);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EINVAL);
        cr_assert_str_eq(weft_error_detail(), "stage 'fill', token 20: no status");
        cr_assert_eq(run.kept, 20);
        end_all();
    }
}

Test(pipeline_ends, is_canceled_under_an_endless_source, .timeout = 60) {
    for (unsigned threads = 0; threads < 2; threads++) {
        make_pool(0);
        make((weft_stage[]){stage("endless", endless, 0, WEFT_STAGE_ORDERED, threads),
                            stage("a", pass, 0, WEFT_STAGE_PARALLEL, 0), stage("b", pass, 0, WEFT_STAGE_ORDERED, threads)},
             3, 6, NULL);
        for (int again = 0; again < 20; again++) {
            begin_run(0);
            cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
            cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_EINVAL);
            cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_EINVAL);
            while (run.filled < 100)
                sched_yield();
            weft_pipeline_cancel(pipeline);
            weft_pipeline_cancel(pipeline);
            cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_ECANCELED);
            cr_assert_str_eq(weft_error_detail(), "the pipeline was canceled");
            cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_EINVAL);
        }
        end_all();
    }
}

static weft_status cancel_itself(void *arg, weft_token *token) {
    (void)arg;
    if (token->index < 40)
        return WEFT_OK;
    cr_assert(!weft_token_canceled(token) || token->index > 40);
    weft_pipeline_cancel(pipeline);
    cr_assert(weft_token_canceled(token));
    return WEFT_OK;
}

Test(pipeline_ends, is_canceled_by_a_stage, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("endless", endless, 0, WEFT_STAGE_ORDERED, 0),
                        stage("cancel", cancel_itself, 0, WEFT_STAGE_PARALLEL, 0), stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
         3, 6, NULL);
    begin_run(0);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_ECANCELED);
    cr_assert_leq(run.kept, 46);
    end_all();
}

/* A source that waits in the kernel for what never comes. */
static int ends[2];
static _Atomic(int) interrupts;

static weft_status read_pipe(void *arg, weft_token *token) {
    (void)arg;
    char byte;
    run.filled++;
    return read(ends[0], &byte, 1) == 1 ? WEFT_OK : weft_token_fail(token, WEFT_EIO, "read failed");
}

static void write_pipe(void *arg) {
    (void)arg;
    interrupts++;
    cr_assert_eq(write(ends[1], "x", 1), 1);
}

Test(pipeline_ends, interrupts_a_source_that_waits, .timeout = 60) {
    cr_assert_eq(pipe(ends), 0);
    weft_stage stages[] = {stage("read", read_pipe, 0, WEFT_STAGE_ORDERED, 1), stage("fail", refuse, 0, WEFT_STAGE_PARALLEL, 0)};
    stages[0].interrupt = write_pipe;
    make_pool(0);
    make(stages, 2, 8, NULL);
    begin_run(0);
    cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
    while (!run.filled)
        sched_yield();
    weft_pipeline_cancel(pipeline);
    cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_ECANCELED);
    cr_assert_eq(interrupts, 1);
    begin_run(0);
    cr_assert_eq(write(ends[1], "abcd", 4), 4); /* the last of these fails behind the source */
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_ENOTSUP);
    cr_assert_eq(interrupts, 2);
    end_all();
}

Test(pipeline_ends, is_refused_by_a_pool_that_is_closed, .timeout = 60) {
    for (unsigned threads = 0; threads < 2; threads++) {
        make_pool(0);
        make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, threads), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                            stage("keep", keep, 0, WEFT_STAGE_ORDERED, 1)},
             3, 8, NULL);
        cr_assert_eq(weft_pool_close(pool), WEFT_OK);
        begin_run(300);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_ECLOSED, "%s", weft_error_detail());
        cr_assert_eq(run.kept, 0);
        end_all();
    }
}

static void refused(weft_stage bad, unsigned tokens, const char *why) {
    const weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), bad};
    weft_pipeline *none = NULL;
    cr_assert_eq(weft_pipeline_create(&none, pool, stages, 2, tokens, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), why), "%s", weft_error_detail());
    cr_assert_null(none);
}

Test(pipeline_ends, refuses_what_cannot_run_and_says_why, .timeout = 60) {
    make_pool(1);
    weft_stage good = stage("good", see, 1, WEFT_STAGE_PARALLEL, 0), bad = good;
    refused(good, 0, "0 tokens");
    refused(good, 2000000, "2000000 tokens");
    refused(stage(NULL, see, 1, WEFT_STAGE_PARALLEL, 0), 3, "stage 1 has no name");
    refused(stage("", see, 1, WEFT_STAGE_PARALLEL, 0), 3, "stage 1 has no name");
    refused(stage("fill", see, 1, WEFT_STAGE_PARALLEL, 0), 3, "both named 'fill'");
    refused(stage("good", NULL, 1, WEFT_STAGE_PARALLEL, 0), 3, "'good' has no function");
    refused(stage("good", see, 1, (weft_stage_kind)9, 0), 3, "the kind of stage 'good' is 9");
    refused(stage("good", see, 1, WEFT_STAGE_SERIAL, 2), 3, "stage 'good' runs on one token at a time and has 2 threads");
    bad.size = 24;
    refused(bad, 3, "weft_stage.size of stage 1 is 24");
    weft_pipeline *none = NULL;
    cr_assert_eq(weft_pipeline_create(&none, pool, &good, 0, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_create(&none, NULL, &good, 1, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_create(NULL, pool, &good, 1, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_create(&none, pool, NULL, 1, 3, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_create(&none, pool, &good, 1, 3, &(weft_pipeline_options){0}), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_start(NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_wait(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_run(NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_destroy(NULL), WEFT_OK);
    weft_pipeline_cancel(NULL);
    cr_assert_eq(weft_token_drop(NULL), WEFT_EINVAL);
    make(&good, 1, 3, NULL);
    cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "was not started"));
    weft_stage_stats stats;
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 1, &stats), WEFT_EINVAL);
    weft_pipeline_cancel(pipeline); /* nothing runs */
    end_all();
}

Test(pipeline_ends, a_pause_keeps_the_source_from_being_called, .timeout = 60) {
    for (unsigned threads = 0; threads < 2; threads++) {
        make_pool(0);
        make((weft_stage[]){stage("endless", endless, 0, WEFT_STAGE_ORDERED, threads),
                            stage("pass", pass, 0, WEFT_STAGE_PARALLEL, 0)},
             2, 4, NULL);
        begin_run(0);
        weft_pipeline_pause(pipeline);
        cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
        weft_pipeline_stats stats = {0};
        for (uint64_t before = 0; before < 5; before++) {
            weft_pipeline_resume(pipeline);
            weft_pipeline_resume(pipeline);
            while (run.filled < (before + 1) * 50)
                sched_yield();
            weft_pipeline_pause(pipeline);
            do { /* a call that had begun may end */
                sched_yield();
                cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
            } while (stats.started != stats.finished || stats.started < run.filled);
            uint64_t filled = run.filled;
            for (int i = 0; i < 200; i++)
                sched_yield();
            cr_assert_leq(run.filled, filled + 1);
            run.filled = (before + 1) * 50;
        }
        weft_pipeline_cancel(pipeline); /* while it is paused */
        cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_ECANCELED);
        weft_pipeline_pause(NULL);
        weft_pipeline_resume(NULL);
        weft_pipeline_wake(NULL);
        end_all();
    }
}

/* What a source has, put there by another thread. */
static _Atomic(uint64_t) there, used;
static _Atomic(bool) no_more;

static weft_status take(void *arg, weft_token *token) {
    (void)arg;
    bool last = no_more; /* before the look: what comes later is followed by a wake */
    if (used < there) {
        used++;
        return WEFT_OK;
    }
    return last ? weft_token_end(token) : weft_token_stall(token);
}

static void *feed(void *arg) {
    (void)arg;
    for (int i = 0; i < 2000; i++) {
        there++;
        weft_pipeline_wake(pipeline);
        if (i % 50 == 0)
            usleep(100);
    }
    no_more = true;
    weft_pipeline_wake(pipeline);
    return NULL;
}

Test(pipeline_ends, a_source_that_stalls_is_called_again_when_it_is_woken, .timeout = 60) {
    for (unsigned i = 0; i < 4; i++) {
        pthread_t feeder;
        make_pool(i % 2);
        make((weft_stage[]){stage("take", take, 0, WEFT_STAGE_ORDERED, i / 2), stage("see", pass, 0, WEFT_STAGE_PARALLEL, 0),
                            stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
             3, 4, NULL);
        begin_run(0);
        there = used = 0;
        no_more = false;
        cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
        cr_assert_eq(pthread_create(&feeder, NULL, feed, NULL), 0);
        cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_OK, "%s", weft_error_detail());
        pthread_join(feeder, NULL);
        cr_assert_eq(run.kept, 2000);
        for (uint64_t k = 0; k < 2000; k++)
            cr_assert_eq(run.order[k], k);
        end_all();
    }
}

static weft_status stall_too_late(void *arg, weft_token *token) {
    (void)arg;
    return weft_token_stall(token);
}

Test(pipeline_ends, only_the_source_may_stall, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("late", stall_too_late, 0, WEFT_STAGE_PARALLEL, 0)},
         2, 4, NULL);
    begin_run(10);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "weft_token_stall() is for the first stage only"), "%s", weft_error_detail());
    end_all();
}

static weft_status nap(void *arg, weft_token *token) {
    usleep(2000);
    return see(arg, token);
}

static weft_status compute(void *arg, weft_token *token) {
    for (volatile int i = 0; i < 300000; i++)
        ;
    return see(arg, token);
}

Test(pipeline_ends, tells_which_stage_sleeps_on_the_pool, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("nap", nap, 1, WEFT_STAGE_PARALLEL, 0),
                        stage("compute", compute, 2, WEFT_STAGE_ORDERED, 0), stage("nap apart", nap, 3, WEFT_STAGE_PARALLEL, 2)},
         4, 4, NULL);
    begin_run(60);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    weft_stage_stats naps, computes, apart;
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 1, &naps), WEFT_OK);
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 2, &computes), WEFT_OK);
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 3, &apart), WEFT_OK);
    cr_assert(naps.blocks);
    cr_assert_geq(naps.blocked_ns, naps.busy_ns / 2);
    cr_assert_leq(naps.blocked_ns, naps.busy_ns);
    cr_assert(!computes.blocks);
    cr_assert(!apart.blocks); /* it has threads of its own, and is not watched */
    cr_assert_eq(apart.blocked_ns, 0);
    end_all();
}

Test(pipeline_ends, tells_how_long_the_source_waits_for_tokens, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 1), stage("nap", nap, 1, WEFT_STAGE_PARALLEL, 1)}, 2, 2, NULL);
    begin_run(20);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    weft_pipeline_stats stats;
    cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
    cr_assert_geq(stats.source_waits_ns, 10 * 1000000);
    cr_assert_leq(stats.source_waits_ns, stats.elapsed_ns);
    cr_assert_eq(stats.tokens_most, 2);
    end_all();
}
