/* Waking: who is woken for work, nearest first. Runs on any thread. */
#include <sched.h>

#include "base/clock.h"
#include "scheduler/pool.h"
#include "scheduler/seat.h"

/* A thread outside goes on for a while, and spins when it waits: the worker that has the same CPU comes last. */
static unsigned claim_after_caller(const weft_pool *pool, const struct wf_parking *parking) {
    int cpu = sched_getcpu();
    unsigned next = cpu < 0 ? 0 : wf_seat_on(pool, (unsigned)cpu) + 1;
    return next - parking->first < parking->count ? next : parking->first;
}

/* The worker from which on sleepers of a node are looked for: those that share a cache with the caller come first. */
static unsigned claim_from(const weft_pool *pool, const struct wf_node *node) {
    const struct wf_worker *self = wf_self_in(pool);
    if (!self || self->node != node->index)
        return claim_after_caller(pool, &node->parking);
    const weft_victim_group *group = self->planned->groups;
    bool shares = self->planned->group_count && group->kind == WEFT_VICTIM_CACHE && group->workers[0] < self->id;
    return shares ? group->workers[0] : self->id;
}

/* The claimer of a parked bit makes its worker a searcher. */
static void hand_token(weft_pool *pool, struct wf_parking *parking, unsigned worker) {
    wf_search_begin(parking);
    wf_store(&pool->workers[worker]->token_ns, wf_now_ns(), WF_RELAXED); /* released by the token */
    wf_signal_set(&pool->workers[worker]->token, WF_SIGNAL_TOKEN);
}

/* Step 2 of an offer on one node; true: done. */
static bool offer_on(weft_pool *pool, unsigned index) {
    struct wf_node *node = pool->nodes[index];
    unsigned worker;
    if (wf_load(&node->parking.searching, WF_SEQ_CST))
        return true;
    if (!wf_park_idle(&node->parking) || !wf_park_claim_any(&node->parking, claim_from(pool, node), &worker))
        return false;
    hand_token(pool, &node->parking, worker);
    return true;
}

bool wf_pool_offer(weft_pool *pool, unsigned node) {
    if (offer_on(pool, node))
        return true;
    const struct wf_node *home = pool->nodes[node];
    for (unsigned i = 0; i + 1 < pool->node_count; i++)
        if (offer_on(pool, home->others[i].node))
            return true;
    return false;
}

bool wf_pool_wake(weft_pool *pool, unsigned worker) {
    struct wf_parking *parking = wf_parking_of(pool->workers[worker]);
    if (!wf_park_claim(parking, worker))
        return false;
    hand_token(pool, parking, worker);
    return true;
}

/* A moving average; a lost update of two at once is one sample less. */
void wf_pool_learn_wake(weft_pool *pool, uint64_t took_ns) {
    uint64_t known = wf_load(&pool->wake_ns, WF_RELAXED);
    uint64_t sample = took_ns < WF_WAKE_MOST_NS ? took_ns : WF_WAKE_MOST_NS;
    wf_store(&pool->wake_ns, known ? known - known / 8 + sample / 8 : WF_WAKE_MOST_NS, WF_RELAXED);
}

uint64_t wf_pool_spin_ns(const weft_pool *pool) {
    uint64_t most = wf_load(&pool->spin_ns, WF_RELAXED), wake = 2 * wf_load(&pool->wake_ns, WF_RELAXED);
    if (!pool->spin_measured || !wake || wake >= most)
        return most;
    return wake > WF_SPIN_LEAST_NS ? wake : most < WF_SPIN_LEAST_NS ? most : WF_SPIN_LEAST_NS;
}
