/*
 * Pipelines: what their rooms have in common.
 *
 *   pipeline.c           made, checked, released
 *   pipeline_run.c       runs: begin, end, failure, cancel
 *   pipeline_flow.c      tokens on their way through the stages, on the pool's workers
 *   pipeline_gate.h      how they pass stages one at a time
 *   pipeline_source.h    whether the source may be called
 *   pipeline_tokens.c    their memory, those that are free, and what stages say of them
 *   pipeline_tune.h      how many of them are used, found by trying
 *   pipeline_move.h      past gates, and where they wait for workers
 *   pipeline_gather.h    batches and shuffles
 *   pipeline_pull.c      finished ones that somebody takes
 *   pipeline_threads.c   stages on threads of their own
 *   pipeline_stats.c     counters
 *
 * Who has a token (it lies in one place: a gate, a ready list, a thread's queue, the free ones, or somebody's hand) may write to it.
 * Whoever has one takes it as far as it goes without a worker of the pool (wf_pipeline_move()): past gates and, if it is dropped, past
 * stages. Then it lies in the ready list of its home node, unless the one who has it is a runner, a task of the pool, which goes on with
 * it. Runners of a node look at its ready list, then at the source, and leave when both have nothing.
 *
 * No work is forgotten: whoever makes work visible (a token in a ready list; a token free while the source may be called) either is
 * a runner of that node, and looks before it leaves, or calls wf_pipeline_offer() afterwards: that makes sure that a runner is on its way
 * (`pending`), one that clears `pending` before it looks. Both sides are sequentially consistent, or under the list's lock.
 *
 * Whether it is worthwhile: two runners of stages that do next to nothing lose more on lines that go back and forth than they win. So
 * runners take the time of a few tokens now and then, and while it is short (`worth` is 0) offer nothing that they can do themselves,
 * and all but one leave.
 *
 * `source` says whether the source may be called now, see pipeline_source.h. `taken` is set by whoever has the right to call a source
 * that is called once at a time. A run is over when the source has ended, or is stopped, and all tokens are free.
 *
 * A pipeline's own memory is shared with the runners that were offered and have not begun, which may be long after it was destroyed:
 * `references`.
 *
 * Field letters: I fixed after it was made, O who has the token or is inside the gate, R fixed while it runs, A atomic, L under `lock`.
 */
#ifndef WF_PARALLEL_PIPELINE_H
#define WF_PARALLEL_PIPELINE_H

#include <pthread.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "parallel/pipeline_gate.h"
#include "parallel/pipeline_source.h"
#include "parallel/pipeline_stats.h"
#include "parallel/pipeline_tune.h"
#include "scheduler/group.h"
#include "weft/pipeline.h"

#define WF_PIPELINE_TOKENS_MOST (1u << 20)

/* What a stage has said of its token, besides its status. */
enum wf_verdict { WF_VERDICT_ON, WF_VERDICT_DROP, WF_VERDICT_END, WF_VERDICT_STALL };

struct wf_token {
    struct wf_gated gated;   /* the list that it is in; first */
    weft_token face;         /* O */
    weft_pipeline *pipeline; /* I */
    unsigned stage;          /* O: that it is at, or waits for */
    union {
        uint16_t word; /* 0: nothing was said */
        struct {
            uint8_t verdict; /* O: of the stage that runs */
            bool said;       /* O: and why it fails is in the thread's detail text */
        };
    };
    bool entered;              /* O: the gate of its stage is passed */
    bool hole;                 /* O: dropped. It passes ORDERED stages without running, then ends */
    bool marker;               /* I: the pipeline's, see pipeline_gather.h */
    bool gathered;             /* O: it was a member of a batch, and has ended with it */
    uint64_t begun;            /* O: see wf_source_begin() */
    struct wf_stage *batch_of; /* I: the stage whose batch it is; NULL: none's */
    bool counted;              /* O: among those that wait for its stage */
    size_t buffer_bytes;       /* I: of the pipeline's own */
    wf_atomic_u64 populated;   /* A: bytes of its arena that were present at its last end; relaxed: statistics */
};

struct wf_stage_thread {
    weft_pipeline *pipeline;        /* I */
    unsigned stage, number;         /* I */
    pthread_t thread;               /* the creator's */
    struct wf_stage_counts *counts; /* I */
};

/* The threads of a stage and the tokens that wait for them. */
struct wf_stage_threads {
    struct wf_stage_thread *threads; /* I; NULL: runs on the pool */
    unsigned count;                  /* I */
    unsigned begun;                  /* the creator's: those that exist */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct wf_token *first, *last; /* L: this lock */
    bool quit;                     /* L */
};

