/* Runs of pipelines: their begin, what stops them, their end, and waiting for it. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "parallel/pipeline_gather.h"
#include "parallel/pipeline_move.h"
#include "scheduler/join.h"
#include "scheduler/waiters.h"

/* Nobody touches what this sets but late runners of the run before, which find nothing and look at `source` and ready lists only. */
static void reset(weft_pipeline *pipeline, uint64_t epoch) {
    for (unsigned i = 0; i <= pipeline->count; i++) { /* with the gate behind the last */
        struct wf_stage *stage = &pipeline->stages[i];
        wf_store(&stage->limit, UINT64_MAX, WF_RELAXED);
        if (stage->gather)
            wf_gather_reset(stage, epoch);
        wf_store(&stage->queue.most, 0, WF_RELAXED);
        wf_store(&stage->queue.found, 0, WF_RELAXED);
        if (stage->order.cells)
            wf_order_reset(&stage->order);
    }
    for (size_t i = 0; i < (size_t)pipeline->participants * (pipeline->count + 1); i++) {
        struct wf_stage_counts *counts = &pipeline->counts[i];
        wf_store(&counts->tokens, 0, WF_RELAXED);
        wf_store(&counts->dropped, 0, WF_RELAXED);
        wf_store(&counts->bytes, 0, WF_RELAXED);
        wf_store(&counts->remote, 0, WF_RELAXED);
        wf_store(&counts->busy_ns, 0, WF_RELAXED);
        wf_store(&counts->watched_ns, 0, WF_RELAXED);
        wf_store(&counts->slept_ns, 0, WF_RELAXED);
        counts->timed_at = 0; /* read by who gets a token afterwards */
        counts->weight = 1;
    }
    wf_store(&pipeline->next_index, 0, WF_RELAXED);
    wf_store(&pipeline->begin_ns, wf_now_ns(), WF_RELAXED);
    wf_store(&pipeline->end_ns, 0, WF_RELAXED);
    pipeline->epoch = epoch;
    pipeline->failure = WEFT_OK;
    pipeline->finished = pipeline->dropped = 0;
    pipeline->interrupted = pipeline->canceled = pipeline->marked = pipeline->discard = false;
    pipeline->lent = pipeline->most = 0;
    wf_store(&pipeline->waits_since, 0, WF_RELAXED);
    wf_store(&pipeline->source_waits_ns, 0, WF_RELAXED);
    wf_tune_begin(pipeline);
}

/* The nearest node that has tokens. */
static struct wf_pipeline_node *first_node(weft_pipeline *pipeline) {
    unsigned near = wf_pool_near(pipeline->pool);
    for (unsigned i = 0; i < pipeline->node_count; i++) {
        struct wf_pipeline_node *node = &pipeline->nodes[(near + i) % pipeline->node_count];
        if (wf_load(&node->free_count, WF_RELAXED)) /* the next one does as well */
            return node;
    }
    return &pipeline->nodes[near];
}

weft_status weft_pipeline_start(weft_pipeline *pipeline, uint64_t epoch) {
    if (!pipeline)
        return wf_fail(WEFT_EINVAL, "weft_pipeline_start() needs a pipeline, got NULL");
    weft_status status = wf_pool_check(pipeline->pool);
    if (status)
        return status;
    pthread_mutex_lock(&pipeline->lock);
    bool started = pipeline->started;
    if (!started) {
        reset(pipeline, epoch);
        pipeline->started = true;
        wf_store(&pipeline->running, 1, WF_RELAXED);
        /* release: what was set is visible to who calls the source */
        wf_fetch_and(&pipeline->source, WF_SOURCE_PAUSED, WF_SEQ_CST);
        if (pipeline->stages[0].own.threads)
            pthread_cond_broadcast(&pipeline->token_free);
    }
    pthread_mutex_unlock(&pipeline->lock);
    if (started)
        return wf_fail(WEFT_EINVAL, "the pipeline was started already: wait for it first");
    if (pipeline->stages[0].own.threads || wf_pipeline_offer(first_node(pipeline), &status))
        return WEFT_OK;
    wf_pipeline_abandon(pipeline, status);
    return weft_pipeline_wait(pipeline);
}

bool wf_pipeline_over(weft_pipeline *pipeline) {
    uint32_t stopped = wf_load(&pipeline->source, WF_SEQ_CST) & (WF_SOURCE_ENDED | WF_SOURCE_STOPPED);
    if (!wf_load(&pipeline->running, WF_RELAXED) || !stopped || pipeline->leaving ||
        wf_load(&pipeline->free_count, WF_RELAXED) != pipeline->record_count)
        return false;
    wf_fetch_or(&pipeline->source, WF_SOURCE_CLOSED, WF_SEQ_CST);
    wf_store(&pipeline->end_ns, wf_now_ns(), WF_RELAXED);
    wf_store(&pipeline->running, 0, WF_RELEASE); /* pairs with wf_pipeline_idle() */
    return true;
}

