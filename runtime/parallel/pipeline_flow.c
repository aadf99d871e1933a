/* Tokens on their way through the stages, on the pool's workers. What must hold stands in pipeline.h. */
#include "base/clock.h"
#include "base/status.h"
#include "parallel/pipeline_gather.h"
#include "parallel/pipeline_move.h"
#include "scheduler/join.h"
#include "scheduler/search.h"
#include "scheduler/submit.h"
#include "scheduler/waiters.h"

#define LOOK_EVERY 16u      /* tokens between two looks at the clock */
#define YIELD_NS 100000u    /* then others on this worker have a turn */
#define WORTH_TOKEN_NS 1000 /* two runners pay if a token takes longer than this, */
#define WORTH_STAGE_NS 200  /* and this for each stage: what it costs them when they meet there */

/* A task of the pool that runs stages, or a worker that waits inside one. */
struct runner {
    struct wf_mover mover;
    struct wf_worker *worker;
    weft_slot *first_slot; /* of the deque, of what the runner's stages spawn */
    bool remote;           /* the token at hand has its home elsewhere */
    uint32_t followed;     /* since the last look at the clock */
    uint64_t looked_ns;    /* when that was */
    uint64_t begin_ns;
};

/* The token comes to this runner, whose frame is around what it calls. */
static void receive(struct runner *runner, struct wf_token *token) {
    token->face.thread = runner->worker->id;
    runner->worker->frame->home = token->face.node + 1;
    runner->remote = runner->worker->node != token->face.node;
}

/* Children that the stage has left behind end before the next one begins. */
static inline __attribute__((always_inline)) void call(struct runner *runner, struct wf_stage *stage, struct wf_token *token) {
    struct wf_stage_counts *counts = &runner->mover.counts[stage->number];
    wf_stage_call(stage, counts, token);
    if (WF_UNLIKELY(wf_load(wf_slot_live(runner->first_slot), WF_RELAXED) || runner->worker->frame->placed))
        wf_sync(runner->worker);
    if (runner->remote && token->verdict != WF_VERDICT_END) /* whose call is not counted */
        wf_count_more(&counts->remote, 1);
}

/* Whether a stage on the pool can be run by who has the token, without more ado. */
static bool enter_at_once(struct wf_stage *stage, const struct wf_token *token) {
    switch (stage->way) {
    case WF_WAY_PARALLEL:
        return true;
    case WF_WAY_SERIAL:
        return wf_turns_enter(&stage->turns);
    case WF_WAY_ORDERED:
        return wf_order_arrive(&stage->order, token->face.index);
    default:
        return false;
    }
}

/* From the stage whose gate it has passed, as long as nothing is in the way. What remains to be moved: a list. */
static struct wf_token *run_through(struct runner *runner, struct wf_token *token) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    struct wf_stage *stage = &pipeline->stages[token->stage], *end = &pipeline->stages[pipeline->count];
    for (;;) {
        if (wf_token_is_doomed(stage, token)) {
            token->hole = true;
            return wf_stage_leave(stage, token);
        }
        call(runner, stage, token);
        struct wf_token *next = stage->way == WF_WAY_PARALLEL ? NULL : wf_gate_leave(stage, token);
        stage++;
        token->stage++;
        if (stage == end && !next && !pipeline->pull && wf_token_ends_here(&runner->mover, token))
            return NULL;
        if (next || token->hole || stage == end || !enter_at_once(stage, token)) {
            token->entered = false;
            token->gated.next = wf_gated_of(next);
            if (next)
                next->gated.next = NULL;
            return token;
        }
    }
}

/* A token at a batch stage, whose gate it has passed. What remains to be moved: a list. */
static struct wf_token *batch(struct runner *runner, struct wf_stage *stage, struct wf_token *token) {
    struct wf_token *list, *made = wf_batch_add(stage, token, &list);
    if (!made)
        return list;
    receive(runner, made);
    call(runner, stage, made);
    return wf_batch_done(stage, token, made);
}

