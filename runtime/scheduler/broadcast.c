/* Offering jobs to all workers, and the claiming of their parts. */
#include "scheduler/broadcast.h"

#include "base/rng.h"
#include "scheduler/pool.h"
#include "scheduler/search.h"

static uint64_t bit_of(unsigned slot) {
    return UINT64_C(1) << slot;
}

int wf_broadcast_take(struct wf_broadcasts *broadcasts) {
    for (unsigned slot = 0; slot < WF_BROADCASTS; slot++) {
        wf_atomic_u32 *taken = &broadcasts->slots[slot].taken;
        if (!wf_load(taken, WF_RELAXED) && !wf_exchange(taken, 1, WF_ACQUIRE)) /* pairs with wf_broadcast_end() */
            return (int)slot;
    }
    return -1;
}

void wf_broadcast_part(struct wf_broadcast_line *line, struct wf_units units, uint64_t generation) {
    uint64_t word = units.is_static ? WF_UNITS_STATIC | (units.detail ? WF_UNITS_DETAIL : 0) | generation : wf_units_pack(units);
    wf_store(&line->word, word, WF_RELEASE); /* pairs with the claims */
}

/* Whether the owner of the line has a static part that it has not begun. An old `served` wakes it in vain at worst. */
static bool is_due(const struct wf_worker *owner, unsigned slot, uint64_t word) {
    return (word & WF_UNITS_STATIC) && word != wf_load(&owner->served[slot], WF_RELAXED);
}

/* Whether a worker's own line holds anything for it. */
static bool has_part(const struct wf_worker *owner, unsigned slot) {
    uint64_t word = wf_load(&owner->lines[slot].word, WF_RELAXED); /* ordered by `live` */
    return wf_units_open(word) || is_due(owner, slot, word);
}

static bool is_claimable(const struct wf_worker *worker, unsigned slot, bool steal) {
    const weft_pool *pool = worker->pool;
    if (is_due(worker, slot, wf_load(&worker->lines[slot].word, WF_RELAXED))) /* ordered by `live` */
        return true;
    for (unsigned i = 0; steal && i < pool->worker_count; i++)
        if (wf_units_open(wf_load(&pool->workers[i]->lines[slot].word, WF_SEQ_CST)))
            return true;
    return false;
}

bool wf_broadcast_any(const struct wf_worker *worker, bool steal) {
    uint64_t live = wf_load(&worker->pool->broadcasts.live, WF_SEQ_CST);
    for (; live; live &= live - 1)
        if (is_claimable(worker, (unsigned)__builtin_ctzll(live), steal))
            return true;
    return false;
}

/* How many units to take before the job is known: with a grain of its own one, else some, so that small loops are done soon. */
static uint32_t first_take(struct wf_units units) {
    uint32_t some = (units.hi - units.lo) / 8;
    return units.detail || !some ? 1 : some < 16 ? some : 16;
}

uint32_t wf_broadcast_left(const struct wf_worker *worker, unsigned slot) {
    uint64_t word = wf_load(&worker->lines[slot].word, WF_RELAXED);
    struct wf_units units = wf_units_unpack(word);
    return wf_units_open(word) ? units.hi - units.lo : 0;
}

bool wf_broadcast_claim_own(struct wf_worker *worker, unsigned slot, uint32_t most, struct wf_units *claimed) {
    wf_atomic_u64 *own = &worker->lines[slot].word;
    uint64_t word = wf_load(own, WF_RELAXED);
    while (wf_units_open(word)) {
        struct wf_units units = wf_units_unpack(word), rest = units;
        rest.lo = units.hi - units.lo > most ? units.lo + most : units.hi;
        if (!wf_cas(own, &word, wf_units_pack(rest), WF_ACQUIRE, WF_RELAXED)) /* pairs with wf_broadcast_part() */
            continue;
        *claimed = units;
        claimed->hi = rest.lo;
        return true;
    }
    return false;
}

/*
 * Keep one chunk of stolen units in hand; the rest goes into the own word, where others may take it. Not while the offerer is still
 * filling lines, nor if the own part has come meanwhile: then all stay in hand.
 */
static void share_stolen(struct wf_worker *worker, unsigned slot, struct wf_units *units) {
    struct wf_broadcast_line *own = &worker->lines[slot];
    struct wf_units rest = *units;
    rest.lo += first_take(rest);
    if (rest.lo == rest.hi || !(wf_load(&worker->pool->broadcasts.live, WF_ACQUIRE) & bit_of(slot)) ||
        wf_units_open(wf_load(&own->word, WF_RELAXED))) /* ordered by `live`: all lines are filled */
        return;
    units->hi = rest.lo;
    wf_store(&own->word, wf_units_pack(rest), WF_SEQ_CST); /* then the look at sleepers */
    wf_pool_offer(worker->pool, worker->node);
}

