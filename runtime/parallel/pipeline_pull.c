/* Finished tokens that wait until somebody takes them. Behind the last stage lies a gate of its order, if it has one. */
#include "base/status.h"
#include "parallel/pipeline_move.h"
#include "scheduler/join.h"
#include "scheduler/waiters.h"

void wf_pull_wake(weft_pipeline *pipeline) {
    if (wf_load(&pipeline->pullers, WF_SEQ_CST)) /* pairs with whoever goes to sleep, and then looks */
        wf_waiters_wake(&pipeline->pullers);
}

/* False: nobody will take it. */
static bool put(weft_pipeline *pipeline, struct wf_token *token) {
    pthread_mutex_lock(&pipeline->lock);
    bool discard = pipeline->discard;
    token->gated.next = NULL;
    if (!discard && pipeline->pulled)
        pipeline->pulled_last->gated.next = &token->gated;
    else if (!discard)
        pipeline->pulled = token;
    pipeline->pulled_last = discard ? pipeline->pulled_last : token;
    pipeline->leaving += !discard;
    pthread_mutex_unlock(&pipeline->lock);
    wf_pull_wake(pipeline);
    return !discard;
}

/* The gate is left. The run may have waited for that: the token was gone before. */
static void end_leaving(weft_pipeline *pipeline) {
    pthread_mutex_lock(&pipeline->lock);
    pipeline->leaving--;
    bool over = wf_pipeline_over(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    if (over)
        wf_pipeline_wake(pipeline);
}

struct wf_token *wf_pull_put(struct wf_mover *mover, struct wf_token *token) {
    weft_pipeline *pipeline = mover->pipeline;
    struct wf_stage *gate = &pipeline->stages[pipeline->count];
    if (!token->entered && !wf_stage_enter(gate, token))
        return NULL;
    wf_token_count_out(gate, token);
    uint64_t index = token->face.index;
    token->entered = false;
    wf_token_over(token);
    bool kept = !token->hole && put(pipeline, token);
    if (!kept) /* else it is somebody else's */
        token->hole = true;
    struct wf_token came = {.face.index = index}, *next = gate->by_index ? wf_gate_leave(gate, &came) : NULL;
    if (next)
        next->gated.next = NULL;
    if (kept) {
        end_leaving(pipeline);
        return next;
    }
    token->gated.next = wf_gated_of(next);
    return token;
}

/* L: whether there will be no more. */
static bool is_last(const weft_pipeline *pipeline) {
    if (!wf_load(&pipeline->running, WF_RELAXED))
        return true;
    uint32_t stopped = wf_load(&pipeline->source, WF_SEQ_CST) & (WF_SOURCE_ENDED | WF_SOURCE_STOPPED);
    return stopped && wf_load(&pipeline->free_count, WF_RELAXED) + pipeline->lent == pipeline->record_count;
}

struct pull_wait {
    weft_pipeline *pipeline;
    struct wf_token *token; /* what was taken */
    bool last;
    struct wf_waiter waiter, work; /* for a token; for work to help with */
};

static bool pull_ready(void *what) {
    struct pull_wait *wait = what;
    weft_pipeline *pipeline = wait->pipeline;
    pthread_mutex_lock(&pipeline->lock);
    struct wf_token *token = wait->token ? NULL : pipeline->pulled;
    if (token) {
        pipeline->pulled = wf_token_of(token->gated.next);
        pipeline->lent++;
        wait->token = token;
    }
    wait->last = is_last(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    return wait->token || wait->last;
}

static bool pull_help(struct wf_worker *worker, void *what) {
    return wf_pipeline_help(worker, ((struct pull_wait *)what)->pipeline);
}

static bool pull_announce(struct wf_worker *worker, void *what) {
    struct pull_wait *wait = what;
    wait->waiter = (struct wf_waiter){.key = &wait->pipeline->pullers, .signal = &worker->signal};
    wait->work = (struct wf_waiter){.key = wait->pipeline, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    wf_waiters_add(&wait->work);
    wf_fetch_add(&wait->pipeline->pullers, 1, WF_SEQ_CST);
    wf_fetch_add(&wait->pipeline->helpers, 1, WF_SEQ_CST);
    return pull_ready(wait);
}

static void pull_retract(struct wf_worker *worker, void *what) {
    (void)worker;
    struct pull_wait *wait = what;
    wf_waiters_remove(&wait->work);
    wf_waiters_remove(&wait->waiter);
    wf_fetch_sub(&wait->pipeline->helpers, 1, WF_RELAXED); /* late is harmless: a wake too many */
    wf_fetch_sub(&wait->pipeline->pullers, 1, WF_RELAXED);
}

static void pull_outside(struct pull_wait *wait) {
    weft_pipeline *pipeline = wait->pipeline;
    if (wf_spin(wf_load(&pipeline->pool->spin_ns, WF_RELAXED), pull_ready, wait))
        return;
    struct wf_signal signal = {0};
    wait->waiter = (struct wf_waiter){.key = &pipeline->pullers, .signal = &signal};
    wf_waiters_add(&wait->waiter);
    wf_fetch_add(&pipeline->pullers, 1, WF_SEQ_CST);
    while (!pull_ready(wait))
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    wf_fetch_sub(&pipeline->pullers, 1, WF_RELAXED);
    wf_waiters_remove(&wait->waiter);
}

weft_status weft_pipeline_next(weft_pipeline *pipeline, weft_token **token) {
    if (!pipeline || !token)
        return wf_fail(WEFT_EINVAL, "weft_pipeline_next() needs a pipeline and a place for the token, got NULL");
    if (!pipeline->pull)
        return wf_fail(WEFT_EINVAL, "the pipeline was made without weft_pipeline_options.pull: its last stage has the tokens");
    weft_status status = wf_pipeline_check_wait(pipeline, "weft_pipeline_next()");
    if (status)
        return status;
    struct pull_wait wait = {.pipeline = pipeline};
    struct wf_worker *worker = wf_self_in(pipeline->pool);
    if (worker && worker->frame) {
        wf_sync(worker);
        wf_wait_for(
            worker,
            &(struct wf_wait){
                .ready = pull_ready, .help = pull_help, .announce = pull_announce, .retract = pull_retract, .what = &wait});
    } else {
        pull_outside(&wait);
    }
    *token = wait.token ? &wait.token->face : NULL;
    return WEFT_OK;
}

void weft_token_release(weft_token *face) {
    if (!face)
        return;
    struct wf_token *token = wf_token_behind(face);
    weft_pipeline *pipeline = token->pipeline;
    unsigned node = face->node;
    pthread_mutex_lock(&pipeline->lock);
    pipeline->lent--;
    wf_pipeline_refer(pipeline); /* somebody may wait for just this, and then destroy it */
    pthread_mutex_unlock(&pipeline->lock);
    wf_token_free(pipeline, token);
    if (!wf_load(&pipeline->source, WF_SEQ_CST))
        wf_pipeline_offer_or_fail(&pipeline->nodes[node]);
    wf_pipeline_unrefer(pipeline);
}

void wf_pull_discard(weft_pipeline *pipeline) {
    struct wf_mover mover = {.pipeline = pipeline};
    pthread_mutex_lock(&pipeline->lock);
    struct wf_token *list = pipeline->pulled;
    pipeline->pulled = NULL;
    pipeline->discard = true;
    pthread_mutex_unlock(&pipeline->lock);
    for (struct wf_token *token = list; token; token = wf_token_of(token->gated.next))
        token->hole = true;
    wf_pipeline_move(&mover, list);
}
