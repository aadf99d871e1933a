/* Taking and leaving seats. Runs on threads outside the pool. */
#include "scheduler/seat.h"

#include <sched.h>

#include "machine/binding.h"
#include "scheduler/join.h"
#include "scheduler/search.h"

static bool is_on(const weft_pool *pool, unsigned worker, unsigned cpu) {
    return wf_load(&pool->cpus[worker], WF_RELAXED) == cpu;
}

/* The worker that has this CPU; worker_count: none has. Where CPUs are numbered as workers are, the first guess is right. */
static unsigned worker_of(const weft_pool *pool, unsigned cpu) {
    unsigned worker = cpu % pool->worker_count;
    if (is_on(pool, worker, cpu))
        return worker;
    for (worker = 0; worker < pool->worker_count && !is_on(pool, worker, cpu);)
        worker++;
    return worker;
}

/* Any sleeper that has the same memory at hand as the caller. */
static bool claim_like(weft_pool *pool, unsigned *claimed) {
    int node = pool->node_count > 1 ? wf_plan_current_node(pool->plan) : 0;
    if (pool->node_count == 1 || !weft_plan_get_limits(pool->plan)->this_system)
        return wf_park_claim_in(&pool->parking, 0, pool->worker_count, claimed);
    if (node < 0)
        return false;
    const weft_plan_node *home = &weft_plan_nodes(pool->plan, NULL)[node];
    return wf_park_claim_in(&pool->parking, home->first_worker, home->first_worker + home->worker_count, claimed);
}

static bool claim(weft_pool *pool, unsigned *claimed) {
    int cpu = sched_getcpu();
    unsigned worker = cpu < 0 ? pool->worker_count : worker_of(pool, (unsigned)cpu);
    if (worker < pool->worker_count) {
        *claimed = worker;
        if (wf_park_claim_in(&pool->parking, worker, worker + 1, claimed))
            return true;
        wf_store(&pool->workers[worker]->give_way, 1, WF_RELAXED);
    }
    return claim_like(pool, claimed);
}

bool wf_seat_take(weft_pool *pool, struct wf_seat *seat) {
    unsigned id;
    if (!claim(pool, &id))
        return false;
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
    wf_self = seat->outer;
    wf_fetch_or(&pool->parking.parked[id / 64], bit, WF_SEQ_CST);
    if ((wf_load(&pool->resting[id / 64], WF_SEQ_CST) & bit) || wf_search_would_find(worker, true))
        wf_pool_wake(pool, id);
}