/* From the stage that it is at, whose gate it has passed, until it waits or ends. */
static void follow(struct runner *runner, struct wf_token *token) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    while (token) {
        struct wf_stage *stage = &pipeline->stages[token->stage];
        wf_token_count_out(stage, token);
        receive(runner, token);
        struct wf_token *rest = stage->gather ? batch(runner, stage, token) : run_through(runner, token);
        token = rest ? wf_pipeline_move(&runner->mover, rest) : NULL;
    }
}

/* The source may be called, by somebody else than this runner: see that there is somebody, near a free token. */
static void offer_source(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    struct wf_pipeline_node *own = runner->mover.node;
    if (wf_load(&own->free_count, WF_SEQ_CST)) {
        if (wf_load(&pipeline->worth, WF_RELAXED))
            wf_pipeline_offer(own, NULL);
        return;
    }
    for (unsigned i = 1; i < pipeline->node_count; i++) {
        struct wf_pipeline_node *node = &pipeline->nodes[(own->index + i) % pipeline->node_count];
        if (wf_load(&node->free_count, WF_SEQ_CST)) {
            wf_pipeline_offer(node, NULL);
            return;
        }
    }
}

/* The right to call the source; false: somebody has it, or it may not be called. */
static bool take_right(weft_pipeline *pipeline) {
    if (wf_load(&pipeline->source, WF_SEQ_CST) || pipeline->stages[0].own.threads)
        return false;
    if (!wf_stage_is_gated(&pipeline->stages[0]))
        return true;
    /* acquire: what the last call did; seq_cst, with the load: who frees a token looks at this afterwards */
    return !wf_load(&pipeline->taken, WF_SEQ_CST) && !wf_exchange(&pipeline->taken, 1, WF_SEQ_CST);
}

/*
 * Give it back, and see that the source is called by somebody if it may be. While sharing does not pay that is this runner, which looks
 * again when its token has gone as far as it goes; so the store may be late for somebody who frees a token meanwhile and looks.
 */
static void give_right(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    bool worth = wf_load(&pipeline->worth, WF_RELAXED) || pipeline->node_count > 1;
    if (wf_stage_is_gated(&pipeline->stages[0]))
        wf_store(&pipeline->taken, 0, worth ? WF_SEQ_CST : WF_RELEASE); /* pairs with take_right() */
    if (worth && !wf_load(&pipeline->source, WF_SEQ_CST))
        offer_source(runner);
}

/* A token for the source, with the right to call it. */
static struct wf_token *take_source(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    struct wf_pipeline_node *node = runner->mover.node;
    while ((runner->mover.spare || wf_load(&node->free_count, WF_SEQ_CST)) && take_right(pipeline)) {
        struct wf_token *token = runner->mover.spare;
        if (!token || pipeline->gathers) {
            pthread_mutex_lock(&pipeline->lock);
            token = token ? (wf_source_admit(pipeline) ? token : NULL) : wf_tokens_take(pipeline, node);
            pthread_mutex_unlock(&pipeline->lock);
        }
        if (token) {
            runner->mover.spare = token == runner->mover.spare ? NULL : runner->mover.spare;
            if (WF_UNLIKELY(wf_load(&pipeline->waits_since, WF_RELAXED)))
                wf_source_waits_no_more(pipeline);
            return token;
        }
        give_right(runner); /* others have taken them, or it was closed meanwhile */
    }
    return NULL;
}

static void run_source(struct runner *runner, struct wf_token *token) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    struct wf_stage *source = &pipeline->stages[0];
    wf_token_begin(pipeline, token);
    receive(runner, token);
    call(runner, source, token);
    bool used = wf_source_used(pipeline, token);
    if (used && wf_load(&pipeline->worth, WF_RELAXED))
        wf_source_waits(pipeline);
    give_right(runner);
    if (pipeline->gathers)
        wf_source_called(&runner->mover);
    if (!used) {
        wf_token_unused(pipeline, token);
        return;
    }
    token->stage = 1;
    token->gated.next = NULL;
    if (!token->hole && pipeline->count > 1 && enter_at_once(&pipeline->stages[1], token)) {
        token->entered = true;
        token = run_through(runner, token);
    }
    if (token)
        follow(runner, wf_pipeline_move(&runner->mover, token));
}

