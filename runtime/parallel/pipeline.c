/* Pipelines made, checked and released. The map of the other files stands in pipeline.h. */
#include "parallel/pipeline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "parallel/pipeline_gather.h"

void wf_pipeline_refer(weft_pipeline *pipeline) {
    wf_fetch_add(&pipeline->references, 1, WF_RELAXED); /* the caller has one */
}

/* What late runners look at. */
static void release_shared(weft_pipeline *pipeline) {
    for (unsigned i = 0; pipeline->nodes && i < pipeline->node_count; i++)
        pthread_mutex_destroy(&pipeline->nodes[i].lock);
    pthread_mutex_destroy(&pipeline->lock);
    pthread_cond_destroy(&pipeline->token_free);
    free(pipeline->nodes);
    free(pipeline->counts);
    free(pipeline->stages);
    free(pipeline);
}

void wf_pipeline_unrefer(weft_pipeline *pipeline) {
    if (wf_fetch_sub(&pipeline->references, 1, WF_ACQ_REL) == 1) /* the others' last looks come before */
        release_shared(pipeline);
}

/* Of stage `number` of an array whose elements are `size` bytes apart. */
static const weft_stage *given_stage(const weft_stage *stages, size_t size, unsigned number) {
    return (const weft_stage *)(const void *)((const char *)stages + size * number);
}

static weft_status check_stage(const struct wf_stage *stages, unsigned number) {
    const weft_stage *stage = &stages[number].face;
    if (!stage->name || !*stage->name)
        return wf_fail(WEFT_EINVAL, "stage %u has no name: give it one, errors and statistics tell it", number);
    for (unsigned i = 0; i < number; i++)
        if (!strcmp(stages[i].face.name, stage->name))
            return wf_fail(WEFT_EINVAL, "stages %u and %u are both named '%s': use different names", i, number, stage->name);
    if ((unsigned)stage->kind > WEFT_STAGE_BATCH)
        return wf_fail(WEFT_EINVAL,
                       "the kind of stage '%s' is %d: use WEFT_STAGE_PARALLEL, _SERIAL, _ORDERED, _SHUFFLE or _BATCH",
                       stage->name, (int)stage->kind);
    if (!number && stage->kind >= WEFT_STAGE_SHUFFLE)
        return wf_fail(WEFT_EINVAL, "stage '%s' is the source, which cannot be a shuffle or a batch", stage->name);
    if (stage->kind == WEFT_STAGE_SHUFFLE && (stage->run || stage->threads))
        return wf_fail(WEFT_EINVAL, "stage '%s' is a shuffle, which has no function and no threads", stage->name);
    if (stage->kind != WEFT_STAGE_SHUFFLE && !stage->run)
        return wf_fail(WEFT_EINVAL, "stage '%s' has no function: set run", stage->name);
    if (stage->kind != WEFT_STAGE_PARALLEL && stage->threads > 1)
        return wf_fail(WEFT_EINVAL, "stage '%s' runs on one token at a time and has %u threads: use 1, or make it PARALLEL",
                       stage->name, stage->threads);
    return WEFT_OK;
}

static weft_status copy_stages(weft_pipeline *pipeline, const weft_stage *stages) {
    weft_status status = WEFT_OK;
    for (unsigned i = 0; !status && i < pipeline->count; i++) {
        struct wf_stage *stage = &pipeline->stages[i];
        const weft_stage *given = given_stage(stages, stages->size, i);
        stage->face = (weft_stage){WEFT_STAGE_INIT};
        stage->number = i;
        if (given->size != stages->size)
            status =
                wf_fail(WEFT_EINVAL, "weft_stage.size of stage %u is %zu, that of stage 0 %zu: start each from WEFT_STAGE_INIT",
                        i, given->size, stages->size);
        else if (!(status = wf_options_copy(&stage->face, sizeof stage->face, given, "weft_stage")))
            status = check_stage(pipeline->stages, i);
    }
    return status;
}

