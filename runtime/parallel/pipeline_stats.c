/* Calling a stage's function, with what is counted about it; and the statistics that are read from that. */
#include "parallel/pipeline_stats.h"

#include <sys/resource.h>

#include "base/clock.h"
#include "base/status.h"
#include "parallel/pipeline_gather.h"

/* Of calls that are shorter than these, one in so many is timed: a look at the clock takes about 25 ns. */
#define SHORT_NS 2000u
#define SHORT_EVERY 16u
#define SHORTEST_NS 200u
#define SHORTEST_EVERY 64u

/* How much of a stage's time goes by between two calls that are watched for sleep, for a microsecond each; and what share of it makes a stage that blocks. */
#define WATCH_EVERY_NS 200000u
#define BLOCKS_SHARE 0.1

static WF_COLD weft_status begin(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token) {
    weft_status status = stage->face.begin ? stage->face.begin(stage->face.arg, token->face.thread) : WEFT_OK;
    counts->begun = !status;
    counts->unwatched_ns = WATCH_EVERY_NS; /* the first call is */
    counts->weight = 1;
    token->said = status;
    return status ? wf_fail(status, "begin() on thread %u returned %s", token->face.thread, weft_status_name(status)) : WEFT_OK;
}

static weft_status call_timed(struct wf_stage *stage, struct wf_token *token, uint64_t *took) {
    uint64_t before = wf_now_ns();
    weft_status status = stage->face.run(stage->face.arg, &token->face);
    *took = wf_now_ns() - before;
    return status;
}

static uint64_t cpu_ns(const struct rusage *usage) {
    return (uint64_t)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) * 1000000000u +
           (uint64_t)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) * 1000u;
}

/* A call that gave its CPU up of its own accord, and did not do so waiting for weft, slept for as long as it did not run. */
static weft_status call_watched(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token, uint64_t *took) {
    struct rusage before, after;
    const wf_atomic_u64 *parks = &wf_self->counters.parks;
    uint64_t parked = wf_load(parks, WF_RELAXED);
    bool known = !getrusage(RUSAGE_THREAD, &before);
    weft_status status = call_timed(stage, token, took);
    known = known && !getrusage(RUSAGE_THREAD, &after) && wf_load(parks, WF_RELAXED) == parked;
    if (!known)
        return status;
    uint64_t ran = cpu_ns(&after) - cpu_ns(&before);
    wf_count_more(&counts->watched_ns, *took);
    if (after.ru_nvcsw != before.ru_nvcsw && ran < *took)
        wf_count_more(&counts->slept_ns, *took - ran);
    return status;
}

weft_status wf_stage_call_timed(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token) {
    weft_status status = counts->begun ? WEFT_OK : begin(stage, counts, token);
    if (status)
        return status; /* the next call tries again */
    bool watch = !stage->own.threads && counts->unwatched_ns >= WATCH_EVERY_NS;
    uint64_t took;
    if (watch)
        status = call_watched(stage, counts, token, &took);
    else
        status = call_timed(stage, token, &took);
    counts->unwatched_ns = watch ? 0 : counts->unwatched_ns + took * counts->weight;
    wf_count_more(&counts->busy_ns, took * counts->weight);
    counts->weight = took >= SHORT_NS ? 1 : took >= SHORTEST_NS ? SHORT_EVERY : SHORTEST_EVERY;
    counts->timed_at = wf_load(&counts->tokens, WF_RELAXED) + counts->weight;
    return status;
}

void wf_stage_called(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token, weft_status status) {
    if (status) {
        token->hole = true;
        wf_pipeline_fail(stage, token, status);
        token->verdict = WF_VERDICT_DROP;
    } else if (token->verdict == WF_VERDICT_DROP) {
        token->hole = true;
        wf_count_more(&counts->dropped, 1);
    } else if (token->verdict >= WF_VERDICT_END) {
        wf_count_more(&counts->tokens, (uint64_t)-1); /* its token was not used */
    }
    token->said = false; /* and it did not fail */
}

static const struct wf_stage_counts *counts_of(const weft_pipeline *pipeline, unsigned participant, unsigned stage) {
    return &pipeline->counts[(size_t)participant * (pipeline->count + 1) + stage];
}

static uint64_t elapsed_ns(const weft_pipeline *pipeline) {
    uint64_t begin_ns = wf_load(&pipeline->begin_ns, WF_RELAXED), end_ns = wf_load(&pipeline->end_ns, WF_RELAXED);
    return !begin_ns ? 0 : (end_ns ? end_ns : wf_now_ns()) - begin_ns;
}

/* How many calls of its function there can be at once. */
static unsigned width_of(const weft_pipeline *pipeline, const struct wf_stage *stage) {
    if (stage->face.kind != WEFT_STAGE_PARALLEL)
        return 1;
    unsigned width = stage->own.count ? stage->own.count : weft_pool_active(pipeline->pool);
    return width < pipeline->token_count ? width : pipeline->token_count;
}

