/* parallel/pipeline_gather.c, pipeline_pull.c: batches, shuffles, and tokens that somebody takes. */
#include "pipeline.h"

static weft_status number(void *arg, weft_token *token) {
    weft_status status = fill(arg, token);
    token->data = (void *)(uintptr_t)token->index;
    return status;
}

static weft_status keep_data(void *arg, weft_token *token) {
    (void)arg;
    cr_assert_eq(token->index, run.kept); /* numbered anew */
    run.order[run.kept++] = (uintptr_t)token->data;
    return WEFT_OK;
}

/* What came in batches: how many members each had, and what they were. */
static struct {
    uint64_t sizes[MOST], batches, members, before;
    _Atomic(uint64_t) fails_at; /* of batches */
    void *buffers[8];
} got;

static weft_status gather(void *arg, weft_token *batch) {
    (void)arg;
    cr_assert_eq(batch->index, got.batches);
    got.sizes[got.batches++] = batch->member_count;
    for (size_t i = 0; i < batch->member_count; i++) {
        run.order[got.members++] = (uintptr_t)batch->members[i]->data;
        if (batch->buffer)
            ((uint64_t *)batch->buffer)[i] = (uintptr_t)batch->members[i]->data;
    }
    return batch->index == got.fails_at ? weft_token_fail(batch, WEFT_EIO, "no room") : WEFT_OK;
}

static weft_status see_batch(void *arg, weft_token *batch) {
    (void)arg;
    cr_assert_null(batch->members);
    cr_assert_gt(batch->member_count, 0);
    for (size_t i = 0; i < batch->member_count; i++)
        cr_assert_eq(((uint64_t *)batch->buffer)[i], run.order[got.before + i]);
    got.before += batch->member_count;
    run.kept++;
    return WEFT_OK;
}

static weft_stage batch_stage(size_t batch, bool drop_last, unsigned threads) {
    return (weft_stage){WEFT_STAGE_INIT,    .name = "batch", .kind = WEFT_STAGE_BATCH, .run = gather,
                        .threads = threads, .batch = batch,  .drop_last = drop_last,   .batch_bytes = batch * 8};
}

static weft_stage shuffle_stage(size_t window, uint64_t seed) {
    return (weft_stage){WEFT_STAGE_INIT, .name = "shuffle", .kind = WEFT_STAGE_SHUFFLE, .window = window, .seed = seed};
}

static void begin_batches(uint64_t count) {
    begin_run(count);
    memset(&got, 0, sizeof got);
    got.fails_at = UINT64_MAX;
}

static void expect_batches(uint64_t count, uint64_t size, bool drop_last) {
    uint64_t whole = count / size, rest = count % size;
    cr_assert_eq(got.batches, whole + (rest && !drop_last), "%lu", (unsigned long)got.batches);
    for (uint64_t i = 0; i < got.batches; i++)
        cr_assert_eq(got.sizes[i], i < whole ? size : rest);
    for (uint64_t i = 0; i < got.members; i++)
        cr_assert_eq(run.order[i], i);
    cr_assert_eq(run.kept, got.batches);
}

static void try_batches(unsigned workers, unsigned threads, unsigned tokens, size_t size) {
    make_pool(workers);
    for (int drop_last = 0; drop_last < 2; drop_last++) {
        const weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, threads),
                                     stage("see", see, 1, WEFT_STAGE_PARALLEL, 0), batch_stage(size, drop_last, threads),
                                     stage("after", see_batch, 0, WEFT_STAGE_ORDERED, 0)};
        make(stages, 4, tokens, NULL);
        for (uint64_t count = 0; count < 40; count++) {
            begin_batches(count);
            cr_assert_eq(weft_pipeline_run(pipeline, count), WEFT_OK, "%s", weft_error_detail());
            expect_batches(count, size, drop_last);
            weft_pipeline_stats stats;
            cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
            cr_assert_eq(stats.started, count);
            cr_assert_eq(stats.finished, got.batches);
            cr_assert_eq(stats.dropped, count - got.members);
        }
        cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK);
    }
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pipeline_gather, makes_batches_of_one_size_and_a_rest, .timeout = 60) {
    try_batches(0, 0, 12, 7);
}

Test(pipeline_gather, makes_batches_of_all_tokens, .timeout = 60) {
    try_batches(1, 0, 5, 5);
}

Test(pipeline_gather, makes_batches_of_one, .timeout = 60) {
    try_batches(0, 0, 1, 1);
}

Test(pipeline_gather, makes_batches_on_a_thread, .timeout = 60) {
    try_batches(0, 1, 9, 4);
}

/* Order of `count` tokens in one epoch. */
static void shuffled(unsigned workers, size_t window, uint64_t seed, uint64_t epoch, uint64_t count, uint64_t *order) {
    make_pool(workers);
    const weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, 0), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                                 shuffle_stage(window, seed), stage("see2", see, 2, WEFT_STAGE_PARALLEL, 0),
                                 stage("keep", keep_data, 0, WEFT_STAGE_ORDERED, 0)};
    make(stages, 5, (unsigned)window + 3, NULL);
    begin_run(count);
    cr_assert_eq(weft_pipeline_run(pipeline, epoch), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(run.kept, count);
    memcpy(order, run.order, count * sizeof *order);
    end_all();
}

