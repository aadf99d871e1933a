/* Batches and shuffles. What must hold stands in pipeline_gather.h. */
#include "parallel/pipeline_gather.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/status.h"
#include "parallel/pipeline_move.h"

#define BATCHES 2u /* unless the stage says */

static weft_status make_batches(weft_pipeline *pipeline, struct wf_stage *stage, const weft_pipeline_options *options) {
    struct wf_gather *gather = stage->gather;
    size_t bytes = stage->face.batch_bytes;
    gather->batch_count = stage->face.batches ? stage->face.batches : BATCHES;
    gather->batches = wf_tokens_array(gather->batch_count);
    if (!gather->batches)
        return wf_fail(WEFT_ENOMEM, "no memory for %u batches of stage '%s'", gather->batch_count, stage->face.name);
    weft_status status = WEFT_OK;
    for (unsigned i = gather->batch_count; !status && i-- > 0;) {
        struct wf_token *batch = &gather->batches[i];
        batch->pipeline = pipeline;
        batch->batch_of = stage;
        batch->face.node = wf_tokens_home(pipeline, i, gather->batch_count);
        status = wf_token_furnish(batch, stage->face.buffers ? 0 : bytes, options->scratch_bytes);
        if (stage->face.buffers)
            batch->face.buffer = stage->face.buffers[i];
        batch->gated.next = wf_gated_of(gather->free);
        gather->free = batch;
    }
    return status;
}

weft_status wf_gather_make(weft_pipeline *pipeline, struct wf_stage *stage, const weft_pipeline_options *options) {
    bool shuffle = stage->face.kind == WEFT_STAGE_SHUFFLE;
    struct wf_gather *gather = stage->gather = calloc(1, sizeof *gather);
    if (!gather)
        return wf_fail(WEFT_ENOMEM, "no memory for stage '%s'", stage->face.name);
    gather->most = shuffle ? stage->face.window : stage->face.batch;
    gather->held = calloc(gather->most, sizeof(struct wf_token *));
    gather->faces = calloc(gather->most, sizeof(weft_token *));
    if (!gather->held || !gather->faces)
        return wf_fail(WEFT_ENOMEM, "no memory for %zu tokens of stage '%s'", gather->most, stage->face.name);
    return shuffle ? WEFT_OK : make_batches(pipeline, stage, options);
}

void wf_gather_release(struct wf_stage *stage) {
    struct wf_gather *gather = stage->gather;
    if (!gather)
        return;
    for (unsigned i = 0; gather->batches && i < gather->batch_count; i++)
        wf_token_strip(&gather->batches[i], !stage->face.buffers);
    free(gather->batches);
    free(gather->held);
    free(gather->faces);
    free(gather);
    stage->gather = NULL;
}

void wf_gather_reset(struct wf_stage *stage, uint64_t epoch) {
    struct wf_gather *gather = stage->gather;
    uint64_t random = stage->face.seed;
    gather->count = 0;
    gather->given = 0;
    gather->resumed = false;
    gather->random = wf_rng_next(&random) ^ (epoch + 1) * UINT64_C(0xd1342543de82ef95); /* neighbours in either are far apart */
}

static bool is_stopped(const struct wf_stage *stage, const weft_pipeline *pipeline) {
    return wf_load(&stage->limit, WF_RELAXED) != UINT64_MAX || (wf_load(&pipeline->source, WF_SEQ_CST) & WF_SOURCE_STOPPED);
}

/* A token goes on as the next of the new numbering. */
static struct wf_token *give(struct wf_stage *stage, struct wf_token *token, struct wf_token *list) {
    token->face.index = stage->gather->given++;
    token->stage = stage->number + 1;
    token->entered = false;
    token->gated.next = NULL;
    return wf_list_join(list, token);
}

/* Everything that is held is dropped. */
static struct wf_token *drop_held(struct wf_gather *gather, struct wf_token *list) {
    while (gather->count) {
        struct wf_token *token = gather->held[--gather->count];
        token->hole = true;
        token->entered = false;
        wf_token_over(token);
        token->gated.next = wf_gated_of(list);
        list = token;
    }
    return list;
}

/* One of the held tokens, all alike; its place is taken by `instead`, or by the last. */
static struct wf_token *draw(struct wf_gather *gather, struct wf_token *instead) {
    size_t i = wf_rng_below(&gather->random, (uint32_t)gather->count);
    struct wf_token *token = gather->held[i];
    gather->held[i] = instead ? instead : gather->held[--gather->count];
    return token;
}

