/* Beginning and ending of hot times. Any thread. */
#include "scheduler/hot.h"

#include <sched.h>

#include "base/status.h"
#include "scheduler/seat.h"

#define IDLE_US_DEFAULT 10000u
#define IDLE_US_MOST 1000000u

/* One more that wants it hot. False: as many as can be counted. */
static bool count_in(weft_pool *pool, uint32_t idle_us) {
    uint64_t word = wf_load(&pool->hot, WF_RELAXED), next;
    do {
        uint64_t count = word >> 32, idle = word & UINT32_MAX;
        if (count == UINT32_MAX)
            return false;
        next = (count + 1) << 32 | (idle > idle_us ? idle : idle_us);
    } while (!wf_cas(&pool->hot, &word, next, WF_RELAXED, WF_RELAXED));
    return true;
}

/* False: nobody wants it hot. */
static bool count_out(weft_pool *pool) {
    uint64_t word = wf_load(&pool->hot, WF_RELAXED), next;
    do {
        if (!(word >> 32))
            return false;
        next = word >> 32 == 1 ? 0 : word - (UINT64_C(1) << 32);
    } while (!wf_cas(&pool->hot, &word, next, WF_RELAXED, WF_RELAXED));
    return true;
}

/* The worker that has the CPU of a caller outside the pool, which would only take turns with it; worker_count: none. */
static unsigned in_the_way(const weft_pool *pool) {
    int cpu = wf_self_in(pool) ? -1 : sched_getcpu();
    return cpu < 0 ? pool->worker_count : wf_seat_on(pool, (unsigned)cpu);
}

static void wake_all(weft_pool *pool) {
    unsigned leave = in_the_way(pool);
    if (leave < pool->worker_count && !wf_park_is_set(wf_parking_of(pool->workers[leave]), leave))
        wf_store(&pool->workers[leave]->give_way, 1, WF_RELAXED);
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (i != leave)
            wf_pool_wake(pool, i);
}

weft_status weft_hot_begin(weft_pool *pool, uint32_t idle_us) {
    if (!pool)
        return wf_fail(WEFT_EINVAL, "weft_hot_begin() needs a pool, got NULL");
    if (idle_us > IDLE_US_MOST)
        return wf_fail(WEFT_EINVAL, "weft_hot_begin(): idle_us is %u: at most %u microseconds, or 0 for %u", idle_us,
                       IDLE_US_MOST, IDLE_US_DEFAULT);
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    unsigned node = wf_pool_near(pool);
    if ((status = wf_pool_admit(pool, node)))
        return status;
    if (!count_in(pool, idle_us ? idle_us : IDLE_US_DEFAULT))
        status = wf_fail(WEFT_EAGAIN, "weft_hot_begin() was called 2^32 - 1 times without weft_hot_end()");
    else if (wf_load(&pool->spin_ns, WF_RELAXED))
        wake_all(pool);
    wf_pool_release(pool, node);
    return status;
}

weft_status weft_hot_end(weft_pool *pool) {
    if (!pool)
        return wf_fail(WEFT_EINVAL, "weft_hot_end() needs a pool, got NULL");
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    if (!count_out(pool))
        return wf_fail(WEFT_EINVAL, "weft_hot_end(): the pool is not hot: one call for each weft_hot_begin() that succeeded");
    return WEFT_OK;
}