struct wf_stage {
    weft_stage face; /* I */
    enum wf_stage_way {
        WF_WAY_PARALLEL,
        WF_WAY_SERIAL,
        WF_WAY_ORDERED,
        WF_WAY_OTHER
    } way;               /* I: how a runner that has a token gets past its gate; OTHER: it does not */
    unsigned number;     /* I */
    wf_atomic_u64 limit; /* A: tokens from this index on are dropped before it. Lowered by who stops the run, and then read by
                            others whenever they come to look; relaxed, it guards nothing */
    bool by_index;       /* I: its gate is `order`; else it is `turns`, or none */
    unsigned segment;    /* I: stages that number anew before this one */
    struct wf_gather *gather; /* I: BATCH and SHUFFLE; see pipeline_gather.h */
    struct wf_order order;    /* ORDERED */
    struct wf_turns turns;    /* SERIAL */
    struct wf_stage_threads own;
    struct wf_stage_queue queue;
};

/* One node's part. */
struct wf_pipeline_node {
    WF_LINE_ALIGNED weft_pipeline *pipeline; /* I */
    unsigned index;                          /* I */
    wf_atomic_u32 pending;                   /* A: a runner was offered and has not begun; see above */
    pthread_mutex_t lock;
    struct wf_token *first, *last; /* L: this lock. Ready, oldest first */
    wf_atomic_u32 ready;           /* A: written L; how many */
    struct wf_token *free;         /* L: the pipeline's lock */
    struct wf_token *unused;       /* L: the same. Free, and put aside by the tuner */
    unsigned used;                 /* L: the same. Tokens that are not */
    unsigned tokens;               /* I */
    wf_atomic_u32 free_count;      /* A: written L: the pipeline's lock */
};

#define WF_FAILURE_TEXT 384

struct weft_pipeline {
    weft_pool *pool;                  /* I */
    struct weft_group inside;         /* I: marks the frames of runners; counts nothing */
    struct wf_stage *stages;          /* I */
    unsigned count;                   /* I */
    unsigned record_count;            /* I: of token_count, all batches, and the marker */
    unsigned token_count, node_count; /* I */
    char *names;                      /* I: all stages', one after the other */
    struct wf_token *tokens;          /* I */
    struct wf_pipeline_node *nodes;   /* I */
    struct wf_stage_counts *counts;   /* I: see pipeline_stats.h */
    unsigned participants;            /* I */
    uint64_t epoch;                   /* R */
    bool gathers;                     /* I: there are batches or shuffles */
    bool pull;                        /* I */
    wf_atomic_u64 next_index;         /* A: written by who has the right to call the source, relaxed; of PARALLEL ones by all */
    wf_atomic_u32 references;         /* A: see above */
    WF_LINE_ALIGNED wf_atomic_u32 source; /* A: see pipeline_source.h */
    wf_atomic_u64 wakes;                  /* A: see there */
    wf_atomic_u32 taken;                  /* A: see above; taken by exchange, acquire; given back by a store, release */
    wf_atomic_u32 free_count;             /* A: written L: records that are free */
    WF_LINE_ALIGNED wf_atomic_u32 active; /* A: runners at work */
    wf_atomic_u32 helpers;                /* A: workers that wait for the run and may sleep; see pipeline_run.c */
    wf_atomic_u32 worth;                  /* A: it pays to offer work to others; relaxed: a hint */
    wf_atomic_u64 segment_ns;             /* A: smoothed, what a runner has to do for a token at a time; relaxed */
    WF_LINE_ALIGNED pthread_mutex_t lock;
    pthread_cond_t token_free;             /* L: for threads of the source */
    wf_atomic_u32 running;                 /* A: written L: from start to the end of the last token */
    bool started;                          /* L: and not waited for */
    bool interrupted;                      /* L: the source's, in this run */
    bool canceled;                         /* L: all stages are interrupted */
    bool quit;                             /* L: the threads of the source end */
    weft_status failure;                   /* L */
    unsigned calls;                        /* L: of the source, that run; only with `gathers` */
    bool marked;                           /* L: the marker was sent */
    struct wf_token *marker;               /* I: NULL: nothing gathers */
    struct wf_token *pulled, *pulled_last; /* L: finished, nobody has taken them */
    unsigned leaving;                      /* L: who has put one there, and not left the gate of their order */
    unsigned lent;                         /* L: by weft_pipeline_next(), and not released */
    bool discard;                          /* L: nobody takes what is finished */
    wf_atomic_u32 pullers;                 /* A: that wait for a token; seq_cst, as helpers */
    wf_atomic_u32 plain_free;              /* A: written L: of the tokens that are used; relaxed: statistics */
    unsigned most;                         /* L: tokens that existed at the same time */
    unsigned unused;                       /* L: tokens that the tuner has put aside */
    struct wf_tune tune;                   /* L */
    wf_atomic_u64 waits_since;             /* A: since when the source waits for a token; 0: it does not; relaxed, as the next */
    wf_atomic_u64 source_waits_ns;         /* A */
    unsigned failed_segment;               /* L */
    uint64_t failed_index;                 /* L */
    char failure_text[WF_FAILURE_TEXT];    /* L */
    uint64_t finished, dropped;            /* L: tokens that ended elsewhere than on runners */
    wf_atomic_u64 begin_ns, end_ns;        /* A: relaxed: statistics */
};