Test(pipeline_gather, shuffles_the_same_way_for_every_number_of_workers, .timeout = 60) {
    static uint64_t one[500], two[500], other[500];
    shuffled(1, 40, 7, 3, 500, one);
    shuffled(0, 40, 7, 3, 500, two);
    cr_assert(!memcmp(one, two, sizeof one));
    shuffled(0, 40, 7, 4, 500, other);
    cr_assert(memcmp(one, other, sizeof one));
    shuffled(0, 40, 8, 3, 500, other);
    cr_assert(memcmp(one, other, sizeof one));
    uint64_t moved = 0, sum = 0;
    bool there[500] = {0};
    for (uint64_t i = 0; i < 500; i++) {
        cr_assert(!there[one[i]]); /* each once */
        there[one[i]] = true;
        cr_assert_leq(one[i], i + 40); /* nobody comes earlier than the window lets it */
        moved += one[i] != i;
        sum += one[i] > i ? one[i] - i : i - one[i];
    }
    cr_assert_gt(moved, 400);
    cr_assert_gt(sum, 500 * 10);
}

Test(pipeline_gather, shuffles_fewer_tokens_than_the_window, .timeout = 60) {
    static uint64_t order[10];
    shuffled(0, 40, 7, 0, 10, order);
    uint64_t sum = 0;
    for (unsigned i = 0; i < 10; i++)
        sum += order[i];
    cr_assert_eq(sum, 45);
    shuffled(0, 40, 7, 0, 0, order);
}

/* As a loader of training data: epochs over one pipeline, shuffled, in batches that somebody takes; the last is dropped. */
static void try_loader(unsigned threads, bool inside) {
    static uint64_t arrays[3][8];
    static void *buffers[3] = {arrays[0], arrays[1], arrays[2]};
    weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, threads), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                           shuffle_stage(20, 1), batch_stage(8, true, threads)};
    stages[3].batches = 3;
    stages[3].buffers = buffers;
    make(stages, 4, 30, &(weft_pipeline_options){WEFT_PIPELINE_OPTIONS_INIT, .pull = true});
    for (uint64_t epoch = 0; epoch < 5; epoch++) {
        begin_batches(150);
        bool seen[150] = {0};
        weft_token *batch = NULL;
        cr_assert_eq(weft_pipeline_start(pipeline, epoch), WEFT_OK);
        for (uint64_t i = 0; !weft_pipeline_next(pipeline, &batch) && batch; i++) {
            cr_assert_eq(batch->index, i);
            cr_assert_eq(batch->member_count, 8);
            cr_assert(batch->buffer == buffers[0] || batch->buffer == buffers[1] || batch->buffer == buffers[2]);
            for (unsigned m = 0; m < 8; m++) {
                cr_assert(!seen[((uint64_t *)batch->buffer)[m]]);
                seen[((uint64_t *)batch->buffer)[m]] = true;
            }
            run.kept++;
            if (!inside)
                sched_yield();
            weft_token_release(batch);
        }
        cr_assert_null(batch);
        cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_OK, "%s", weft_error_detail());
        cr_assert_eq(run.kept, 150 / 8);
        cr_assert_eq(got.batches, 150 / 8);
    }
    cr_assert_eq(weft_pipeline_destroy(pipeline), WEFT_OK);
}

static void loader_task(void *arg) {
    (void)arg;
    try_loader(0, true);
    try_loader(1, true);
}

Test(pipeline_gather, loads_epochs_of_shuffled_batches, .timeout = 60) {
    make_pool(0);
    try_loader(0, false);
    try_loader(1, false);
    cr_assert_eq(weft_run(pool, loader_task, NULL), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pipeline_gather, loads_inside_the_only_worker, .timeout = 60) {
    make_pool(1);
    cr_assert_eq(weft_run(pool, loader_task, NULL), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pipeline_gather, gives_tokens_in_order_and_drops_what_nobody_takes, .timeout = 60) {
    make_pool(0);
    const weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, 0), stage("see", see, 1, WEFT_STAGE_PARALLEL, 0),
                                 stage("ordered", see, 2, WEFT_STAGE_ORDERED, 0)};
    make(stages, 3, 6, &(weft_pipeline_options){WEFT_PIPELINE_OPTIONS_INIT, .pull = true});
    for (uint64_t take = 0; take < 60; take += 7) {
        begin_run(50);
        cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
        weft_token *token = NULL, *before = NULL;
        uint64_t taken = 0;
        for (; taken < take && !weft_pipeline_next(pipeline, &token) && token; taken++) {
            cr_assert_eq(token->index, taken);
            weft_token_release(before); /* two are taken now and then */
            before = token;
        }
        weft_token_release(before);
        cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_OK);
        cr_assert_eq(taken, take < 50 ? take : 50);
        weft_pipeline_stats stats;
        cr_assert_eq(weft_pipeline_get_stats(pipeline, &stats), WEFT_OK);
        cr_assert_eq(stats.finished, taken);
        cr_assert_eq(stats.started, stats.finished + stats.dropped);
    }
    weft_token *none;
    cr_assert_eq(weft_pipeline_next(pipeline, &none), WEFT_EINVAL);
    cr_assert_eq(weft_pipeline_next(NULL, &none), WEFT_EINVAL);
    end_all();
}

