/* Tokens: their memory on their nodes, those that are free, and what stages say of theirs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "memory/scratch.h"
#include "parallel/pipeline_gather.h"
#include "parallel/pipeline_move.h"
#include "weft/alloc.h"

#define SAID_MOST 200

unsigned wf_tokens_home(const weft_pipeline *pipeline, unsigned i, unsigned count) {
    uint64_t worker = (uint64_t)i * pipeline->pool->worker_count / count;
    return pipeline->pool->workers[worker]->node;
}

struct wf_token *wf_tokens_array(unsigned count) {
    size_t bytes = count * sizeof(struct wf_token);
    struct wf_token *tokens = aligned_alloc(_Alignof(struct wf_token), bytes);
    return tokens ? memset(tokens, 0, bytes) : NULL;
}

weft_status wf_token_furnish(struct wf_token *token, size_t bytes, size_t scratch_bytes) {
    weft_pool *pool = token->pipeline->pool;
    unsigned node = token->face.node;
    token->buffer_bytes = bytes;
    if (bytes && !(token->face.buffer = weft_node_aligned_alloc(pool, node, WF_LINE, bytes)))
        return WEFT_ENOMEM;
    if (!scratch_bytes)
        return WEFT_OK;
    token->face.scratch = weft_scratch_acquire(pool, node);
    if (!token->face.scratch)
        return WEFT_ENOMEM;
    wf_store(&token->populated, wf_scratch_populated(wf_scratch_of(token->face.scratch)), WF_RELAXED);
    return weft_scratch_set_limit(token->face.scratch, scratch_bytes);
}

void wf_token_strip(struct wf_token *token, bool buffer) {
    if (buffer)
        weft_free(token->face.buffer);
    weft_scratch_release(token->face.scratch);
}

/* L: a token of the node that the source may get. */
static void put_used(weft_pipeline *pipeline, struct wf_pipeline_node *node, struct wf_token *token) {
    wf_store(&pipeline->plain_free, wf_load(&pipeline->plain_free, WF_RELAXED) + 1, WF_RELAXED);
    wf_source_waits_no_more(pipeline);
    token->gated.next = wf_gated_of(node->free);
    node->free = token;
    /* seq_cst: then its freer looks at the source */
    wf_store(&node->free_count, wf_load(&node->free_count, WF_RELAXED) + 1, WF_SEQ_CST);
}

/* L: without a tuner all. */
static unsigned wanted(const weft_pipeline *pipeline, const struct wf_pipeline_node *node) {
    if (!pipeline->tune.most)
        return node->tokens;
    return (unsigned)(((uint64_t)pipeline->tune.now * node->tokens + pipeline->tune.most - 1) / pipeline->tune.most);
}

static void put_aside(weft_pipeline *pipeline, struct wf_pipeline_node *node, struct wf_token *token) {
    token->gated.next = wf_gated_of(node->unused);
    node->unused = token;
    node->used--;
    pipeline->unused++;
}

/* L: as many as the tuner wants. True: the source may get more than before, somebody has to see to it. */
static bool use_more(weft_pipeline *pipeline, struct wf_pipeline_node *node) {
    bool more = false;
    struct wf_token *token;
    for (unsigned want = wanted(pipeline, node); node->used < want && (token = node->unused); more = true) {
        node->unused = wf_token_of(token->gated.next);
        node->used++;
        pipeline->unused--;
        put_used(pipeline, node, token);
    }
    return more;
}

weft_status wf_tokens_make(weft_pipeline *pipeline, const weft_pipeline_options *options) {
    pipeline->tokens = wf_tokens_array(pipeline->token_count + 1);
    if (!pipeline->tokens)
        return wf_fail(WEFT_ENOMEM, "no memory for %u tokens", pipeline->token_count);
    weft_status status = WEFT_OK;
    for (unsigned i = pipeline->token_count; !status && i-- > 0;) {
        struct wf_token *token = &pipeline->tokens[i];
        token->pipeline = pipeline;
        token->face.node = wf_tokens_home(pipeline, i, pipeline->token_count);
        status = wf_token_furnish(token, options->token_bytes, options->scratch_bytes);
        struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
        node->tokens++;
        node->used++;
        put_aside(pipeline, node, token);
    }
    for (unsigned i = 0; i < pipeline->node_count; i++)
        use_more(pipeline, &pipeline->nodes[i]); /* nobody knows the pipeline yet */
    pipeline->record_count = pipeline->token_count;
    for (unsigned s = 0; s < pipeline->count; s++)
        pipeline->record_count += pipeline->stages[s].gather ? pipeline->stages[s].gather->batch_count : 0;
    if (pipeline->gathers) {
        pipeline->marker = &pipeline->tokens[pipeline->token_count];
        pipeline->marker->pipeline = pipeline;
        pipeline->marker->marker = pipeline->marker->hole = true;
        pipeline->record_count++;
    }
    wf_store(&pipeline->free_count, pipeline->record_count, WF_RELAXED);
    return status;
}

