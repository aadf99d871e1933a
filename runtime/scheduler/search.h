/*
 * Finding work and running it: what an idle worker does, and what a waiting one may do.
 * Order: own ready queue; loops that hold a part of this worker or can be joined; victims of the same cache, of the same node;
 * the node's inbox; then per distance the victims there and the inboxes of their nodes. Every 61st dispatch begins with the
 * inbox, so that a busy node cannot starve it (the prime is Go's).
 */
#ifndef WF_SCHEDULER_SEARCH_H
#define WF_SCHEDULER_SEARCH_H

#include "scheduler/pool.h"

/* One piece of work in hand. */
struct wf_found {
    enum { WF_FOUND_NOTHING, WF_FOUND_SLOT, WF_FOUND_RECORD, WF_FOUND_BROADCAST } kind;
    weft_slot *slot;
    unsigned victim; /* SLOT: whose deque it came from */
    struct wf_task_record *record;
    unsigned broadcast;
};

/* Work that is at hand: the own ready queue, a loop, now and then the inbox. Needs no searcher's role. */
bool wf_search_own(struct wf_worker *worker, struct wf_found *found);

/* What only this worker may run, or what it left in its own queue: all that is left for one that rests. */
bool wf_search_leftover(struct wf_worker *worker, struct wf_found *found);

/* One search round of an idle worker, which counts as a searcher. False: nothing anywhere. */
bool wf_search(struct wf_worker *worker, struct wf_found *found);

/* Whether a search round would find something; sequentially consistent. ask: leave a request with every victim that has nothing
 * public, before sleep. */
bool wf_search_would_find(struct wf_worker *worker, bool ask);

/* Run what was found to its end. */
void wf_run_found(struct wf_worker *worker, const struct wf_found *found);

/* Run a slot that was taken from victim's deque, and tell its owner. */
void wf_run_stolen(struct wf_worker *worker, weft_slot *slot, unsigned victim);

void wf_count_steal(struct wf_worker *worker, unsigned victim);

#endif
