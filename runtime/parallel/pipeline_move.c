/* Tokens on their way without a worker. */
#include "parallel/pipeline_move.h"

#include "parallel/pipeline_gather.h"

/* A token that has to wait counts; runs of stages count it out. */
static void count_in(struct wf_stage *stage, struct wf_token *token) {
    if (!token->counted && !token->hole)
        wf_queue_enter(&stage->queue);
    token->counted = !token->hole;
}

bool wf_stage_enter(struct wf_stage *stage, struct wf_token *token) {
    if (stage->by_index) {
        if (wf_order_arrive(&stage->order, token->face.index))
            return true;
        count_in(stage, token);
        return wf_order_wait(&stage->order, token->face.index, &token->gated);
    }
    if (stage->face.kind == WEFT_STAGE_PARALLEL || token->hole || wf_turns_enter(&stage->turns))
        return true;
    count_in(stage, token);
    return wf_turns_wait(&stage->turns, &token->gated);
}

struct wf_token *wf_stage_leave(struct wf_stage *stage, struct wf_token *token) {
    struct wf_token *next = wf_stage_is_gated(stage) ? wf_gate_leave(stage, token) : NULL;
    token->entered = false;
    token->stage++;
    token->gated.next = wf_gated_of(next);
    if (next)
        next->gated.next = NULL;
    return token;
}

struct wf_token *wf_stage_drop(struct wf_stage *stage, struct wf_token *token) {
    token->hole = true;
    wf_stage_leave(stage, token);
    if (stage->gather)
        wf_token_over(token);
    return token;
}

static void end_token(struct wf_mover *mover, struct wf_token *token) {
    weft_pipeline *pipeline = mover->pipeline;
    if (wf_token_ends_here(mover, token))
        return;
    struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
    wf_token_free(pipeline, token);
    /* a runner of the node looks at the source of its own accord */
    if (mover->node != node && !wf_load(&pipeline->source, WF_SEQ_CST))
        wf_pipeline_offer_or_fail(node);
}

void wf_ready_put(struct wf_mover *mover, struct wf_stage *stage, struct wf_token *token) {
    weft_pipeline *pipeline = mover->pipeline;
    struct wf_pipeline_node *node = &pipeline->nodes[token->face.node];
    count_in(stage, token);
    token->gated.next = NULL;
    pthread_mutex_lock(&node->lock);
    if (node->last)
        node->last->gated.next = &token->gated;
    else
        node->first = token;
    node->last = token;
    wf_store(&node->ready, wf_load(&node->ready, WF_RELAXED) + 1, WF_SEQ_CST);
    pthread_mutex_unlock(&node->lock);
    if (!mover->node)
        wf_pipeline_offer_or_fail(node);
    else if (mover->node != node || wf_load(&pipeline->worth, WF_RELAXED))
        wf_pipeline_offer(node, NULL); /* if not, the runner does it, or one of that node that comes by */
}

struct wf_token *wf_ready_take(struct wf_pipeline_node *node) {
    if (!wf_load(&node->ready, WF_SEQ_CST))
        return NULL;
    pthread_mutex_lock(&node->lock);
    struct wf_token *token = node->first;
    if (token) {
        node->first = wf_token_of(token->gated.next);
        node->last = node->first ? node->last : NULL;
        wf_store(&node->ready, wf_load(&node->ready, WF_RELAXED) - 1, WF_SEQ_CST);
    }
    pthread_mutex_unlock(&node->lock);
    return token;
}

/* A hole, or a token that becomes one here, passes a stage. NULL: it waits at its gate. */
static struct wf_token *pass(struct wf_stage *stage, struct wf_token *token) {
    wf_token_count_out(stage, token);
    token->hole = true;
    if (token->entered)
        return wf_stage_drop(stage, token);
    if (stage->by_index)
        return wf_stage_enter(stage, token) ? wf_stage_drop(stage, token) : NULL;
    token->stage++;
    token->gated.next = NULL;
    return token;
}

/* Where a token goes that has passed the gate of a stage which gives out by a numbering of its own; the marker comes here as well. True: it needs whoever runs
 * the stage's function; else *list is what goes on. */
static bool gather(struct wf_stage *stage, struct wf_token *token, struct wf_token **list) {
    if (stage->face.kind == WEFT_STAGE_SHUFFLE) {
        wf_token_count_out(stage, token);
        bool drop = !token->marker && wf_token_is_doomed(stage, token);
        *list = wf_list_join(drop ? wf_stage_drop(stage, token) : wf_shuffle_take(stage, token), *list);
        return false;
    }
    if (token->marker ? wf_batch_has_rest(stage) : !wf_token_is_doomed(stage, token))
        return true;
    struct wf_token *more;
    wf_batch_add(stage, token, &more);
    *list = wf_list_join(more, *list);
    return false;
}

struct wf_token *wf_pipeline_move(struct wf_mover *mover, struct wf_token *list) {
    weft_pipeline *pipeline = mover->pipeline;
    struct wf_token *mine = NULL;
    while (list) {
        struct wf_token *token = list;
        list = wf_token_of(token->gated.next);
        if (token->stage >= pipeline->count) {
            if (wf_pull_takes(pipeline, token))
                list = wf_list_join(wf_pull_put(mover, token), list);
            else
                end_token(mover, token);
            continue;
        }
        struct wf_stage *stage = &pipeline->stages[token->stage];
        bool gathers = stage->gather && (token->marker || (token->entered && !token->hole)); /* it may be a member already */
        if (!gathers && (token->hole || wf_token_is_doomed(stage, token))) {
            list = wf_list_join(pass(stage, token), list);
            continue;
        }
        if (!token->entered && !wf_stage_enter(stage, token))
            continue;
        token->entered = true;
        if (stage->gather && !gather(stage, token, &list))
            continue;
        if (stage->own.threads)
            wf_threads_put(stage, token);
        else if (!mine && mover->node && mover->node->index == token->face.node)
            mine = token;
        else
            wf_ready_put(mover, stage, token);
    }
    return mine;
}
