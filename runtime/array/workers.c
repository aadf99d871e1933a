/* Static loops over workers, and the failures of their bodies. */
#include "array/workers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "parallel/loop.h"

void wf_failure_note(struct wf_failure *failure, weft_status status) {
    if (status == WEFT_OK || wf_exchange(&failure->failed, 1, WF_RELAXED))
        return;
    failure->status = status;
    snprintf(failure->text, sizeof failure->text, "%s", weft_error_detail());
}

weft_status wf_failure_outcome(weft_status loop, const struct wf_failure *failure) {
    return loop != WEFT_OK || failure->status == WEFT_OK ? loop : wf_fail(failure->status, "%s", failure->text);
}

weft_status wf_run_on_workers(weft_pool *pool, unsigned first_worker, unsigned count, weft_loop_fn body, void *arg) {
    unsigned workers = weft_pool_workers(pool);
    size_t *bounds = malloc((workers + 1) * sizeof *bounds);
    if (!bounds)
        return wf_fail(WEFT_ENOMEM, "no memory for the bounds of %u workers", workers);
    for (unsigned worker = 0; worker <= workers; worker++) {
        unsigned index = worker < first_worker ? 0 : worker - first_worker;
        bounds[worker] = index < count ? index : count;
    }
    struct wf_loop_request request = {
        .n = count, .body = body, .arg = arg, .schedule = WEFT_SCHEDULE_STATIC, .bounds = bounds, .placed = true};
    weft_status status = wf_loop_run(pool, &request);
    free(bounds);
    return status;
}

weft_status wf_array_run(struct wf_array_job *job, unsigned count, weft_loop_fn body) {
    return wf_failure_outcome(wf_run_on_workers(job->array->pool, job->first_worker, count, body, job), &job->failure);
}

unsigned wf_array_node_of(const weft_array *array, unsigned worker) {
    unsigned k = 0;
    while (worker - array->nodes[k].first_worker >= array->nodes[k].worker_count)
        k++;
    return k;
}

weft_range wf_array_slice(const struct wf_area *area, size_t first, size_t last, unsigned index, unsigned count) {
    size_t unit = area->page_bytes, units = last > first ? (last - first - 1) / unit + 1 : 0;
    size_t begin = first + weft_partition(units, count, 1, index) * unit;
    size_t end = first + weft_partition(units, count, 1, index + 1) * unit;
    return (weft_range){begin < last ? begin : last, end < last ? end : last};
}

weft_range wf_array_turns_of(const weft_array *array, unsigned worker) {
    const weft_plan_node *node = &array->nodes[wf_array_node_of(array, worker)];
    unsigned index = worker - node->first_worker;
    size_t units = (array->areas[0].bytes - 1) / array->areas[0].page_bytes + 1, periods = (units - 1) / array->period + 1;
    size_t first = weft_partition(periods, node->worker_count, 1, index) * array->period;
    size_t last = weft_partition(periods, node->worker_count, 1, index + 1) * array->period;
    return (weft_range){first, last < units ? last : units};
}

weft_range wf_array_memory_slice(const weft_array *array, unsigned worker) {
    unsigned home = wf_array_node_of(array, worker), index = worker - array->nodes[home].first_worker, count = 0;
    if (!wf_array_is_nearest(array, home))
        return (weft_range){0, 0};
    for (unsigned k = 0; k < array->node_count; k++)
        if (wf_array_is_nearest(array, k)) {
            index += k < home ? array->nodes[k].worker_count : 0;
            count += array->nodes[k].worker_count;
        }
    return wf_array_slice(&array->areas[0], 0, array->areas[0].bytes, index, count);
}