/* Leave the gate by the number that the token came with, after everything that it guards. */
static struct wf_token *leave(struct wf_stage *stage, uint64_t index, struct wf_token *list) {
    struct wf_token came = {.face.index = index}, *next = wf_gate_leave(stage, &came);
    if (next)
        next->gated.next = NULL;
    return wf_list_join(list, next);
}

struct wf_token *wf_shuffle_take(struct wf_stage *stage, struct wf_token *token) {
    struct wf_gather *gather = stage->gather;
    struct wf_token *list = NULL;
    uint64_t index = token->face.index;
    token->entered = false;
    if (token->marker) {
        if (is_stopped(stage, token->pipeline))
            list = drop_held(gather, list);
        while (gather->count)
            list = give(stage, draw(gather, NULL), list);
        list = give(stage, token, list);
    } else if (gather->count < gather->most) {
        gather->held[gather->count++] = token;
    } else {
        list = give(stage, draw(gather, token), list);
    }
    return leave(stage, index, list);
}

bool wf_batch_has_rest(const struct wf_stage *stage) {
    const struct wf_gather *gather = stage->gather;
    return gather->count && !stage->face.drop_last && !is_stopped(stage, gather->held[0]->pipeline);
}

/* A free batch; NULL: none, and `token` waits for one. */
static struct wf_token *take_batch(struct wf_gather *gather, struct wf_token *token) {
    weft_pipeline *pipeline = token->pipeline;
    pthread_mutex_lock(&pipeline->lock);
    struct wf_token *batch = gather->free;
    if (batch) {
        gather->free = wf_token_of(batch->gated.next);
        wf_store(&pipeline->free_count, wf_load(&pipeline->free_count, WF_RELAXED) - 1, WF_SEQ_CST);
    } else {
        gather->waiting = token;
    }
    pthread_mutex_unlock(&pipeline->lock);
    return batch;
}

static void begin_batch(struct wf_stage *stage, struct wf_token *batch) {
    struct wf_gather *gather = stage->gather;
    for (size_t i = 0; i < gather->count; i++)
        gather->faces[i] = &gather->held[i]->face;
    batch->face.index = gather->given;
    batch->face.epoch = batch->pipeline->epoch;
    batch->face.members = gather->faces;
    batch->face.member_count = gather->count;
    batch->face.bytes = 0;
    batch->word = 0;
    batch->stage = stage->number;
    batch->hole = batch->gathered = batch->entered = false;
}

struct wf_token *wf_batch_add(struct wf_stage *stage, struct wf_token *token, struct wf_token **list) {
    struct wf_gather *gather = stage->gather;
    bool resumed = gather->resumed, doomed = wf_token_is_doomed(stage, token);
    gather->resumed = false;
    *list = NULL;
    if (token->marker && !wf_batch_has_rest(stage)) {
        uint64_t index = token->face.index;
        *list = leave(stage, index, give(stage, token, drop_held(gather, NULL)));
        return NULL;
    }
    if (!token->marker && doomed && !resumed) {
        *list = wf_stage_drop(stage, token);
        return NULL;
    }
    if (!token->marker && !resumed)
        gather->held[gather->count++] = token;
    if (!token->marker && (doomed || gather->count < gather->most)) { /* doomed, and a member: the batch is not whole any more */
        uint64_t index = token->face.index;
        *list = leave(stage, index, doomed ? drop_held(gather, NULL) : NULL);
        return NULL;
    }
    struct wf_token *batch = take_batch(gather, token);
    if (batch)
        begin_batch(stage, batch);
    return batch;
}

struct wf_token *wf_batch_done(struct wf_stage *stage, struct wf_token *token, struct wf_token *batch) {
    struct wf_gather *gather = stage->gather;
    uint64_t index = token->face.index;
    struct wf_token *list = give(stage, batch, NULL);
    batch->face.members = NULL;
    while (gather->count) {
        struct wf_token *member = gather->held[--gather->count];
        member->gathered = true;
        member->entered = false;
        wf_token_over(member);
        member->gated.next = NULL;
        list = wf_list_join(list, member);
    }
    if (token->marker)
        list = give(stage, token, list);
    return leave(stage, index, list);
}

struct wf_token *wf_batch_free(struct wf_token *batch) {
    struct wf_gather *gather = batch->batch_of->gather;
    struct wf_token *waiting = gather->waiting;
    batch->gated.next = wf_gated_of(gather->free);
    gather->free = batch;
    gather->waiting = NULL;
    if (waiting)
        gather->resumed = true; /* the gate is its own, and it is nobody's now */
    return waiting;
}
