/*
 * Moving tokens: past gates and, if they are dropped, past stages, until they need a worker, wait, or end. Threading: whoever has the
 * tokens.
 */
#ifndef WF_PARALLEL_PIPELINE_MOVE_H
#define WF_PARALLEL_PIPELINE_MOVE_H

#include "parallel/pipeline.h"

static inline bool wf_stage_is_gated(const struct wf_stage *stage) {
    return stage->face.kind != WEFT_STAGE_PARALLEL;
}

/* Leave a gate that the token has passed; NULL: nobody waits. */
static inline struct wf_token *wf_gate_leave(struct wf_stage *stage, struct wf_token *token) {
    struct wf_gated *next = NULL;
    if (stage->by_index)
        next = wf_order_leave(&stage->order, token->face.index);
    else if (stage->face.kind == WEFT_STAGE_SERIAL)
        next = wf_turns_leave(&stage->turns);
    if (next)
        wf_token_of(next)->entered = true;
    return wf_token_of(next);
}

/* A token that is to be dropped before a stage whose gate it may have passed. */
static inline bool wf_token_is_doomed(const struct wf_stage *stage, const struct wf_token *token) {
    return WF_UNLIKELY(token->face.index >= wf_load(&stage->limit, WF_RELAXED));
}

/* Tokens that wait for a stage are counted; whoever takes one on counts it out. */
static inline void wf_token_count_out(struct wf_stage *stage, struct wf_token *token) {
    if (WF_UNLIKELY(token->counted))
        wf_queue_leave(&stage->queue);
    token->counted = false;
}

/* A runner keeps one token that has ended for the source. */
static inline bool wf_token_ends_here(struct wf_mover *mover, struct wf_token *token) {
    if (!mover->node || mover->node->index != token->face.node || mover->spare || !wf_token_is_plain(token))
        return false;
    struct wf_stage_counts *ended = &mover->counts[mover->pipeline->count];
    if (wf_token_finished(token))
        wf_count_more(&ended->tokens, 1);
    else if (wf_token_dropped(token))
        wf_count_more(&ended->dropped, 1);
    wf_token_clean(token);
    mover->spare = token;
    return true;
}

/* Pass the stage's gate, or leave the token there; holes wait at gates by index only. */
bool wf_stage_enter(struct wf_stage *stage, struct wf_token *token);

/* The oldest ready token of a node; NULL: none. */
struct wf_token *wf_ready_take(struct wf_pipeline_node *node);

/* A token needs a worker of its home for its stage, whose gate it has passed. */
void wf_ready_put(struct wf_mover *mover, struct wf_stage *stage, struct wf_token *token);

/*
 * Take the tokens of a list as far as they go without a worker. The first that then needs one is returned to a runner; the others lie
 * in ready lists.
 */
struct wf_token *wf_pipeline_move(struct wf_mover *mover, struct wf_token *list);

/* A token that has passed a stage's gate leaves it, for the next stage. Behind it in the list: the one that waited for the gate, if any. */
struct wf_token *wf_stage_leave(struct wf_stage *stage, struct wf_token *token);

/* It is dropped there instead; a stage that gives out by a numbering of its own is where its way is over. */
struct wf_token *wf_stage_drop(struct wf_stage *stage, struct wf_token *token);

/* `first` with `rest` behind it. */
static inline struct wf_token *wf_list_join(struct wf_token *first, struct wf_token *rest) {
    struct wf_token *last = first;
    while (last && last->gated.next)
        last = wf_token_of(last->gated.next);
    if (last)
        last->gated.next = wf_gated_of(rest);
    return first ? first : rest;
}

#endif
