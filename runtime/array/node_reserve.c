/* Memory of node pools made present by the node's workers, each a share of every run. */
#include "array/workers.h"
#include "base/status.h"
#include "memory/node_trim.h"
#include "scheduler/node_memory.h"
#include "scheduler/pool.h"

struct reserve_job {
    const struct wf_reserve *reserve;
    unsigned workers; /* of the node */
    struct wf_failure failure;
};

static void populate_share(void *arg, weft_range range) {
    struct reserve_job *job = arg;
    const struct wf_reserve *reserve = job->reserve;
    for (size_t worker = range.first; worker < range.last; worker++)
        for (unsigned i = 0; i < reserve->count; i++) {
            size_t units = reserve->spans[i]->chunks * WF_CHUNK_BYTES / reserve->unit;
            size_t first = weft_partition(units, job->workers, 1, (unsigned)worker) * reserve->unit;
            size_t last = weft_partition(units, job->workers, 1, (unsigned)worker + 1) * reserve->unit;
            wf_failure_note(&job->failure, wf_pages_populate(wf_span_start(reserve->spans[i]) + first, last - first));
        }
}

/* Index i of the loop on the node's worker i. */
static weft_status populate(weft_pool *pool, unsigned node, const struct wf_reserve *reserve) {
    const weft_plan_node *home = &weft_plan_nodes(pool->plan, NULL)[node];
    struct reserve_job job = {.reserve = reserve, .workers = home->worker_count};
    weft_status status = wf_run_on_workers(pool, home->first_worker, home->worker_count, populate_share, &job);
    return wf_failure_outcome(status, &job.failure);
}

weft_status weft_node_reserve(weft_pool *pool, unsigned node, size_t bytes, weft_pages pages) {
    weft_status status = wf_pool_memory_check(pool, node);
    if (status)
        return status;
    if (!bytes || bytes > PTRDIFF_MAX)
        return wf_fail(WEFT_EINVAL, "%zu bytes cannot be reserved: from 1 to %zu", bytes, (size_t)PTRDIFF_MAX);
    if ((unsigned)pages > WEFT_PAGES_1G)
        return wf_fail(WEFT_EINVAL, "pages is %d: there are kinds 0 (WEFT_PAGES_DEFAULT) to %d", (int)pages, (int)WEFT_PAGES_1G);
    node = node == WEFT_NODE_HOME ? wf_pool_near(pool) : node;
    struct wf_node_memory *memory = wf_pool_memory(pool, node);
    struct wf_node_pool *reserved = memory ? wf_node_pool_of(memory, node) : NULL;
    struct wf_reserve reserve;
    if (!reserved)
        return WEFT_ENOMEM;
    if ((status = wf_reserve_take(reserved, bytes, pages == WEFT_PAGES_DEFAULT ? WEFT_PAGES_THP : pages, &reserve)))
        return status;
    status = populate(pool, node, &reserve);
    wf_reserve_give(reserved, &reserve, !status);
    return status;
}