static void free_spare(struct runner *runner) {
    struct wf_token *spare = runner->mover.spare;
    runner->mover.spare = NULL;
    if (spare)
        wf_token_unused(runner->mover.pipeline, spare);
}

/* One token as far as it goes. False: there is none. */
static bool step(struct runner *runner) {
    struct wf_pipeline_node *node = runner->mover.node;
    struct wf_token *token = wf_ready_take(node);
    if (token) {
        if (wf_load(&node->ready, WF_RELAXED) && wf_load(&node->pipeline->worth, WF_RELAXED))
            wf_pipeline_offer(node, NULL);
        free_spare(runner);
        follow(runner, token);
        return true;
    }
    if ((token = take_source(runner))) {
        run_source(runner, token);
        return true;
    }
    bool had = runner->mover.spare;
    free_spare(runner);
    return had; /* the source may be waiting for it by now */
}

/* Every few tokens: what one takes, and whether this runner is to leave although there is work. */
static bool look_at_clock(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    uint64_t now = wf_now_ns(), took = (now - runner->looked_ns) / LOOK_EVERY;
    uint64_t mean = wf_load(&pipeline->segment_ns, WF_RELAXED);
    mean = mean ? mean + took / 4 - mean / 4 : took;
    wf_store(&pipeline->segment_ns, mean, WF_RELAXED); /* another runner's may be lost: it is a mean */
    uint32_t worth = mean >= WORTH_TOKEN_NS + WORTH_STAGE_NS * (uint64_t)pipeline->count;
    if (worth != wf_load(&pipeline->worth, WF_RELAXED))
        wf_store(&pipeline->worth, worth, WF_RELAXED);
    runner->looked_ns = now;
    runner->followed = 0;
    return now - runner->begin_ns >= YIELD_NS;
}

/*
 * While sharing does not pay, all runners but one leave. What this one has put into the ready list is seen by those that stay: it is
 * empty now, or they look at it once more before the last of them leaves.
 */
static bool leaves_to_others(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    uint32_t active = wf_load(&pipeline->active, WF_SEQ_CST);
    if (wf_load(&pipeline->worth, WF_RELAXED) || active <= 1 || wf_load(&runner->mover.node->ready, WF_SEQ_CST))
        return false;
    free_spare(runner);
    while (active > 1)
        if (wf_cas(&pipeline->active, &active, active - 1, WF_SEQ_CST, WF_SEQ_CST))
            return true;
    return false;
}

/* What others have left to a runner of the node since it looked; it looks again after it has lowered `active`. */
static bool has_work(const struct wf_pipeline_node *node) {
    return wf_load(&node->ready, WF_SEQ_CST) ||
           (wf_load(&node->free_count, WF_SEQ_CST) && !wf_load(&node->pipeline->source, WF_SEQ_CST) &&
            !node->pipeline->stages[0].own.threads);
}

/*
 * A worker that runs another node's tokens goes on with those of its own as soon as there are some: else workers that have come to each
 * other's nodes would stay there. Somebody else comes to what it leaves.
 */
static void go_home(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    struct wf_pipeline_node *away = runner->mover.node, *home = &pipeline->nodes[runner->worker->node];
    if (WF_LIKELY(away == home) || !has_work(home))
        return;
    free_spare(runner);
    if (!has_work(away) || wf_pipeline_offer(away, NULL))
        runner->mover.node = home;
}

/* Work until there is none, it is left to others, or (true) time is up. The runner counts as active until then, and in that case. */
static bool work(struct runner *runner) {
    weft_pipeline *pipeline = runner->mover.pipeline;
    runner->begin_ns = runner->looked_ns = wf_now_ns();
    for (;;) {
        while (go_home(runner), step(runner)) {
            if (++runner->followed < LOOK_EVERY)
                continue;
            bool up = look_at_clock(runner);
            if (leaves_to_others(runner))
                return false;
            if (up)
                return true;
        }
        wf_fetch_sub(&pipeline->active, 1, WF_SEQ_CST);
        if (!has_work(runner->mover.node))
            return false;
        wf_fetch_add(&pipeline->active, 1, WF_SEQ_CST);
    }
}