/* How many tokens can reach each stage at once: shuffles hold some back, and behind a batch stage there are its batches. */
static weft_status check_reach(weft_pipeline *pipeline) {
    size_t reach = pipeline->token_count;
    for (unsigned i = 0, segment = 0; i < pipeline->count; i++) {
        const weft_stage *stage = &pipeline->stages[i].face;
        pipeline->stages[i].segment = segment;
        pipeline->stages[i].by_index = stage->kind >= WEFT_STAGE_ORDERED;
        if (stage->kind == WEFT_STAGE_SHUFFLE && (!stage->window || stage->window >= reach))
            return wf_fail(WEFT_EINVAL,
                           "stage '%s' shuffles in a window of %zu, and %zu tokens can reach it: use 1 to %zu, or more tokens",
                           stage->name, stage->window, reach, reach - 1);
        if (stage->kind == WEFT_STAGE_BATCH && (!stage->batch || stage->batch > reach))
            return wf_fail(WEFT_EINVAL,
                           "stage '%s' makes batches of %zu, and %zu tokens can reach it: use 1 to %zu, or more tokens",
                           stage->name, stage->batch, reach, reach);
        if (stage->kind == WEFT_STAGE_BATCH && stage->batches > WF_PIPELINE_TOKENS_MOST)
            return wf_fail(WEFT_EINVAL, "stage '%s' has %u batches: use 1 to %u", stage->name, stage->batches,
                           WF_PIPELINE_TOKENS_MOST);
        if (stage->kind == WEFT_STAGE_SHUFFLE)
            reach -= stage->window;
        if (stage->kind == WEFT_STAGE_BATCH)
            reach = stage->batches ? stage->batches : 2;
        pipeline->gathers = pipeline->gathers || stage->kind >= WEFT_STAGE_SHUFFLE;
        segment += stage->kind >= WEFT_STAGE_SHUFFLE;
        pipeline->stages[i + 1].segment = segment;
    }
    return WEFT_OK;
}

/* The fewest tokens that fill the first batch, or get past the shuffles before it. */
static size_t least_tokens(const weft_pipeline *pipeline) {
    size_t held = 0;
    for (unsigned i = 0; i < pipeline->count; i++) {
        const weft_stage *stage = &pipeline->stages[i].face;
        if (stage->kind == WEFT_STAGE_BATCH)
            return held + stage->batch;
        held += stage->kind == WEFT_STAGE_SHUFFLE ? stage->window : 0;
    }
    return held + 1;
}

/* As many tokens as can be worked on at once to begin with. */
static void make_tuner(weft_pipeline *pipeline) {
    unsigned workers = pipeline->participants, most = pipeline->token_count; /* stages' threads included */
    wf_tune_init(&pipeline->tune, (unsigned)least_tokens(pipeline), workers, most);
}

static weft_status copy_names(weft_pipeline *pipeline) {
    size_t bytes = 0;
    for (unsigned i = 0; i < pipeline->count; i++)
        bytes += strlen(pipeline->stages[i].face.name) + 1;
    char *name = pipeline->names = malloc(bytes);
    if (!name)
        return wf_fail(WEFT_ENOMEM, "no memory for the names of %u stages", pipeline->count);
    for (unsigned i = 0; i < pipeline->count; i++) {
        size_t length = strlen(pipeline->stages[i].face.name) + 1;
        memcpy(name, pipeline->stages[i].face.name, length);
        pipeline->stages[i].face.name = name;
        name += length;
    }
    return WEFT_OK;
}

/* Zeroed, on lines of its own; free() releases it. */
static void *make_lines(size_t count, size_t bytes) {
    void *made = count <= PTRDIFF_MAX / bytes ? aligned_alloc(WF_LINE, count * bytes) : NULL;
    return made ? memset(made, 0, count * bytes) : NULL;
}

static weft_status make_gate(weft_pipeline *pipeline, struct wf_stage *stage) {
    uint64_t cells = 1, most = pipeline->token_count;
    for (unsigned i = 0; i < stage->number; i++)
        if (pipeline->stages[i].gather && pipeline->stages[i].gather->batch_count > most)
            most = pipeline->stages[i].gather->batch_count;
    while (cells < most + 1) /* and the marker */
        cells *= 2;
    stage->order.mask = cells - 1;
    stage->order.cells = calloc(cells, sizeof *stage->order.cells);
    return stage->order.cells ? WEFT_OK : WEFT_ENOMEM;
}