/* Who moves tokens. */
struct wf_mover {
    weft_pipeline *pipeline;
    struct wf_pipeline_node *node;  /* a runner's; NULL: no runner */
    struct wf_stage_counts *counts; /* its own; NULL: those under the lock */
    struct wf_token *spare;         /* a runner's: has ended, and is not free yet */
};

static inline struct wf_token *wf_token_of(struct wf_gated *gated) {
    return (struct wf_token *)gated; /* its first field */
}

static inline struct wf_gated *wf_gated_of(struct wf_token *token) {
    return (struct wf_gated *)token;
}

static inline struct wf_token *wf_token_behind(weft_token *face) {
    return WF_CONTAINER_OF(face, struct wf_token, face);
}

/* pipeline.c */
void wf_pipeline_refer(weft_pipeline *pipeline);
void wf_pipeline_unrefer(weft_pipeline *pipeline);

/* pipeline_tokens.c: make and release; WEFT_ENOMEM, WEFT_EINVAL: limits of arenas. */
weft_status wf_tokens_make(weft_pipeline *pipeline, const weft_pipeline_options *options);
void wf_tokens_release(weft_pipeline *pipeline);

/* Parts of that, for batches: the node of token i of `count`; zeroed records; buffer and arena, made and released. */
unsigned wf_tokens_home(const weft_pipeline *pipeline, unsigned i, unsigned count);
struct wf_token *wf_tokens_array(unsigned count);
weft_status wf_token_furnish(struct wf_token *token, size_t bytes, size_t scratch_bytes);
void wf_token_strip(struct wf_token *token, bool buffer);

/* A free token of a node, with a call of the source admitted; NULL: none. Under the lock. */
struct wf_token *wf_tokens_take(weft_pipeline *pipeline, struct wf_pipeline_node *node);

/* A token whose way is over: it is free, and if it was the last the run is over. */
void wf_token_free(weft_pipeline *pipeline, struct wf_token *token);

/* The same for one that was not on its way, or is counted already. */
void wf_token_unused(weft_pipeline *pipeline, struct wf_token *token);

/* How a way ended. Members of batches are neither, nor is what the source did not use. */
static inline bool wf_token_finished(const struct wf_token *token) {
    return !token->hole && !token->gathered;
}

static inline bool wf_token_dropped(const struct wf_token *token) {
    return token->hole && !token->marker && token->verdict < WF_VERDICT_END;
}

/* One that the source may get. */
static inline bool wf_token_is_plain(const struct wf_token *token) {
    return !token->batch_of && !token->marker;
}

/* Its way is over before the last stage, in whose order it does not count. */
static inline void wf_token_over(struct wf_token *token) {
    token->stage = token->pipeline->count + 1;
}

/* It has been called and no token is free, or there is one again: how long that takes is told by statistics. */
void wf_source_waits(weft_pipeline *pipeline);
void wf_source_waits_no_more(weft_pipeline *pipeline);

/* Under the lock: a run begins, so does a window of the tuner. */
void wf_tune_begin(weft_pipeline *pipeline);

/* Whether a call of the source may begin; counts it. Under the lock. */
bool wf_source_admit(weft_pipeline *pipeline);

/* It has ended: sends the marker if it is due. Only with `gathers`. */
void wf_source_called(struct wf_mover *mover);

/* Under the lock: the marker if it is due, else NULL. */
struct wf_token *wf_marker_take(weft_pipeline *pipeline);

/* pipeline_pull.c: whether a token that has passed all stages waits for weft_pipeline_next(), or at least passes that in the order. */
static inline bool wf_pull_takes(const weft_pipeline *pipeline, const struct wf_token *token) {
    return pipeline->pull && token->stage == pipeline->count && !token->marker;
}

/* It does. What goes on meanwhile: a list. */
struct wf_token *wf_pull_put(struct wf_mover *mover, struct wf_token *token);

/* Whoever waits for the end takes none: all are dropped. */
void wf_pull_discard(weft_pipeline *pipeline);

/* pipeline_run.c: what is wrong with waiting for a run in `call`, if anything. */
weft_status wf_pipeline_check_wait(weft_pipeline *pipeline, const char *call);

/* Somebody who waits for a token may go on. */
void wf_pull_wake(weft_pipeline *pipeline);