static void read_stage(const weft_pipeline *pipeline, unsigned number, weft_stage_stats *stats) {
    const struct wf_stage *stage = &pipeline->stages[number];
    uint64_t watched = 0, slept = 0;
    *stats = (weft_stage_stats){.name = stage->face.name};
    for (unsigned i = 0; i < pipeline->participants; i++) {
        const struct wf_stage_counts *counts = counts_of(pipeline, i, number);
        stats->tokens += wf_load(&counts->tokens, WF_RELAXED);
        stats->dropped += wf_load(&counts->dropped, WF_RELAXED);
        stats->bytes += wf_load(&counts->bytes, WF_RELAXED);
        stats->busy_ns += wf_load(&counts->busy_ns, WF_RELAXED);
        watched += wf_load(&counts->watched_ns, WF_RELAXED);
        slept += wf_load(&counts->slept_ns, WF_RELAXED);
    }
    double share = watched ? (double)slept / (double)watched : 0;
    stats->blocked_ns = (uint64_t)(share * (double)stats->busy_ns);
    stats->blocks = share >= BLOCKS_SHARE;
    uint64_t available = elapsed_ns(pipeline) * width_of(pipeline, stage);
    stats->busy_share = available ? (double)stats->busy_ns / (double)available : 0;
    stats->queued = wf_load(&stage->queue.now, WF_RELAXED);
    stats->queued_most = wf_load(&stage->queue.most, WF_RELAXED);
    stats->queued_mean = stats->tokens ? (double)wf_load(&stage->queue.found, WF_RELAXED) / (double)stats->tokens : 0;
}

weft_status weft_pipeline_stage_stats(weft_pipeline *pipeline, unsigned stage, weft_stage_stats *stats) {
    if (!pipeline || !stats)
        return wf_fail(WEFT_EINVAL, "weft_pipeline_stage_stats() needs a pipeline and a place for the numbers, got NULL");
    if (stage >= pipeline->count)
        return wf_fail(WEFT_EINVAL, "stage %u does not exist: use 0 to %u", stage, pipeline->count - 1);
    read_stage(pipeline, stage, stats);
    return WEFT_OK;
}

static void read_participants(const weft_pipeline *pipeline, weft_pipeline_stats *stats) {
    for (unsigned i = 0; i < pipeline->participants; i++) {
        const struct wf_stage_counts *ended = counts_of(pipeline, i, pipeline->count);
        stats->finished += wf_load(&ended->tokens, WF_RELAXED);
        stats->dropped += wf_load(&ended->dropped, WF_RELAXED);
        for (unsigned s = 0; i < pipeline->pool->worker_count && s < pipeline->count; s++) {
            uint64_t tokens = wf_load(&counts_of(pipeline, i, s)->tokens, WF_RELAXED);
            uint64_t remote = wf_load(&counts_of(pipeline, i, s)->remote, WF_RELAXED);
            stats->stages_remote += remote;
            stats->stages_local += tokens > remote ? tokens - remote : 0; /* beside a worker that counts */
        }
    }
}

static void read_stages(const weft_pipeline *pipeline, weft_pipeline_stats *stats) {
    double most = -1;
    for (unsigned s = 0; s < pipeline->count; s++) {
        weft_stage_stats stage;
        read_stage(pipeline, s, &stage);
        stats->started = s ? stats->started : stage.tokens;
        if (stage.busy_share > most) {
            most = stage.busy_share;
            stats->bottleneck = s;
        }
    }
}

static uint64_t bytes_of(const struct wf_token *tokens, unsigned count) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < count; i++)
        bytes += tokens[i].buffer_bytes + wf_load(&tokens[i].populated, WF_RELAXED);
    return bytes;
}

weft_status weft_pipeline_get_stats(weft_pipeline *pipeline, weft_pipeline_stats *stats) {
    if (!pipeline || !stats)
        return wf_fail(WEFT_EINVAL, "weft_pipeline_get_stats() needs a pipeline and a place for the numbers, got NULL");
    *stats = (weft_pipeline_stats){.elapsed_ns = elapsed_ns(pipeline)};
    read_participants(pipeline, stats);
    read_stages(pipeline, stats);
    stats->token_bytes = bytes_of(pipeline->tokens, pipeline->token_count);
    for (unsigned s = 0; s < pipeline->count; s++)
        if (pipeline->stages[s].gather)
            stats->token_bytes += bytes_of(pipeline->stages[s].gather->batches, pipeline->stages[s].gather->batch_count);
    stats->source_waits_ns = wf_load(&pipeline->source_waits_ns, WF_RELAXED);
    pthread_mutex_lock(&pipeline->lock);
    stats->tokens_most = pipeline->most;
    stats->tokens = pipeline->token_count - pipeline->unused;
    stats->finished += pipeline->finished;
    stats->dropped += pipeline->dropped;
    pthread_mutex_unlock(&pipeline->lock);
    return WEFT_OK;
}