static weft_status fail_at(void *arg, weft_token *token) {
    see((void *)1, token);
    return token->index == (uintptr_t)arg ? weft_token_fail(token, WEFT_EIO, "broken") : WEFT_OK;
}

Test(pipeline_gather, gives_whole_batches_before_a_failure, .timeout = 60) {
    make_pool(0);
    const weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, 0),
                                 stage("fail", fail_at, 61, WEFT_STAGE_PARALLEL, 0), batch_stage(10, false, 0),
                                 stage("after", see_batch, 0, WEFT_STAGE_ORDERED, 0)};
    make(stages, 4, 25, NULL);
    for (int again = 0; again < 10; again++) {
        begin_batches(MOST);
        cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EIO);
        cr_assert_str_eq(weft_error_detail(), "stage 'fail', token 61: broken");
        expect_batches(60, 10, true);
    }
    end_all();
}

Test(pipeline_gather, keeps_batches_before_one_that_fails, .timeout = 60) {
    for (unsigned threads = 0; threads < 2; threads++) {
        make_pool(0);
        const weft_stage stages[] = {stage("fill", number, 0, WEFT_STAGE_ORDERED, threads),
                                     stage("see", see, 1, WEFT_STAGE_PARALLEL, 0), shuffle_stage(5, 1),
                                     batch_stage(4, false, threads), stage("after", see_batch, 0, WEFT_STAGE_ORDERED, 0)};
        make(stages, 5, 15, NULL);
        for (int again = 0; again < 10; again++) {
            begin_batches(MOST);
            got.fails_at = 17;
            cr_assert_eq(weft_pipeline_run(pipeline, 0), WEFT_EIO);
            cr_assert_str_eq(weft_error_detail(), "stage 'batch', token 17: no room");
            cr_assert_eq(run.kept, 17);
        }
        end_all();
    }
}

Test(pipeline_gather, is_canceled_with_tokens_in_every_hand, .timeout = 60) {
    make_pool(0);
    const weft_stage stages[] = {stage("endless", endless, 0, WEFT_STAGE_ORDERED, 0), shuffle_stage(9, 1),
                                 batch_stage(3, false, 0), shuffle_stage(1, 1), stage("pass", pass, 0, WEFT_STAGE_ORDERED, 0)};
    weft_stage named[5];
    memcpy(named, stages, sizeof named);
    named[3].name = "shuffle of batches";
    make(named, 5, 20, &(weft_pipeline_options){WEFT_PIPELINE_OPTIONS_INIT, .pull = true});
    for (int again = 0; again < 30; again++) {
        begin_batches(0);
        weft_token *token = NULL;
        cr_assert_eq(weft_pipeline_start(pipeline, 0), WEFT_OK);
        for (int i = 0; i < again % 4; i++) {
            cr_assert_eq(weft_pipeline_next(pipeline, &token), WEFT_OK);
            weft_token_release(token);
        }
        while (run.filled < 12)
            sched_yield();
        weft_pipeline_cancel(pipeline);
        cr_assert_eq(weft_pipeline_wait(pipeline), WEFT_ECANCELED);
    }
    end_all();
}

static void refused(weft_stage bad, unsigned tokens, const char *why) {
    const weft_stage stages[] = {stage("fill", fill, 0, WEFT_STAGE_ORDERED, 0), bad};
    weft_pipeline *none = NULL;
    cr_assert_eq(weft_pipeline_create(&none, pool, stages, 2, tokens, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), why), "%s", weft_error_detail());
}

Test(pipeline_gather, refuses_what_cannot_be_filled, .timeout = 60) {
    make_pool(1);
    weft_stage bad = shuffle_stage(3, 0);
    refused(shuffle_stage(0, 0), 5, "stage 'shuffle' shuffles in a window of 0");
    refused(shuffle_stage(5, 0), 5, "5 tokens can reach it: use 1 to 4");
    refused(batch_stage(0, false, 0), 5, "stage 'batch' makes batches of 0");
    refused(batch_stage(6, false, 0), 5, "use 1 to 5");
    bad.run = pass;
    refused(bad, 5, "'shuffle' is a shuffle, which has no function");
    bad = batch_stage(3, false, 2);
    refused(bad, 5, "one token at a time and has 2 threads");
    weft_pipeline *none;
    weft_stage first = shuffle_stage(1, 0);
    cr_assert_eq(weft_pipeline_create(&none, pool, &first, 1, 5, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "is the source, which cannot be"), "%s", weft_error_detail());
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}
