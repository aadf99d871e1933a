/* parallel/pipeline*: kinds of stages, order, drops, threads of stages, buffers, nesting, statistics. */
#include "pipeline.h"

/* Every kind in the middle, on the pool and on threads, for some widths and numbers of tokens. */
static void try_kinds(unsigned workers, unsigned tokens, unsigned middle_threads, unsigned end_threads) {
    static const weft_stage_kind kinds[] = {WEFT_STAGE_PARALLEL, WEFT_STAGE_SERIAL, WEFT_STAGE_ORDERED};
    make_pool(workers);
    for (unsigned i = 0; i < 9; i++) {
        weft_stage_kind first = kinds[i % 3], second = kinds[i / 3];
        const weft_stage stages[] = {
            stage("fill", fill, 0, i % 2 ? WEFT_STAGE_ORDERED : WEFT_STAGE_SERIAL, end_threads),
            stage("first", see, 1, first, middle_threads && first == WEFT_STAGE_PARALLEL ? middle_threads : middle_threads != 0),
            stage("second", see, 2, second, 0),
            stage("keep", keep, 0, WEFT_STAGE_ORDERED, end_threads),
        };
        make(stages, 4, tokens, NULL);
        for (int again = 0; again < 3; again++) {
            begin_run(300);
            cr_assert_eq(weft_pipeline_run(pipeline, 5), WEFT_OK, "%s", weft_error_detail());
            expect_all_in_order(300);
            cr_assert_leq(run.most_alive, tokens);
            if (second != WEFT_STAGE_PARALLEL)
                cr_assert_leq(run.most_inside, 1);
        }
        cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK);
    }
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pipeline, runs_every_kind_in_order_on_one_worker, .timeout = 60) {
    try_kinds(1, 5, 0, 0);
}

Test(pipeline, runs_every_kind_in_order_on_several_workers, .timeout = 60) {
    try_kinds(0, 8, 0, 0);
}

Test(pipeline, runs_with_one_token, .timeout = 60) {
    try_kinds(0, 1, 0, 0);
}

Test(pipeline, runs_with_blocking_stages, .timeout = 60) {
    try_kinds(0, 6, 3, 0);
}

Test(pipeline, runs_between_blocking_ends, .timeout = 60) {
    try_kinds(1, 4, 2, 1);
}

static weft_status fill_parallel(void *arg, weft_token *token) {
    (void)arg;
    uint64_t mine = run.filled++;
    if (mine >= run.count)
        return weft_token_end(token);
    run.seen[0][token->index]++;
    return WEFT_OK;
}

static weft_status keep_rising(void *arg, weft_token *token) {
    (void)arg;
    cr_assert(!run.kept || run.order[run.kept - 1] < token->index);
    run.order[run.kept++] = token->index;
    return WEFT_OK;
}

/* Indexes of calls that found the end are left out, and nobody waits for them. */
static void try_parallel_source(unsigned threads) {
    const weft_stage stages[] = {stage("fill", fill_parallel, 0, WEFT_STAGE_PARALLEL, threads),
                                 stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                                 stage("keep", keep_rising, 0, WEFT_STAGE_ORDERED, 0)};
    make_pool(0);
    make(stages, 3, 8, NULL);
    for (int again = 0; again < 20; again++) {
        begin_run(200);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(run.kept, 200);
    }
    end_all();
}

Test(pipeline, takes_from_a_source_that_is_called_at_once, .timeout = 60) {
    try_parallel_source(0);
}

Test(pipeline, takes_from_several_threads_of_a_source, .timeout = 60) {
    try_parallel_source(3);
}

static weft_status drop_some(void *arg, weft_token *token) {
    see(arg, token);
    return token->index % 3 ? WEFT_OK : weft_token_drop(token);
}

