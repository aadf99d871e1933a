/* Tokens: their memory on their nodes, those that are free, and what stages say of theirs. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "memory/scratch.h"
#include "parallel/pipeline.h"
#include "weft/alloc.h"

#define SAID_MOST 200

/* By the nodes' shares of the workers: token i of T belongs where worker i * workers / T is. */
static unsigned home_of(const weft_pipeline *pipeline, unsigned i) {
    uint64_t worker = (uint64_t)i * pipeline->pool->worker_count / pipeline->token_count;
    return pipeline->pool->workers[worker]->node;
}

static weft_status make_token(weft_pipeline *pipeline, struct wf_token *token, const weft_pipeline_options *options) {
    unsigned node = token->face.node;
    if (options->token_bytes) {
        token->face.buffer = weft_node_aligned_alloc(pipeline->pool, node, WF_LINE, options->token_bytes);
        if (!token->face.buffer)
            return WEFT_ENOMEM;
    }
    if (!options->scratch_bytes)
        return WEFT_OK;
    token->face.scratch = weft_scratch_acquire(pipeline->pool, node);
    if (!token->face.scratch)
        return WEFT_ENOMEM;
    wf_store(&token->populated, wf_scratch_populated(wf_scratch_of(token->face.scratch)), WF_RELAXED);
    return weft_scratch_set_limit(token->face.scratch, options->scratch_bytes);
}

weft_status wf_tokens_make(weft_pipeline *pipeline, const weft_pipeline_options *options) {
    size_t bytes = pipeline->token_count * sizeof *pipeline->tokens;
    pipeline->tokens = aligned_alloc(_Alignof(struct wf_token), bytes);
    if (!pipeline->tokens)
        return wf_fail(WEFT_ENOMEM, "no memory for %u tokens", pipeline->token_count);
    memset(pipeline->tokens, 0, bytes);
    weft_status status = WEFT_OK;
    for (unsigned i = pipeline->token_count; !status && i-- > 0;) {
        struct wf_token *token = &pipeline->tokens[i];
        token->pipeline = pipeline;
        token->face.node = home_of(pipeline, i);
        status = make_token(pipeline, token, options);
        struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
        token->gated.next = wf_gated_of(node->free);
        node->free = token;
        wf_fetch_add(&node->free_count, 1, WF_RELAXED); /* nobody knows the pipeline yet */
    }
    wf_store(&pipeline->free_count, pipeline->token_count, WF_RELAXED);
    return status;
}

void wf_tokens_release(weft_pipeline *pipeline) {
    for (unsigned i = 0; pipeline->tokens && i < pipeline->token_count; i++) {
        weft_free(pipeline->tokens[i].face.buffer);
        weft_scratch_release(pipeline->tokens[i].face.scratch);
    }
    free(pipeline->tokens);
    pipeline->tokens = NULL;
}

struct wf_token *wf_tokens_take(weft_pipeline *pipeline, struct wf_pipeline_node *node) {
    struct wf_token *token = node->free;
    /* A right to the source may have been taken just before it was stopped: then all tokens may be free, and the run over. */
    if (wf_load(&pipeline->source, WF_SEQ_CST) || !token)
        return NULL;
    node->free = wf_token_of(token->gated.next);
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

void wf_token_free(weft_pipeline *pipeline, struct wf_token *token, bool finished, bool dropped) {
    struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
    wf_token_clean(token);
    pthread_mutex_lock(&pipeline->lock);
    pipeline->finished += finished;
    pipeline->dropped += dropped;
    token->gated.next = wf_gated_of(node->free);
    node->free = token;
    wf_store(&node->free_count, wf_load(&node->free_count, WF_RELAXED) + 1, WF_SEQ_CST); /* then its freer looks at the source */
    wf_store(&pipeline->free_count, wf_load(&pipeline->free_count, WF_RELAXED) + 1, WF_SEQ_CST);
    bool over = wf_pipeline_over(pipeline);
    if (pipeline->stages[0].own.threads)
        pthread_cond_signal(&pipeline->token_free);
    pthread_mutex_unlock(&pipeline->lock);
    if (over)
        wf_pipeline_wake(pipeline);
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

weft_status weft_token_end(weft_token *face) {
    weft_status status = check(face, "weft_token_end()");
    if (status)
        return status;
    struct wf_token *token = wf_token_behind(face);
    if (!token->stage) {
        token->verdict = WF_VERDICT_END;
        return WEFT_OK;
    }
    return weft_token_fail(face, WEFT_EINVAL, "weft_token_end() is for the first stage only: use weft_token_drop()");
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
    return face->index >= wf_load(&token->pipeline->stages[token->stage].limit, WF_RELAXED);
}