static weft_status make_stage(weft_pipeline *pipeline, struct wf_stage *stage, const weft_pipeline_options *options) {
    weft_status status = WEFT_OK;
    stage->way =
        stage->face.threads || stage->face.kind > WEFT_STAGE_ORDERED ? WF_WAY_OTHER : (enum wf_stage_way)stage->face.kind;
    pthread_mutex_init(&stage->own.lock, NULL);
    pthread_cond_init(&stage->own.work, NULL);
    if (stage->face.kind >= WEFT_STAGE_SHUFFLE && (status = wf_gather_make(pipeline, stage, options)))
        return status;
    if (stage->number && stage->by_index)
        status = make_gate(pipeline, stage);
    if (!status && stage->face.threads) {
        stage->own.count = stage->face.threads;
        stage->own.threads = calloc(stage->own.count, sizeof *stage->own.threads);
        status = stage->own.threads ? WEFT_OK : WEFT_ENOMEM;
    }
    return status ? wf_fail(status, "no memory for stage '%s' of %u tokens and %u threads", stage->face.name,
                            pipeline->token_count, stage->face.threads)
                  : WEFT_OK;
}

/* The gate behind the last stage, in whose order finished tokens wait to be taken. */
static weft_status make_pull(weft_pipeline *pipeline) {
    struct wf_stage *gate = &pipeline->stages[pipeline->count];
    pipeline->pull = true;
    gate->number = pipeline->count;
    gate->by_index = gate[-1].by_index;
    return gate->by_index && make_gate(pipeline, gate)
               ? wf_fail(WEFT_ENOMEM, "no memory for the order of %u tokens", pipeline->token_count)
               : WEFT_OK;
}

static weft_status make_nodes(weft_pipeline *pipeline) {
    pipeline->node_count = pipeline->pool->node_count;
    pipeline->nodes = make_lines(pipeline->node_count, sizeof *pipeline->nodes);
    for (unsigned i = 0; pipeline->nodes && i < pipeline->node_count; i++) {
        pipeline->nodes[i].pipeline = pipeline;
        pipeline->nodes[i].index = i;
        pthread_mutex_init(&pipeline->nodes[i].lock, NULL);
    }
    return pipeline->nodes ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory for a pipeline on %u nodes", pipeline->node_count);
}

static weft_status make_counts(weft_pipeline *pipeline) {
    size_t participants = pipeline->pool->worker_count;
    for (unsigned i = 0; i < pipeline->count; i++)
        participants += pipeline->stages[i].own.count;
    pipeline->participants = (unsigned)participants;
    pipeline->counts = make_lines(participants * (pipeline->count + 1), sizeof *pipeline->counts);
    return pipeline->counts ? WEFT_OK
                            : wf_fail(WEFT_ENOMEM, "no memory for the counters of %zu workers and threads", participants);
}

/* All that it needs, but for its threads. */
static weft_status fill(weft_pipeline *pipeline, const weft_stage *stages, const weft_pipeline_options *options) {
    weft_status status = copy_stages(pipeline, stages);
    if (!status && !(status = check_reach(pipeline)) && !(status = copy_names(pipeline)))
        status = make_nodes(pipeline);
    for (unsigned i = 0; !status && i < pipeline->count; i++)
        status = make_stage(pipeline, &pipeline->stages[i], options);
    if (!status && options->pull)
        status = make_pull(pipeline);
    if (!status)
        status = make_counts(pipeline);
    if (!status && options->tune)
        make_tuner(pipeline);
    return status ? status : wf_tokens_make(pipeline, options);
}

