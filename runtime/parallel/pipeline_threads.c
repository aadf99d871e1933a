/* Stages on threads of their own, which may block: made with the pipeline and ended with it. */
#include "parallel/pipeline_gather.h"
#include "parallel/pipeline_move.h"
#include "scheduler/thread.h"

static _Thread_local const weft_pipeline *inside;

bool wf_threads_inside(const weft_pipeline *pipeline) {
    return inside == pipeline;
}

void wf_threads_put(struct wf_stage *stage, struct wf_token *token) {
    struct wf_stage_threads *own = &stage->own;
    if (!token->counted)
        wf_queue_enter(&stage->queue);
    token->counted = true;
    token->gated.next = NULL;
    pthread_mutex_lock(&own->lock);
    if (own->last)
        own->last->gated.next = &token->gated;
    else
        own->first = token;
    own->last = token;
    pthread_cond_signal(&own->work);
    pthread_mutex_unlock(&own->lock);
}

/* Blocks; NULL: the thread is to end. */
static struct wf_token *next_token(struct wf_stage_threads *own) {
    pthread_mutex_lock(&own->lock);
    while (!own->first && !own->quit)
        pthread_cond_wait(&own->work, &own->lock);
    struct wf_token *token = own->first;
    if (token) {
        own->first = wf_token_of(token->gated.next);
        own->last = own->first ? own->last : NULL;
    }
    pthread_mutex_unlock(&own->lock);
    return token;
}

/* L: of the nodes in turn. */
static struct wf_token *take_free(weft_pipeline *pipeline, unsigned *turn) {
    struct wf_token *token = NULL;
    for (unsigned i = 0; !token && i < pipeline->node_count; i++)
        token = wf_tokens_take(pipeline, &pipeline->nodes[(*turn + i) % pipeline->node_count]);
    if (token)
        *turn = token->face.node + 1;
    return token;
}

/* The same for threads of the source: a free token, once the source may be called. */
static struct wf_token *next_free(weft_pipeline *pipeline, unsigned *turn) {
    struct wf_token *token = NULL;
    pthread_mutex_lock(&pipeline->lock);
    while (!pipeline->quit && !(token = take_free(pipeline, turn)))
        pthread_cond_wait(&pipeline->token_free, &pipeline->lock);
    pthread_mutex_unlock(&pipeline->lock);
    return token;
}

/* What goes on: a list. */
static struct wf_token *call(struct wf_stage_thread *self, struct wf_stage *stage, struct wf_token *token) {
    struct wf_token *called = token, *list = NULL;
    if (stage->gather)
        called = wf_batch_add(stage, token, &list);
    else if (wf_token_is_doomed(stage, token))
        return wf_stage_drop(stage, token);
    if (!called)
        return list;
    called->face.thread = self->number;
    wf_stage_call(stage, self->counts, called);
    return stage->gather ? wf_batch_done(stage, token, called) : wf_stage_leave(stage, token);
}

static void run_stage(struct wf_stage_thread *self, struct wf_token *token) {
    struct wf_stage *stage = &self->pipeline->stages[self->stage];
    struct wf_mover mover = {.pipeline = self->pipeline};
    wf_token_count_out(stage, token);
    wf_pipeline_move(&mover, call(self, stage, token));
}

static void run_source(struct wf_stage_thread *self, struct wf_token *token) {
    weft_pipeline *pipeline = self->pipeline;
    struct wf_mover mover = {.pipeline = pipeline};
    wf_token_begin(pipeline, token);
    token->face.thread = self->number;
    wf_stage_call(&pipeline->stages[0], self->counts, token);
    bool used = wf_source_used(pipeline, token);
    if (used)
        wf_source_waits(pipeline);
    if (pipeline->gathers)
        wf_source_called(&mover);
    if (!used) {
        wf_token_unused(pipeline, token);
        return;
    }
    token->stage = 1;
    token->gated.next = NULL;
    wf_pipeline_move(&mover, token);
}

static void *thread_main(void *arg) {
    struct wf_stage_thread *self = arg;
    weft_pipeline *pipeline = self->pipeline;
    struct wf_stage *stage = &pipeline->stages[self->stage];
    struct wf_token *token;
    unsigned turn = self->number;
    inside = pipeline;
    while ((token = self->stage ? next_token(&stage->own) : next_free(pipeline, &turn)))
        if (self->stage)
            run_stage(self, token);
        else
            run_source(self, token);
    if (self->counts->begun && stage->face.end)
        stage->face.end(stage->face.arg, self->number);
    return NULL;
}

static weft_status start_thread(struct wf_stage *stage, struct wf_stage_thread *thread) {
    weft_status status = wf_thread_start(thread->pipeline->pool, stage->face.name, thread_main, thread, &thread->thread);
    if (!status)
        stage->own.begun++;
    return status;
}

weft_status wf_threads_start(weft_pipeline *pipeline) {
    weft_status status = WEFT_OK;
    for (unsigned s = 0, participant = pipeline->pool->worker_count; s < pipeline->count; s++) {
        struct wf_stage *stage = &pipeline->stages[s];
        for (unsigned i = 0; !status && i < stage->own.count; i++, participant++) {
            struct wf_stage_counts *counts = &pipeline->counts[(size_t)participant * (pipeline->count + 1)];
            stage->own.threads[i] = (struct wf_stage_thread){.pipeline = pipeline, .stage = s, .number = i, .counts = &counts[s]};
            status = start_thread(stage, &stage->own.threads[i]);
        }
    }
    return status;
}

static void quit(pthread_mutex_t *lock, pthread_cond_t *cond, bool *flag) {
    pthread_mutex_lock(lock);
    *flag = true;
    pthread_cond_broadcast(cond);
    pthread_mutex_unlock(lock);
}

void wf_threads_end(weft_pipeline *pipeline) {
    quit(&pipeline->lock, &pipeline->token_free, &pipeline->quit);
    for (unsigned s = 0; s < pipeline->count; s++) {
        struct wf_stage_threads *own = &pipeline->stages[s].own;
        if (own->begun)
            quit(&own->lock, &own->work, &own->quit);
        for (unsigned i = 0; i < own->begun; i++)
            pthread_join(own->threads[i].thread, NULL);
    }
}