Test(pipeline, passes_dropped_tokens_by_ordered_stages, .timeout = 60) {
    const weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0),
                                 stage("drop", drop_some, 1, WEFT_STAGE_PARALLEL, 0),
                                 stage("serial", see, 3, WEFT_STAGE_SERIAL, 0), stage("ordered", see, 2, WEFT_STAGE_ORDERED, 1),
                                 stage("keep", keep_rising, 0, WEFT_STAGE_ORDERED, 0)};
    make_pool(0);
    make(stages, 5, 4, NULL);
    begin_run(300);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    cr_assert_eq(run.kept, 200);
    for (unsigned i = 0; i < 300; i++)
        cr_assert_eq(run.seen[2][i], i % 3 ? 1 : 0);
    weft_pipeline_stats stats;
    weft_stage_stats dropping;
    cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 1, &dropping), WEFT_OK);
    cr_assert_eq(stats.started, 300);
    cr_assert_eq(stats.finished, 200);
    cr_assert_eq(stats.dropped, 100);
    cr_assert_eq(dropping.tokens, 300);
    cr_assert_eq(dropping.dropped, 100);
    end_all();
}

static _Atomic(unsigned) begun, ended;
static _Atomic(bool) begin_fails;

static weft_status begin(void *arg, unsigned thread) {
    (void)arg;
    cr_assert_lt(thread, 64);
    begun++;
    return begin_fails ? WEFT_EIO : WEFT_OK;
}

static void end(void *arg, unsigned thread) {
    (void)arg;
    (void)thread;
    ended++;
}

Test(pipeline, begins_and_ends_each_thread_once, .timeout = 60) {
    weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("threads", see, 1, WEFT_STAGE_PARALLEL, 3),
                           stage("pool", see, 2, WEFT_STAGE_PARALLEL, 0)};
    stages[1].begin = stages[2].begin = begin;
    stages[1].end = stages[2].end = end;
    make_pool(0);
    make(stages, 3, 6, NULL);
    for (int again = 0; again < 3; again++) {
        begin_run(100);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    }
    cr_assert_leq(begun, 3 + weft_pool_workers(pool));
    cr_assert_geq(begun, 2);
    cr_assert_eq(ended, 0);
    cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK);
    cr_assert_eq(begun, ended);
    begin_fails = true;
    make(stages, 3, 6, NULL);
    begin_run(100);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EIO);
    cr_assert(strstr(weft_error_detail(), "begin() on thread"), "%s", weft_error_detail());
    begin_fails = false;
    begin_run(100);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    end_all();
}

static weft_status look_at_thread(void *arg, weft_token *token) {
    (void)arg;
    sigset_t blocked;
    cpu_set_t cpus;
    cr_assert_eq(weft_current_worker(), -1);
    cr_assert_lt(token->thread, 2);
    cr_assert_eq(pthread_sigmask(SIG_BLOCK, NULL, &blocked), 0);
    cr_assert(sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGCHLD) && !sigismember(&blocked, SIGSEGV));
    cr_assert_eq(sched_getaffinity(0, sizeof cpus, &cpus), 0);
    cr_assert_eq(CPU_COUNT(&cpus), (int)(uintptr_t)token->data);
    return WEFT_OK;
}

static weft_status fill_cpus(void *arg, weft_token *token) {
    weft_status status = fill(arg, token);
    token->data = arg;
    return status;
}

Test(pipeline, threads_of_stages_do_not_inherit_what_their_creator_is_bound_to, .timeout = 60) {
    cpu_set_t before, one;
    cr_assert_eq(sched_getaffinity(0, sizeof before, &before), 0);
    make_pool(0);
    CPU_ZERO(&one);
    CPU_SET((unsigned)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    make((weft_stage[]){stage("fill", fill_cpus, (uintptr_t)CPU_COUNT(&before), WEFT_STAGE_ORDERED, 0),
                        stage("look", look_at_thread, 0, WEFT_STAGE_PARALLEL, 2)},
         2, 4, NULL);
    begin_run(50);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK, "%s", weft_error_detail());
    end_all();
}

#define BUFFER 5000

static weft_status fill_buffer(void *arg, weft_token *token) {
    weft_status status = fill(arg, token);
    cr_assert_null(token->data);
    cr_assert_eq(token->epoch, 77);
    cr_assert_eq(token->bytes, 0);
    weft_scratch_usage usage;
    cr_assert_eq(weft_scratch_get_usage(token->scratch, &usage), WEFT_OK);
    cr_assert_eq(usage.used_bytes, 0);
    cr_assert_eq(usage.limit_bytes, 100000);
    token->data = memset(weft_scratch_alloc(token->scratch, 1000), 'a' + (int)(token->index % 26), 1000);
    memset(token->buffer, 'a' + (int)(token->index % 26), BUFFER);
    token->bytes = BUFFER;
    return status;
}