void wf_tokens_release(weft_pipeline *pipeline) {
    for (unsigned i = 0; pipeline->tokens && i < pipeline->token_count; i++)
        wf_token_strip(&pipeline->tokens[i], true);
    free(pipeline->tokens);
    pipeline->tokens = NULL;
}

void wf_source_waits(weft_pipeline *pipeline) {
    if (!wf_load(&pipeline->plain_free, WF_RELAXED) && !wf_load(&pipeline->source, WF_RELAXED))
        wf_store(&pipeline->waits_since, wf_now_ns(), WF_RELAXED);
}

void wf_source_waits_no_more(weft_pipeline *pipeline) {
    uint64_t since = wf_load(&pipeline->waits_since, WF_RELAXED);
    if (since && wf_cas(&pipeline->waits_since, &since, 0, WF_RELAXED, WF_RELAXED))
        wf_fetch_add(&pipeline->source_waits_ns, wf_now_ns() - since, WF_RELAXED);
}

bool wf_source_admit(weft_pipeline *pipeline) {
    bool open = !wf_load(&pipeline->source, WF_SEQ_CST);
    pipeline->calls += open;
    return open;
}

struct wf_token *wf_marker_take(weft_pipeline *pipeline) {
    bool stopped = wf_load(&pipeline->source, WF_SEQ_CST) & (WF_SOURCE_ENDED | WF_SOURCE_STOPPED);
    if (!pipeline->gathers || !stopped || pipeline->calls || pipeline->marked || !wf_load(&pipeline->running, WF_RELAXED))
        return NULL;
    pipeline->marked = true;
    wf_store(&pipeline->free_count, wf_load(&pipeline->free_count, WF_RELAXED) - 1, WF_SEQ_CST);
    struct wf_token *marker = pipeline->marker;
    marker->face.index = wf_load(&pipeline->next_index, WF_RELAXED); /* ordered by the lock: no call runs */
    marker->stage = 1;
    marker->entered = false;
    marker->gated.next = NULL;
    return marker;
}

void wf_source_called(struct wf_mover *mover) {
    weft_pipeline *pipeline = mover->pipeline;
    pthread_mutex_lock(&pipeline->lock);
    pipeline->calls--;
    struct wf_token *marker = wf_marker_take(pipeline);
    pthread_mutex_unlock(&pipeline->lock);
    struct wf_mover outside = {.pipeline = pipeline}; /* the token that the source has filled is the runner's to go on with */
    if (marker)
        wf_pipeline_move(&outside, marker);
}

struct wf_token *wf_tokens_take(weft_pipeline *pipeline, struct wf_pipeline_node *node) {
    struct wf_token *token = node->free;
    /* A right to the source may have been taken just before it was stopped: then all tokens may be free, and the run over. */
    if (!token || !wf_source_admit(pipeline))
        return NULL;
    node->free = wf_token_of(token->gated.next);
    uint32_t left = wf_load(&pipeline->plain_free, WF_RELAXED) - 1, used = pipeline->token_count - pipeline->unused - left;
    wf_store(&pipeline->plain_free, left, WF_RELAXED);
    pipeline->most = used > pipeline->most ? used : pipeline->most;
    wf_store(&node->free_count, wf_load(&node->free_count, WF_RELAXED) - 1, WF_SEQ_CST);
    wf_store(&pipeline->free_count, wf_load(&pipeline->free_count, WF_RELAXED) - 1, WF_SEQ_CST);
    return token;
}

void wf_token_clean_scratch(struct wf_token *token) {
    const struct wf_scratch *scratch = wf_scratch_of(token->face.scratch);
    if (scratch->face.next == scratch->first)
        return;
    wf_store(&token->populated, wf_scratch_populated(scratch), WF_RELAXED);
    weft_scratch_reset(token->face.scratch);
}

void wf_tune_begin(weft_pipeline *pipeline) {
    pipeline->tune.begin_ns = wf_now_ns();
    pipeline->tune.begin_index = wf_load(&pipeline->next_index, WF_RELAXED);
    pipeline->tune.begin_waits_ns = wf_load(&pipeline->source_waits_ns, WF_RELAXED);
}

