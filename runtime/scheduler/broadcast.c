/* Offering jobs to all workers, and the entering and leaving of slots. */
#include "scheduler/broadcast.h"

#include "scheduler/pool.h"

static uint64_t bit_of(unsigned slot) {
    return UINT64_C(1) << slot;
}

static struct wf_units line_look(const struct wf_worker *worker, unsigned slot) {
    return wf_units_unpack(wf_load(&worker->lines[slot].word, WF_SEQ_CST));
}

int wf_broadcast_take(struct wf_broadcasts *broadcasts) {
    for (unsigned slot = 0; slot < WF_BROADCASTS; slot++) {
        struct wf_broadcast *broadcast = &broadcasts->slots[slot];
        if (wf_load(&broadcast->taken, WF_RELAXED) || wf_exchange(&broadcast->taken, 1, WF_ACQUIRE))
            continue;
        if (!wf_load(&broadcast->active, WF_SEQ_CST)) /* pairs with wf_broadcast_leave(): who left has read the job */
            return (int)slot;
        wf_store(&broadcast->taken, 0, WF_RELEASE);
    }
    return -1;
}

bool wf_broadcast_claimable(const struct wf_worker *worker, unsigned slot, bool steal) {
    struct wf_units own = line_look(worker, slot);
    if (own.lo < own.hi)
        return own.is_static || steal;
    if (!steal)
        return false;
    const weft_pool *pool = worker->pool;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        struct wf_units units = line_look(pool->workers[i], slot);
        if (units.lo < units.hi && !units.is_static)
            return true;
    }
    return false;
}

bool wf_broadcast_any(const struct wf_worker *worker, bool steal) {
    uint64_t live = wf_load(&worker->pool->broadcasts.live, WF_SEQ_CST);
    for (; live; live &= live - 1)
        if (wf_broadcast_claimable(worker, (unsigned)__builtin_ctzll(live), steal))
            return true;
    return false;
}

int wf_broadcast_enter(struct wf_worker *worker, bool steal) {
    struct wf_broadcasts *broadcasts = &worker->pool->broadcasts;
    uint64_t live = wf_load(&broadcasts->live, WF_ACQUIRE);
    for (; live; live &= live - 1) {
        unsigned slot = (unsigned)__builtin_ctzll(live);
        if (!wf_broadcast_claimable(worker, slot, steal))
            continue;
        wf_fetch_add(&broadcasts->slots[slot].active, 1, WF_SEQ_CST);
        if (wf_load(&broadcasts->live, WF_SEQ_CST) & bit_of(slot)) /* acquire: pairs with wf_broadcast_offer() */
            return (int)slot;
        wf_broadcast_leave(broadcasts, slot);
    }
    return -1;
}

void wf_broadcast_leave(struct wf_broadcasts *broadcasts, unsigned slot) {
    wf_fetch_sub(&broadcasts->slots[slot].active, 1, WF_RELEASE);
}

void wf_broadcast_end(struct wf_broadcasts *broadcasts, unsigned slot) {
    wf_fetch_and(&broadcasts->live, ~bit_of(slot), WF_SEQ_CST);
    wf_store(&broadcasts->slots[slot].taken, 0, WF_RELEASE); /* pairs with the exchange in wf_broadcast_take() */
}

/* Wake up to `most` sleepers of a node that hold parts of a live job; returns how many. */
static unsigned wake_owners_on(weft_pool *pool, const struct wf_parking *parking, unsigned slot, unsigned most) {
    unsigned woken = 0;
    for (unsigned word = 0; word * 64 < parking->count && woken < most; word++) {
        uint64_t parked = wf_park_look(parking, word);
        for (; parked && woken < most; parked &= parked - 1) {
            unsigned id = parking->first + word * 64 + (unsigned)__builtin_ctzll(parked);
            struct wf_units units = line_look(pool->workers[id], slot);
            woken += units.lo < units.hi && wf_pool_wake(pool, id);
        }
    }
    return woken;
}

static void wake_owners(weft_pool *pool, unsigned slot, unsigned most) {
    for (unsigned node = 0; node < pool->node_count && most; node++)
        most -= wake_owners_on(pool, &pool->nodes[node]->parking, slot, most);
}

/* Workers that sleep inside a task can serve static parts of theirs. */
static void hint_waiting_owners(weft_pool *pool, unsigned slot) {
    for (unsigned word = 0; word * 64 < pool->worker_count; word++) {
        uint64_t waiting = wf_load(&pool->waiting[word], WF_SEQ_CST);
        for (; waiting; waiting &= waiting - 1) {
            struct wf_worker *worker = pool->workers[word * 64 + (unsigned)__builtin_ctzll(waiting)];
            struct wf_units units = line_look(worker, slot);
            if (units.lo < units.hi && units.is_static)
                wf_signal_set(&worker->signal, WF_SIGNAL_HINT);
        }
    }
}

/* A part that others may run, of a worker that rests: work for whoever is nearest. That one offers on. */
static void offer_resting_parts(weft_pool *pool, unsigned slot) {
    for (unsigned word = 0; word * 64 < pool->worker_count; word++) {
        uint64_t resting = wf_load(&pool->resting[word], WF_SEQ_CST);
        for (; resting; resting &= resting - 1) {
            const struct wf_worker *worker = pool->workers[word * 64 + (unsigned)__builtin_ctzll(resting)];
            struct wf_units units = line_look(worker, slot);
            if (units.lo < units.hi && !units.is_static) {
                wf_pool_offer(pool, worker->node);
                return;
            }
        }
    }
}

void wf_broadcast_offer(weft_pool *pool, unsigned slot) {
    wf_fetch_or(&pool->broadcasts.live, bit_of(slot), WF_SEQ_CST); /* release: the job and the lines before it */
    wake_owners(pool, slot, 2);
    hint_waiting_owners(pool, slot);
    offer_resting_parts(pool, slot);
}

void wf_broadcast_wake_more(struct wf_worker *worker) {
    uint64_t live = wf_load(&worker->pool->broadcasts.live, WF_SEQ_CST);
    for (; live; live &= live - 1)
        wake_owners(worker->pool, (unsigned)__builtin_ctzll(live), 2);
}