static weft_status check_buffer(void *arg, weft_token *token) {
    (void)arg;
    for (int i = 0; i < BUFFER; i++)
        cr_assert_eq(((char *)token->buffer)[i], 'a' + (int)(token->index % 26));
    cr_assert_eq(((char *)token->data)[999], 'a' + (int)(token->index % 26));
    cr_assert_eq(token->bytes, 0);
    return WEFT_OK;
}

Test(pipeline, gives_each_token_a_buffer_and_an_arena, .timeout = 60) {
    make_pool(0);
    weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .token_bytes = BUFFER, .scratch_bytes = 100000};
    make((weft_stage[]){stage("fill", fill_buffer, 0, WEFT_STAGE_ORDERED, 0),
                        stage("check", check_buffer, 0, WEFT_STAGE_PARALLEL, 0)},
         2, 5, &options);
    begin_run(200);
    cr_assert_eq(weft_pipeline_run(pipeline, 77), WEFT_OK, "%s", weft_error_detail());
    weft_stage_stats stats;
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 0, &stats), WEFT_OK);
    cr_assert_eq(stats.bytes, 201 * BUFFER); /* the call that ended it has claimed some as well */
    weft_pipeline_stats all;
    cr_assert_eq(weft_pipeline_get_stats(pipeline, &all), WEFT_OK);
    cr_assert_geq(all.token_bytes, 5 * (BUFFER + 1000));
    end_all();
}

static _Atomic(int) children;

static void child(void *arg) {
    (void)arg;
    sched_yield();
    children++;
}

static weft_status leave_children(void *arg, weft_token *token) {
    (void)arg;
    cr_assert_eq(weft_spawn(child, NULL), WEFT_OK);
    cr_assert_eq(weft_spawn_at(WEFT_NODE_HOME, child, NULL), WEFT_OK);
    token->data = token;
    return WEFT_OK;
}

static weft_status count_children(void *arg, weft_token *token) {
    (void)arg;
    cr_assert_geq(children, 2 * (int)(token->index + 1));
    return WEFT_OK;
}

Test(pipeline, waits_for_what_a_stage_has_spawned, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("spawn", leave_children, 0, WEFT_STAGE_ORDERED, 0),
                        stage("count", count_children, 0, WEFT_STAGE_PARALLEL, 0)},
         3, 4, NULL);
    begin_run(500);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    cr_assert_eq(children, 1000);
    end_all();
}

static weft_status count_down(void *arg, weft_token *token) {
    uint64_t *left = arg;
    if (!*left)
        return weft_token_end(token);
    --*left;
    return WEFT_OK;
}

/* A pipeline inside a stage of another, and inside a task of a pool with one worker. */
static weft_status run_inner(void *arg, weft_token *token) {
    (void)arg;
    (void)token;
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EDEADLK);
    cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_EDEADLK);
    weft_pipeline *inner;
    uint64_t left = 40;
    const weft_stage stages[] = {stage("down", count_down, (uintptr_t)&left, WEFT_STAGE_SERIAL, 0),
                                 stage("thread", pass, 0, WEFT_STAGE_PARALLEL, 1), stage("pass", pass, 0, WEFT_STAGE_ORDERED, 0)};
    cr_assert_eq(weft_pipeline_create(&inner, pool, stages, 3, 4, NULL), WEFT_OK);
    cr_assert_eq(weft_pipeline_run(inner, 0), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(left, 0);
    cr_assert_eq(weft_pipeline_destroy(inner), WEFT_OK);
    return WEFT_OK;
}

static void run_outer(void *arg) {
    (void)arg;
    begin_run(30);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(run.kept, 30);
}

