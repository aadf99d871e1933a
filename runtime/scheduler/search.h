/*
 * Finding work and running it: what an idle worker does, and what a waiting one may do.
 *
 * A round looks at: the own ready queue; loops that hold a part of this worker or can be joined; on the own node the last victim,
 * workers under the same cache, under other caches, the inbox. Only when all that has failed it looks further: one time in four at
 * a worker drawn from all (so that no victim is out of reach: each is drawn with a probability of 1/(4P) at least, the condition of the
 * NUMA-WS bound T1/P + O(Tinf), Deters et al., arXiv 1806.11128); and, if no neighbour does so already, at the other nodes by
 * distance, as the node's scout.
 *
 * What a round looks at of a worker that shows no work (summary.h) is bounded: some of the own cache and node, to ask for private tasks, and
 * one of each other node. A scout leaves a node alone while somebody is idle there: who is near shall have it. It takes the oldest
 * spawned task, or half of a ready queue. Its pauses double while it finds nothing, up to a millisecond.
 *
 * Nobody falls asleep over work that these bounds hide: a worker on its way to sleep looks at everything, and if there is work
 * its next rounds are thorough: all victims, all nodes, whoever else looks.
 *
 * Every 61st dispatch begins with the inbox, so that a busy node cannot starve it (the prime is Go's).
 */
#ifndef WF_SCHEDULER_SEARCH_H
#define WF_SCHEDULER_SEARCH_H

#include "scheduler/pool.h"

/* One piece of work in hand. */
struct wf_found {
    enum { WF_FOUND_NOTHING, WF_FOUND_SLOT, WF_FOUND_TASK, WF_FOUND_BROADCAST } kind;
    weft_slot *slot;
    unsigned victim;     /* SLOT: whose deque it came from */
    struct wf_task task; /* TASK */
    struct wf_claim claim;
};

/* Work that is at hand: the own ready queue, a loop, now and then the inbox. Needs no searcher's role. */
bool wf_search_own(struct wf_worker *worker, struct wf_found *found);

/* The next job of a worker that has just had a part of one: looks at its line alone for a while, and now and then at what else is
 * at hand. It counts as busy meanwhile. False: a search round is due. */
bool wf_search_lingering(struct wf_worker *worker, struct wf_found *found);

/* What only this worker may run, or what it left in its own queue: all that is left for one that rests. */
bool wf_search_leftover(struct wf_worker *worker, struct wf_found *found);

/* Whether something else waits for this worker than what it is at: in its own queue or inbox, or a loop. */
bool wf_search_waits(struct wf_worker *worker);

/* One search round of an idle worker, which counts as a searcher. False: nothing anywhere. */
bool wf_search(struct wf_worker *worker, struct wf_found *found);

/* Whether a search round would find something; sequentially consistent. ask: leave a request with every victim that has nothing
 * public, before sleep. */
bool wf_search_would_find(struct wf_worker *worker, bool ask);

/* Offer what the worker has made visible in its own deque or queue. */
void wf_offer_own(struct wf_worker *worker);

/* The duty of a node's last searcher (park.h): offer what there is, near where it is. */
void wf_search_pass_on(struct wf_worker *worker);

/* Whether a round may be worth its while at once, by lines that are quiet while there is nothing. */
bool wf_search_hint(const struct wf_worker *worker);

/* There is work somewhere: the node's scout goes at once. */
void wf_search_encourage(struct wf_worker *worker);

/* Run what was found to its end. */
void wf_run_found(struct wf_worker *worker, const struct wf_found *found);

/* Run a slot that was taken from victim's deque, and tell its owner. */
void wf_run_stolen(struct wf_worker *worker, weft_slot *slot, unsigned victim);

void wf_count_steal(struct wf_worker *worker, unsigned victim);

#endif