/* Take the upper half of a victim's units. */
static bool steal_from(struct wf_worker *worker, unsigned slot, unsigned victim, struct wf_units *claimed) {
    wf_atomic_u64 *from = &worker->pool->workers[victim]->lines[slot].word;
    uint64_t word = wf_load(from, WF_RELAXED);
    while (wf_units_open(word)) {
        struct wf_units units = wf_units_unpack(word), left = units;
        left.hi -= (units.hi - units.lo + 1) / 2;
        if (!wf_cas(from, &word, wf_units_pack(left), WF_ACQUIRE, WF_RELAXED)) /* pairs with wf_broadcast_part() */
            continue;
        units.lo = left.hi;
        *claimed = units;
        wf_count_steal(worker, victim);
        share_stolen(worker, slot, claimed);
        return true;
    }
    return false;
}

/* Nearest first, from a random start in each group. */
static bool steal_any(struct wf_worker *worker, unsigned slot, struct wf_claim *claim) {
    for (unsigned g = 0; g < worker->planned->group_count; g++) {
        const weft_victim_group *group = &worker->planned->groups[g];
        unsigned start = wf_rng_below(&worker->random, group->worker_count);
        for (unsigned i = 0; i < group->worker_count; i++) {
            unsigned at = start + i < group->worker_count ? start + i : start + i - group->worker_count;
            if (steal_from(worker, slot, group->workers[at], &claim->units)) {
                claim->victim = (int)group->workers[at];
                return true;
            }
        }
    }
    return false;
}

/* The own line: a static part, or (steal) some units. */
static bool claim_line(struct wf_worker *worker, unsigned slot, bool steal, struct wf_claim *claim) {
    uint64_t word = wf_load(&worker->lines[slot].word, WF_ACQUIRE); /* pairs with wf_broadcast_part() */
    claim->slot = slot;
    claim->victim = -1;
    if (is_due(worker, slot, word)) {
        wf_store(&worker->served[slot], word, WF_RELAXED); /* read by others as a hint */
        claim->units = (struct wf_units){.part = worker->id, .is_static = true, .detail = (word & WF_UNITS_DETAIL) != 0};
        return true;
    }
    return steal && wf_units_open(word) && wf_broadcast_claim_own(worker, slot, first_take(wf_units_unpack(word)), &claim->units);
}

bool wf_broadcast_is_here(const struct wf_worker *worker) {
    return has_part(worker, 0);
}

bool wf_broadcast_claim_here(struct wf_worker *worker, struct wf_claim *claim) {
    return claim_line(worker, 0, true, claim);
}

bool wf_broadcast_claim_in(struct wf_worker *worker, unsigned slot, bool steal, struct wf_claim *claim) {
    return claim_line(worker, slot, steal, claim) || (steal && steal_any(worker, slot, claim));
}

bool wf_broadcast_claim(struct wf_worker *worker, bool steal, struct wf_claim *claim) {
    uint64_t live = wf_load(&worker->pool->broadcasts.live, WF_RELAXED); /* what it leads to is acquired by the claim */
    for (; live; live &= live - 1)
        if (wf_broadcast_claim_in(worker, (unsigned)__builtin_ctzll(live), steal, claim))
            return true;
    return false;
}

void wf_broadcast_run(struct wf_worker *worker, const struct wf_claim *claim) {
    struct wf_broadcast *broadcast = &worker->pool->broadcasts.slots[claim->slot];
    broadcast->run(broadcast->job, worker, claim);
}

void wf_broadcast_end(struct wf_broadcasts *broadcasts, unsigned slot) {
    wf_fetch_and(&broadcasts->live, ~bit_of(slot), WF_RELAXED);
    wf_store(&broadcasts->slots[slot].taken, 0, WF_RELEASE); /* pairs with the exchange in wf_broadcast_take() */
}

/* Wake up to `most` sleepers of a node that hold parts of a live job; returns how many. */
static unsigned wake_owners_on(weft_pool *pool, const struct wf_parking *parking, unsigned slot, unsigned most) {
    unsigned woken = 0;
    for (unsigned word = 0; word * 64 < parking->count && woken < most; word++) {
        uint64_t parked = wf_park_look(parking, word);
        for (; parked && woken < most; parked &= parked - 1) {
            unsigned id = parking->first + word * 64 + (unsigned)__builtin_ctzll(parked);
            woken += has_part(pool->workers[id], slot) && wf_pool_wake(pool, id);
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
            if (is_due(worker, slot, wf_load(&worker->lines[slot].word, WF_RELAXED))) /* ordered by `waiting` */
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
            if (wf_units_open(wf_load(&worker->lines[slot].word, WF_RELAXED))) {
                wf_pool_offer(pool, worker->node);
                return;
            }
        }
    }
}

void wf_broadcast_offer(weft_pool *pool, unsigned slot) {
    wf_fetch_or(&pool->broadcasts.live, bit_of(slot), WF_SEQ_CST); /* then the looks at sleepers */
}

void wf_broadcast_wake(weft_pool *pool, unsigned slot) {
    wake_owners(pool, slot, 2);
    hint_waiting_owners(pool, slot);
    offer_resting_parts(pool, slot);
}

void wf_broadcast_wake_more(struct wf_worker *worker) {
    uint64_t live = wf_load(&worker->pool->broadcasts.live, WF_SEQ_CST);
    for (; live; live &= live - 1)
        wake_owners(worker->pool, (unsigned)__builtin_ctzll(live), 2);
}
