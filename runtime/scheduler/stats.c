/* Reading the counters of running workers. */
#include <string.h>

#include "base/status.h"
#include "scheduler/pool.h"

/* The two structs hold the same counters in the same order, so they are added word by word. */
_Static_assert(sizeof(struct wf_counters) == sizeof(weft_stats), "weft_stats and wf_counters list the same counters");

static void add(weft_stats *stats, const struct wf_counters *counters) {
    const wf_atomic_u64 *from = (const wf_atomic_u64 *)(const void *)counters;
    uint64_t sum[sizeof(weft_stats) / sizeof(uint64_t)];
    memcpy(sum, stats, sizeof sum);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(sum); i++)
        sum[i] += wf_load(&from[i], WF_RELAXED);
    memcpy(stats, sum, sizeof sum);
}

weft_status weft_pool_stats(const weft_pool *pool, int worker, weft_stats *stats) {
    if (!pool || !stats)
        return wf_fail(WEFT_EINVAL, "weft_pool_stats() needs a pool and a place for the counters, got NULL");
    if (worker < -1 || worker >= (int)pool->worker_count)
        return wf_fail(WEFT_EINVAL, "worker %d does not exist: use -1 for the sum, or 0 to %u", worker, pool->worker_count - 1);
    weft_stats sum = {0};
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (worker < 0 || (unsigned)worker == i)
            add(&sum, &pool->workers[i]->counters);
    *stats = sum;
    return WEFT_OK;
}