/* Empty it, for the next use. */
void wf_token_clean_scratch(struct wf_token *token);

static inline void wf_token_clean(struct wf_token *token) {
    token->face.data = NULL;
    if (token->face.scratch)
        wf_token_clean_scratch(token);
}

/* The source gets it next. The caller has the right to call it. */
static inline void wf_token_begin(weft_pipeline *pipeline, struct wf_token *token) {
    bool parallel = pipeline->stages[0].face.kind == WEFT_STAGE_PARALLEL;
    token->face.index =
        parallel ? wf_fetch_add(&pipeline->next_index, 1, WF_RELAXED) : wf_load(&pipeline->next_index, WF_RELAXED);
    token->face.epoch = pipeline->epoch;
    token->begun = wf_source_begin(&pipeline->wakes);
    token->face.bytes = 0;
    token->word = 0;
    token->stage = 0;
    token->entered = token->hole = token->gathered = false;
}

/* After the source has returned: whether the token goes on its way, with its index (as a hole, perhaps). False: it was not used. */
static inline bool wf_source_used(weft_pipeline *pipeline, struct wf_token *token) {
    bool parallel = pipeline->stages[0].face.kind == WEFT_STAGE_PARALLEL;
    if (WF_UNLIKELY(token->verdict >= WF_VERDICT_END)) {
        if (token->verdict == WF_VERDICT_END)
            wf_fetch_or(&pipeline->source, WF_SOURCE_ENDED, WF_SEQ_CST);
        else
            wf_source_stall(&pipeline->source, &pipeline->wakes, token->begun);
        token->hole = true; /* others may have later indexes already */
        return parallel;
    }
    if (!parallel)
        wf_store(&pipeline->next_index, token->face.index + 1, WF_RELAXED); /* released with the right */
    return true;
}

/* pipeline_run.c: a stage has failed with its token. */
WF_COLD void wf_pipeline_fail(struct wf_stage *stage, struct wf_token *token, weft_status status);

/* The source may be called again: see that somebody does. */
void wf_source_kick(weft_pipeline *pipeline);

/* Nothing goes on: work could be offered to nobody. */
WF_COLD void wf_pipeline_abandon(weft_pipeline *pipeline, weft_status status);

/* Under the lock, after anything that may end the run. True: it is over, the caller calls wf_pipeline_wake() once it has unlocked. */
bool wf_pipeline_over(weft_pipeline *pipeline);
void wf_pipeline_wake(weft_pipeline *pipeline);

/* Whether the run is over, for who waits; acquire. */
static inline bool wf_pipeline_idle(weft_pipeline *pipeline) {
    return !wf_load(&pipeline->running, WF_ACQUIRE);
}

/* pipeline_flow.c */

/* Work is visible near a node: see that a runner comes. False: none can be had. */
bool wf_pipeline_offer(struct wf_pipeline_node *node, weft_status *status);

/* The same from outside runners, which fail the run if none can be had. */
void wf_pipeline_offer_or_fail(struct wf_pipeline_node *node);

/* Inside a task: what a runner does, for a while. False: there was nothing. */
bool wf_pipeline_help(struct wf_worker *worker, weft_pipeline *pipeline);

/* All tokens in ready lists are to be dropped: do that. */
void wf_pipeline_drain(weft_pipeline *pipeline);

/* pipeline_threads.c */
weft_status wf_threads_start(weft_pipeline *pipeline);
void wf_threads_end(weft_pipeline *pipeline);

/* A token waits for the stage's threads. */
void wf_threads_put(struct wf_stage *stage, struct wf_token *token);

/* Whether the caller is a thread of this pipeline. */
bool wf_threads_inside(const weft_pipeline *pipeline);

/* pipeline_stats.c, the slow halves of wf_stage_call(): a call that is timed, or the first of a participant; and what was said of a token
 * beside WEFT_OK. */
weft_status wf_stage_call_timed(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token);
void wf_stage_called(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token, weft_status status);

/* Call the stage's function on a token whose face says by which thread. It is a hole afterwards if it goes no further. */
static inline void wf_stage_call(struct wf_stage *stage, struct wf_stage_counts *counts, struct wf_token *token) {
    uint64_t calls = wf_load(&counts->tokens, WF_RELAXED);
    weft_status status = WF_LIKELY(calls < counts->timed_at) ? stage->face.run(stage->face.arg, &token->face)
                                                             : wf_stage_call_timed(stage, counts, token);
    wf_store(&counts->tokens, calls + 1, WF_RELAXED);
    if (token->face.bytes) {
        wf_count_more(&counts->bytes, token->face.bytes);
        token->face.bytes = 0;
    }
    if (WF_UNLIKELY(status || token->word))
        wf_stage_called(stage, counts, token, status);
}

#endif
