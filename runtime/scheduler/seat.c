/* Taking and leaving seats. Runs on threads outside the pool. */
#include "scheduler/seat.h"

#include <sched.h>

#include "machine/binding.h"
#include "scheduler/join.h"
#include "scheduler/search.h"
#include "scheduler/submit.h"
#include "scheduler/watch.h"

static bool is_on(const weft_pool *pool, unsigned worker, unsigned cpu) {
    return wf_load(&pool->cpus[worker], WF_RELAXED) == cpu;
}

/* Where CPUs are numbered as workers are, the first guess is right. */
unsigned wf_seat_on(const weft_pool *pool, unsigned cpu) {
    unsigned worker = cpu % pool->worker_count;
    if (is_on(pool, worker, cpu))
        return worker;
    for (worker = 0; worker < pool->worker_count && !is_on(pool, worker, cpu);)
        worker++;
    return worker;
}

static bool claim_on(weft_pool *pool, unsigned node, unsigned *claimed) {
    struct wf_parking *parking = &pool->nodes[node]->parking;
    return wf_park_claim_any(parking, parking->first, claimed);
}

/* Any sleeper that has the same memory at hand as the caller. */
static bool claim_like(weft_pool *pool, unsigned *claimed) {
    bool differs = pool->node_count > 1 || pool->placed; /* a pool of one node may be on a machine of several */
    int node = differs ? wf_plan_current_node(pool->plan) : 0;
    bool known = !differs || weft_plan_get_limits(pool->plan)->this_system;
    if (known)
        return node >= 0 && claim_on(pool, (unsigned)node, claimed);
    for (unsigned any = 0; any < pool->node_count; any++)
        if (claim_on(pool, any, claimed))
            return true;
    return false;
}

static bool claim(weft_pool *pool, unsigned *claimed) {
    int cpu = sched_getcpu();
    unsigned worker = cpu < 0 ? pool->worker_count : wf_seat_on(pool, (unsigned)cpu);
    if (worker < pool->worker_count) {
        *claimed = worker;
        struct wf_parking *parking = wf_parking_of(pool->workers[worker]);
        if (wf_park_is_set(parking, worker) && wf_park_claim(parking, worker))
            return true;
        wf_store(&pool->workers[worker]->give_way, 1, WF_RELAXED);
    }
    return claim_like(pool, claimed);
}

bool wf_seat_take(weft_pool *pool, struct wf_seat *seat) {
    unsigned id;
    if (!claim(pool, &id))
        return false;
    wf_watch_stir();
    seat->worker = pool->workers[id];
    seat->outer = wf_self;
    wf_self = seat->worker;
    wf_frame_enter(seat->worker, &seat->frame, NULL, NULL);
    return true;
}

void wf_seat_leave(struct wf_seat *seat) {
    struct wf_worker *worker = seat->worker;
    weft_pool *pool = worker->pool;
    unsigned id = worker->id;
    uint64_t bit = UINT64_C(1) << id % 64;
    wf_frame_leave(worker, &seat->frame);
    wf_tasks_idle(worker);
    wf_self = seat->outer;
    wf_park_set(wf_parking_of(worker), id);
    if ((wf_load(&pool->resting[id / 64], WF_SEQ_CST) & bit) || wf_search_would_find(worker, true))
        wf_pool_wake(pool, id);
}