static void release(weft_pipeline *pipeline) {
    for (unsigned i = 0; i < pipeline->count; i++) {
        struct wf_stage *stage = &pipeline->stages[i];
        pthread_mutex_destroy(&stage->own.lock);
        pthread_cond_destroy(&stage->own.work);
        free(stage->own.threads);
        free(stage->order.cells);
        wf_gather_release(stage);
    }
    free(pipeline->stages[pipeline->count].order.cells);
    wf_tokens_release(pipeline);
    free(pipeline->names);
    wf_pipeline_unrefer(pipeline);
}

static weft_status check(weft_pipeline **out, weft_pool *pool, const weft_stage *stages, unsigned count, unsigned tokens) {
    if (!out || !pool || !stages)
        return wf_fail(WEFT_EINVAL, "weft_pipeline_create() needs a place for the pipeline, a pool and stages, got NULL");
    if (!count)
        return wf_fail(WEFT_EINVAL, "a pipeline needs at least one stage, the source");
    if (!tokens || tokens > WF_PIPELINE_TOKENS_MOST)
        return wf_fail(WEFT_EINVAL, "a pipeline of %u tokens cannot be: use 1 to %u", tokens, WF_PIPELINE_TOKENS_MOST);
    return wf_pool_check(pool);
}

weft_status weft_pipeline_create(weft_pipeline **out, weft_pool *pool, const weft_stage *stages, unsigned count, unsigned tokens,
                                 const weft_pipeline_options *options) {
    weft_pipeline_options known = {WEFT_PIPELINE_OPTIONS_INIT};
    weft_status status = check(out, pool, stages, count, tokens);
    if (!status)
        status = wf_options_copy(&known, sizeof known, options, "weft_pipeline_options");
    if (!status && known.tune && known.pull)
        status =
            wf_fail(WEFT_EINVAL, "tune and pull cannot be together: tokens that somebody has taken count among those in use");
    if (status)
        return status;
    weft_pipeline *pipeline = make_lines(1, sizeof *pipeline);
    struct wf_stage *made = pipeline && count < UINT_MAX ? make_lines((size_t)count + 1, sizeof *made) : NULL;
    if (!made) {
        free(pipeline);
        return wf_fail(WEFT_ENOMEM, "no memory for a pipeline of %u stages", count);
    }
    pipeline->pool = pool;
    pipeline->stages = made;
    pipeline->count = count;
    pipeline->token_count = tokens;
    wf_store(&pipeline->references, 1, WF_RELAXED); /* nobody knows it yet */
    wf_store(&pipeline->source, WF_SOURCE_CLOSED, WF_RELAXED);
    wf_store(&pipeline->worth, 1, WF_RELAXED);
    pthread_mutex_init(&pipeline->lock, NULL);
    pthread_cond_init(&pipeline->token_free, NULL);
    status = fill(pipeline, stages, &known);
    if (!status && (status = wf_threads_start(pipeline)))
        wf_threads_end(pipeline);
    if (status) {
        release(pipeline);
        return status;
    }
    *out = pipeline;
    return WEFT_OK;
}

/* In place of the workers that have begun stages. */
static void end_workers(weft_pipeline *pipeline) {
    for (unsigned worker = 0; worker < pipeline->pool->worker_count; worker++)
        for (unsigned s = 0; s < pipeline->count; s++) {
            const weft_stage *stage = &pipeline->stages[s].face;
            if (pipeline->counts[(size_t)worker * (pipeline->count + 1) + s].begun && stage->end)
                stage->end(stage->arg, worker);
        }
}

weft_status weft_pipeline_destroy(weft_pipeline *pipeline) {
    if (!pipeline)
        return WEFT_OK;
    if (!wf_pool_is_foreign(pipeline->pool)) { /* else the threads are the parent's, and so is what they have begun */
        pthread_mutex_lock(&pipeline->lock);
        bool started = pipeline->started;
        pthread_mutex_unlock(&pipeline->lock);
        if (started)
            return wf_fail(WEFT_EINVAL, "the pipeline was started and not waited for: wait for it first, or cancel it and wait");
        wf_threads_end(pipeline);
        end_workers(pipeline);
    }
    release(pipeline);
    return WEFT_OK;
}