static void begin_runner(struct runner *runner, struct wf_pipeline_node *node, struct wf_worker *worker) {
    weft_pipeline *pipeline = node->pipeline;
    struct wf_stage_counts *counts = &pipeline->counts[(size_t)worker->id * (pipeline->count + 1)];
    *runner = (struct runner){.mover = {.pipeline = pipeline, .node = node, .counts = counts}, .worker = worker};
    runner->first_slot = &worker->deque.slots[worker->frame->base];
    wf_fetch_add(&pipeline->active, 1, WF_SEQ_CST);
}

static void end_runner(struct runner *runner) {
    free_spare(runner);
    wf_fetch_sub(&runner->mover.pipeline->active, 1, WF_SEQ_CST);
}

/* In a frame of its own, as all that calls stages. */
static void run_frame(void *arg) {
    struct wf_pipeline_node *node = arg;
    struct runner runner;
    begin_runner(&runner, node, wf_self);
    while (work(&runner)) {
        if (!wf_search_waits(runner.worker))
            continue;
        free_spare(&runner);
        if (!wf_pipeline_offer(runner.mover.node, NULL))
            continue; /* nobody else comes */
        end_runner(&runner);
        return;
    }
}

static void run_task(void *arg) {
    struct wf_pipeline_node *node = arg;
    weft_pipeline *pipeline = node->pipeline;
    wf_store(&node->pending, 0, WF_SEQ_CST); /* then it looks */
    wf_run_call(wf_self, run_frame, node, NULL, &pipeline->inside);
    wf_pipeline_unrefer(pipeline);
}

bool wf_pipeline_offer(struct wf_pipeline_node *node, weft_status *status) {
    weft_pipeline *pipeline = node->pipeline;
    if (wf_load(&pipeline->helpers, WF_SEQ_CST))
        wf_waiters_wake(pipeline);
    if (wf_load(&node->pending, WF_SEQ_CST) || wf_exchange(&node->pending, 1, WF_SEQ_CST))
        return true;
    wf_pipeline_refer(pipeline);
    weft_status refused = wf_submit_always(pipeline->pool, node->index, &(struct wf_task){.fn = run_task, .arg = node});
    if (!refused)
        return true;
    wf_store(&node->pending, 0, WF_SEQ_CST);
    wf_pipeline_unrefer(pipeline);
    if (status)
        *status = refused;
    return false;
}

void wf_pipeline_offer_or_fail(struct wf_pipeline_node *node) {
    weft_status status;
    if (!wf_pipeline_offer(node, &status))
        wf_pipeline_abandon(node->pipeline, status);
}

void wf_pipeline_drain(weft_pipeline *pipeline) {
    struct wf_mover mover = {.pipeline = pipeline};
    struct wf_token *token;
    for (unsigned i = 0; i < pipeline->node_count; i++)
        while ((token = wf_ready_take(&pipeline->nodes[i]))) {
            token->gated.next = NULL;
            wf_pipeline_move(&mover, token);
        }
}

static void help_frame(void *arg) {
    struct runner *runner = arg;
    begin_runner(runner, runner->mover.node, wf_self);
    if (work(runner))
        end_runner(runner);
}

bool wf_pipeline_help(struct wf_worker *worker, weft_pipeline *pipeline) {
    for (unsigned i = 0; i < pipeline->node_count; i++) {
        struct runner runner = {.mover = {.node = &pipeline->nodes[(worker->node + i) % pipeline->node_count]}};
        runner.mover.pipeline = pipeline;
        /* one runner is enough where sharing does not pay */
        bool enough = !wf_load(&pipeline->worth, WF_RELAXED) && wf_load(&pipeline->active, WF_SEQ_CST);
        if (enough || !has_work(runner.mover.node))
            continue;
        wf_run_call(worker, help_frame, &runner, worker->frame, &pipeline->inside);
        return true;
    }
    return false;
}