static void try_nested(unsigned workers, unsigned threads) {
    make_pool(workers);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("inner", run_inner, 0, WEFT_STAGE_PARALLEL, threads),
                        stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
         3, 3, NULL);
    for (int again = 0; again < 3; again++) {
        if (!threads) /* they are outside: a worker that waits inside a task does not help them */
            cr_assert_eq(weft_run(pool, run_outer, NULL), WEFT_OK);
        run_outer(NULL);
    }
    end_all();
}

Test(pipeline, nests_and_runs_inside_tasks, .timeout = 60) {
    try_nested(0, 0);
}

Test(pipeline, nests_on_one_worker, .timeout = 60) {
    try_nested(1, 0);
}

Test(pipeline, nests_on_threads_of_stages, .timeout = 60) {
    try_nested(1, 2);
}

Test(pipeline, two_share_one_worker_with_other_tasks, .timeout = 60) {
    make_pool(1);
    weft_pipeline *two[2];
    _Atomic(uint64_t) *filled = &run.filled;
    begin_run(0);
    for (int i = 0; i < 2; i++) {
        const weft_stage stages[] = {stage("endless", endless, 0, WEFT_STAGE_ORDERED, 0),
                                     stage("pass", pass, 0, WEFT_STAGE_PARALLEL, 0)};
        cr_assert_eq(weft_pipeline_create(&two[i], pool, stages, 2, 3, NULL), WEFT_OK);
        cr_assert_eq(weft_pipeline_start(two[i], 0), WEFT_OK);
    }
    while (*filled < 1000)
        sched_yield();
    cr_assert_eq(weft_submit(pool, child, NULL, NULL), WEFT_OK); /* has its turn although neither ends */
    for (weft_pipeline_stats stats = {0}; !children || !stats.started; sched_yield())
        cr_assert_eq(weft_pipeline_get_stats(two[1], &stats), WEFT_OK);
    for (int i = 0; i < 2; i++) {
        weft_pipeline_cancel(two[i]);
        cr_assert_eq(weft_pipeline_wait(two[i]), WEFT_ECANCELED);
        cr_assert_eq(weft_pipeline_destroy(two[i]), WEFT_OK);
    }
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pipeline, runs_in_a_pool_with_a_limit, .timeout = 60) {
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .submit_limit = 1}), WEFT_OK);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("thread", see, 1, WEFT_STAGE_PARALLEL, 2),
                        stage("pool", see, 2, WEFT_STAGE_PARALLEL, 0), stage("keep", keep, 0, WEFT_STAGE_ORDERED, 0)},
         4, 8, NULL);
    for (int again = 0; again < 5; again++) {
        begin_run(300);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK, "%s", weft_error_detail());
        expect_all_in_order(300);
        cr_assert_eq(weft_run(pool, run_outer, NULL), WEFT_OK);
    }
    end_all();
}

static weft_status slow(void *arg, weft_token *token) {
    struct timespec begin, now;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - begin.tv_sec) * 1000000000 + now.tv_nsec - begin.tv_nsec < 200000);
    return see(arg, token);
}

Test(pipeline, statistics_tell_the_bottleneck, .timeout = 60) {
    make_pool(0);
    make((weft_stage[]){stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                        stage("slow", slow, 2, WEFT_STAGE_SERIAL, 1)},
         3, 8, NULL);
    begin_run(100);
    cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_OK);
    weft_pipeline_stats stats;
    weft_stage_stats slowest, busiest;
    cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, 2, &slowest), WEFT_OK);
    cr_assert_eq(weft_pipeline_stage_stats(pipeline, stats.bottleneck, &busiest), WEFT_OK);
    cr_assert_geq(busiest.busy_share, slowest.busy_share); /* it is the same, unless another was interrupted while it was timed */
    cr_assert_gt(slowest.busy_share, 0);
    cr_assert_str_eq(slowest.name, "slow");
    cr_assert_geq(slowest.busy_ns, 100 * 200000);
    cr_assert_leq(slowest.busy_ns, stats.elapsed_ns);
    cr_assert_eq(slowest.queued, 0);
    cr_assert_geq(slowest.queued_most, 1);
    cr_assert_gt(slowest.queued_mean, 0);
    cr_assert_eq(stats.stages_local, 200);
    end_all();
}