void wf_pipeline_wake(weft_pipeline *pipeline) {
    wf_waiters_wake(pipeline); /* by address: it may be gone */
    wf_waiters_wake(&pipeline->pullers);
}

/*
 * L: the source is called no more. In the numbering that stages of `segment` get, tokens from `index` on are dropped before their next
 * stage; what is not yet numbered by it comes later, so all of that is; and what was given out by stages behind goes on.
 */
static void stop(weft_pipeline *pipeline, unsigned segment, uint64_t index, weft_status status) {
    for (unsigned i = 0; i <= pipeline->count; i++) {
        struct wf_stage *stage = &pipeline->stages[i];
        if (stage->segment < segment)
            wf_store(&stage->limit, 0, WF_RELAXED);
        else if (stage->segment == segment)
            wf_store(&stage->limit, index, WF_RELAXED);
    }
    pipeline->failure = status;
    pipeline->failed_segment = segment;
    pipeline->failed_index = index;
    wf_fetch_or(&pipeline->source, WF_SOURCE_STOPPED, WF_SEQ_CST);
    if (pipeline->stages[0].own.threads)
        pthread_cond_broadcast(&pipeline->token_free);
}

/* Whether a failure comes before the one that is known, in the order of the output. */
static bool is_earlier(const weft_pipeline *pipeline, unsigned segment, uint64_t index) {
    if (!pipeline->failure || segment != pipeline->failed_segment)
        return !pipeline->failure || segment > pipeline->failed_segment;
    return index < pipeline->failed_index;
}

static void move_marker(weft_pipeline *pipeline, struct wf_token *marker) {
    struct wf_mover mover = {.pipeline = pipeline};
    if (marker)
        wf_pipeline_move(&mover, marker);
}

static void interrupt(const struct wf_stage *stage) {
    if (stage->face.interrupt)
        stage->face.interrupt(stage->face.arg);
}