/* L: a token has come free. True: as use_more(). */
static bool tune(weft_pipeline *pipeline) {
    struct wf_tune *tune = &pipeline->tune;
    uint64_t started = wf_load(&pipeline->next_index, WF_RELAXED) - tune->begin_index, now = wf_now_ns();
    /* a source that is stopped, paused or has nothing tells nothing */
    if (wf_load(&pipeline->source, WF_RELAXED))
        wf_tune_begin(pipeline);
    else if (now - tune->begin_ns > tune->window_ns && started >= 2 * (uint64_t)tune->now) {
        double window_ns = (double)(now - tune->begin_ns);
        uint64_t waits_ns = wf_load(&pipeline->source_waits_ns, WF_RELAXED) - tune->begin_waits_ns;
        wf_tune_step(tune, (double)started / window_ns, (double)waits_ns / window_ns);
        wf_tune_begin(pipeline);
    }
    bool more = false;
    for (unsigned i = 0; i < pipeline->node_count; i++)
        more = use_more(pipeline, &pipeline->nodes[i]) || more;
    return more;
}

/* L */
static struct wf_token *put_free(weft_pipeline *pipeline, struct wf_token *token) {
    struct wf_token *waiting = NULL;
    if (token->batch_of) {
        waiting = wf_batch_free(token);
    } else if (!token->marker) {
        struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
        if (node->used > wanted(pipeline, node))
            put_aside(pipeline, node, token); /* the others are enough */
        else
            put_used(pipeline, node, token);
    }
    wf_store(&pipeline->free_count, wf_load(&pipeline->free_count, WF_RELAXED) + 1, WF_SEQ_CST);
    return waiting;
}

static void free_token(weft_pipeline *pipeline, struct wf_token *token, bool finished, bool dropped) {
    struct wf_mover mover = {.pipeline = pipeline};
    wf_token_clean(token);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->finished += finished;
    pipeline->dropped += dropped;
    struct wf_token *waiting = put_free(pipeline, token);
    bool over = wf_pipeline_over(pipeline), pull = pipeline->pull;
    bool more = pipeline->tune.most && !over && tune(pipeline);
    if (pipeline->stages[0].own.threads)
        pthread_cond_signal(&pipeline->token_free);
    pthread_mutex_unlock(&pipeline->lock);
    if (waiting && pipeline->stages[waiting->stage].own.threads)
        wf_threads_put(&pipeline->stages[waiting->stage], waiting);
    else if (waiting)
        wf_ready_put(&mover, &pipeline->stages[waiting->stage], waiting);
    if (over)
        wf_pipeline_wake(pipeline);
    else if (pull)
        wf_pull_wake(pipeline);
    if (more)
        wf_source_kick(pipeline);
}

void wf_token_free(weft_pipeline *pipeline, struct wf_token *token) {
    free_token(pipeline, token, wf_token_finished(token), wf_token_dropped(token));
}

void wf_token_unused(weft_pipeline *pipeline, struct wf_token *token) {
    free_token(pipeline, token, false, false);
}

static weft_status check(const weft_token *token, const char *call) {
    return token ? WEFT_OK : wf_fail(WEFT_EINVAL, "%s needs a token, got NULL", call);
}

weft_status weft_token_drop(weft_token *face) {
    weft_status status = check(face, "weft_token_drop()");
    if (!status)
        wf_token_behind(face)->verdict = WF_VERDICT_DROP;
    return status;
}

/* What only the source may say. */
static weft_status say(weft_token *face, enum wf_verdict verdict, const char *call) {
    weft_status status = check(face, call);
    if (status)
        return status;
    struct wf_token *token = wf_token_behind(face);
    if (token->stage)
        return weft_token_fail(face, WEFT_EINVAL, "%s is for the first stage only", call);
    token->verdict = (uint8_t)verdict;
    return WEFT_OK;
}

weft_status weft_token_end(weft_token *face) {
    return say(face, WF_VERDICT_END, "weft_token_end()");
}

weft_status weft_token_stall(weft_token *face) {
    return say(face, WF_VERDICT_STALL, "weft_token_stall()");
}

weft_status weft_token_fail(weft_token *face, weft_status status, const char *format, ...) {
    if (check(face, "weft_token_fail()"))
        return WEFT_EINVAL;
    char text[SAID_MOST + 1];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    wf_token_behind(face)->said = true;
    return wf_fail(status ? status : WEFT_EINVAL, "%s", text);
}

bool weft_token_canceled(const weft_token *face) {
    if (!face)
        return false;
    const struct wf_token *token = WF_CONTAINER_OF((uintptr_t)face, const struct wf_token, face);
    const weft_pipeline *pipeline = token->pipeline;
    unsigned stage = token->stage < pipeline->count ? token->stage : pipeline->count;
    if (token->batch_of == &pipeline->stages[stage])
        stage++; /* its index is one of those that the batch stage gives out */
    return face->index >= wf_load(&pipeline->stages[stage].limit, WF_RELAXED);
}
