/*
 * Stages that give tokens out by a numbering of their own: batches and shuffles. Both take tokens in, by index, inside the stage's gate,
 * and what is said here is touched by who is inside alone.
 *
 * A batch has a token of its own, one of `batches`. When its members are there and no such token is free, who is inside leaves one
 * member in `waiting`, without leaving the gate, and whoever frees a batch makes that member ready again.
 *
 * When the source is called no more, by its end or because the run is stopped, and no call of it runs, the pipeline's marker is sent
 * after the tokens: a hole with the index behind the last. It makes these stages give out, or drop, what they hold.
 *
 * Field letters: as in pipeline.h.
 */
#ifndef WF_PARALLEL_PIPELINE_GATHER_H
#define WF_PARALLEL_PIPELINE_GATHER_H

#include "parallel/pipeline.h"

struct wf_gather {
    struct wf_token **held;   /* O: members so far, or the window */
    weft_token **faces;       /* O: the same for the batch's function */
    size_t count, most;       /* O: how many; I: batch or window */
    uint64_t given;           /* O: tokens given out: the next index */
    uint64_t random;          /* O: of a shuffle */
    struct wf_token *batches; /* I: one after the other; NULL: a shuffle */
    unsigned batch_count;     /* I */
    struct wf_token *free;    /* L: batches that nobody has */
    struct wf_token *waiting; /* L: the member that waits for one */
    bool resumed;             /* O: that one is back, and is a member already */
};

weft_status wf_gather_make(weft_pipeline *pipeline, struct wf_stage *stage, const weft_pipeline_options *options);
void wf_gather_release(struct wf_stage *stage);

/* Before a run. */
void wf_gather_reset(struct wf_stage *stage, uint64_t epoch);

/* A token, or the marker, has passed the gate of a shuffle. Returns what goes on: a list. */
struct wf_token *wf_shuffle_take(struct wf_stage *stage, struct wf_token *token);

/* The same for a batch. Returns the batch's token, on which its function is to be called and then wf_batch_done(); NULL: not now, and
 * *list is what goes on. */
struct wf_token *wf_batch_add(struct wf_stage *stage, struct wf_token *token, struct wf_token **list);
struct wf_token *wf_batch_done(struct wf_stage *stage, struct wf_token *token, struct wf_token *batch);

/* Whether the marker, which has passed its gate, makes a batch of what is left. */
bool wf_batch_has_rest(const struct wf_stage *stage);

/* Under the lock: a batch is free. Returns the member that has waited for it, which is to be made ready again. */
struct wf_token *wf_batch_free(struct wf_token *batch);

#endif