void wf_pipeline_fail(struct wf_stage *stage, struct wf_token *token, weft_status status) {
    weft_pipeline *pipeline = token->pipeline;
    uint64_t index = token->face.index;
    pthread_mutex_lock(&pipeline->lock);
    unsigned segment = stage->segment + (token->batch_of == stage);
    bool first = !pipeline->canceled &&
                 is_earlier(pipeline, segment, index); /* else it would have been dropped: why it fails is of no consequence */
    if (first) {
        stop(pipeline, segment, index, status);
        snprintf(pipeline->failure_text, sizeof pipeline->failure_text, "stage '%s', token %llu: %s%s", stage->face.name,
                 (unsigned long long)index, token->said ? "" : "returned ",
                 token->said ? weft_error_detail() : weft_status_name(status));
    }
    bool source = first && !pipeline->interrupted;
    pipeline->interrupted = pipeline->interrupted || source;
    struct wf_token *marker = wf_marker_take(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    move_marker(pipeline, marker);
    if (source)
        interrupt(&pipeline->stages[0]);
}

/* Everything is dropped. */
static void stop_all(weft_pipeline *pipeline, weft_status status, const char *text) {
    pthread_mutex_lock(&pipeline->lock);
    bool running = wf_load(&pipeline->running, WF_RELAXED), first = running && !pipeline->canceled;
    bool source = first && !pipeline->interrupted;
    if (running) {
        pipeline->canceled = pipeline->interrupted = true;
        if (!pipeline->failure)
            snprintf(pipeline->failure_text, sizeof pipeline->failure_text, "%s", text);
        stop(pipeline, UINT_MAX, 0, pipeline->failure ? pipeline->failure : status);
    }
    struct wf_token *marker = wf_marker_take(pipeline);
    bool over = wf_pipeline_over(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    move_marker(pipeline, marker);
    for (unsigned i = source ? 0 : 1; first && i < pipeline->count; i++)
        interrupt(&pipeline->stages[i]);
    if (over)
        wf_pipeline_wake(pipeline);
}

void weft_pipeline_cancel(weft_pipeline *pipeline) {
    if (pipeline)
        stop_all(pipeline, WEFT_ECANCELED, "the pipeline was canceled");
}

void wf_source_kick(weft_pipeline *pipeline) {
    if (!pipeline->stages[0].own.threads) {
        if (!wf_load(&pipeline->source, WF_SEQ_CST))
            wf_pipeline_offer_or_fail(first_node(pipeline));
        return;
    }
    pthread_mutex_lock(&pipeline->lock);
    pthread_cond_broadcast(&pipeline->token_free);
    pthread_mutex_unlock(&pipeline->lock);
}

void weft_pipeline_pause(weft_pipeline *pipeline) {
    if (pipeline)
        wf_fetch_or(&pipeline->source, WF_SOURCE_PAUSED, WF_SEQ_CST);
}

void weft_pipeline_resume(weft_pipeline *pipeline) {
    if (pipeline && (wf_fetch_and(&pipeline->source, ~WF_SOURCE_PAUSED, WF_SEQ_CST) & WF_SOURCE_PAUSED))
        wf_source_kick(pipeline);
}

void weft_pipeline_wake(weft_pipeline *pipeline) {
    if (pipeline && wf_source_wake(&pipeline->source, &pipeline->wakes))
        wf_source_kick(pipeline);
}

void wf_pipeline_abandon(weft_pipeline *pipeline, weft_status status) {
    stop_all(pipeline, status, weft_error_detail());
    wf_pipeline_drain(pipeline);
}

struct run_wait {
    weft_pipeline *pipeline;
    struct wf_waiter waiter;
};

static bool wait_ready(void *what) {
    return wf_pipeline_idle(((struct run_wait *)what)->pipeline);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    return wf_pipeline_help(worker, ((struct run_wait *)what)->pipeline);
}

/* Then it looks for work once more; who offers some looks at `helpers` afterwards (both seq_cst). */
static bool wait_announce(struct wf_worker *worker, void *what) {
    struct run_wait *wait = what;
    wait->waiter = (struct wf_waiter){.key = wait->pipeline, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    wf_fetch_add(&wait->pipeline->helpers, 1, WF_SEQ_CST);
    return wait_ready(wait);
}

static void wait_retract(struct wf_worker *worker, void *what) {
    (void)worker;
    struct run_wait *wait = what;
    wf_waiters_remove(&wait->waiter);
    wf_fetch_sub(&wait->pipeline->helpers, 1, WF_RELAXED); /* late is harmless: a wake too many */
}

static void wait_outside(struct run_wait *wait) {
    if (wf_spin(wf_load(&wait->pipeline->pool->spin_ns, WF_RELAXED), wait_ready, wait))
        return;
    struct wf_signal signal = {0};
    wait->waiter = (struct wf_waiter){.key = wait->pipeline, .signal = &signal};
    wf_waiters_add(&wait->waiter);
    while (!wait_ready(wait))
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    wf_waiters_remove(&wait->waiter);
}

weft_status wf_pipeline_check_wait(weft_pipeline *pipeline, const char *call) {
    if (!pipeline)
        return wf_fail(WEFT_EINVAL, "%s needs a pipeline, got NULL", call);
    weft_status status = wf_pool_check(pipeline->pool);
    if (status)
        return status;
    const struct wf_worker *worker = wf_self_in(pipeline->pool);
    if ((worker && wf_group_inside(worker, &pipeline->inside)) || wf_threads_inside(pipeline))
        return wf_fail(WEFT_EDEADLK, "%s was called by a stage of the pipeline: it would wait for itself", call);
    pthread_mutex_lock(&pipeline->lock);
    bool started = pipeline->started;
    pthread_mutex_unlock(&pipeline->lock);
    return started ? WEFT_OK : wf_fail(WEFT_EINVAL, "the pipeline was not started: there is nothing to wait for");
}

weft_status weft_pipeline_wait(weft_pipeline *pipeline) {
    weft_status status = wf_pipeline_check_wait(pipeline, "weft_pipeline_wait()");
    if (status)
        return status;
    if (pipeline->pull)
        wf_pull_discard(pipeline);
    struct run_wait wait = {.pipeline = pipeline};
    struct wf_worker *worker = wf_self_in(pipeline->pool);
    if (worker && worker->frame) {
        wf_sync(worker);
        wf_wait_for(
            worker,
            &(struct wf_wait){
                .ready = wait_ready, .help = wait_help, .announce = wait_announce, .retract = wait_retract, .what = &wait});
    } else {
        wait_outside(&wait);
    }
    char text[WF_FAILURE_TEXT];
    pthread_mutex_lock(&pipeline->lock); /* who ended the run has let it go */
    status = pipeline->failure;
    memcpy(text, pipeline->failure_text, sizeof text);
    pipeline->started = false;
    pthread_mutex_unlock(&pipeline->lock);
    return status ? wf_fail(status, "%s", text) : WEFT_OK;
}

weft_status weft_pipeline_run(weft_pipeline *pipeline, uint64_t epoch) {
    struct wf_worker *worker = pipeline ? wf_self_in(pipeline->pool) : NULL;
    if (pipeline && ((worker && wf_group_inside(worker, &pipeline->inside)) || wf_threads_inside(pipeline)))
        return wf_fail(WEFT_EDEADLK, "weft_pipeline_run() was called by a stage of the pipeline: it would wait for itself");
    weft_status status = weft_pipeline_start(pipeline, epoch);
    return status ? status : weft_pipeline_wait(pipeline);
}
