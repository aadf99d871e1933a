/*
 * Making the pages of arrays present, each by a worker of the node it belongs to, so that first touch puts them there also
 * where the kernel accepts no policy. Every worker gets its share through a static loop over workers.
 */
#include <stdint.h>
#include <string.h>

#include "array/workers.h"
#include "base/status.h"

static void populate(struct wf_array_job *job, const struct wf_area *area, size_t first, size_t last) {
    wf_failure_note(&job->failure, wf_pages_populate((char *)area->start + first, last - first));
}

/* The worker's own part. */
static void touch_part(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    for (size_t i = range.first; i < range.last; i++) {
        const size_t *bounds = array->bounds + job->first_worker + i;
        populate(job, &array->areas[0], wf_array_byte(array, bounds[0]), wf_array_byte(array, bounds[1]));
    }
}

/* Interleaved without a policy: page p by a worker of node p mod nodes, whose workers take turns. */
static void touch_in_turn(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    const struct wf_area *area = &array->areas[0];
    for (size_t worker = range.first; worker < range.last; worker++) {
        unsigned k = wf_array_node_of(array, (unsigned)worker);
        const weft_plan_node *node = &array->nodes[k];
        size_t turn = (worker - node->first_worker) * array->node_count + k;
        size_t round = (size_t)node->worker_count * array->node_count;
        for (size_t page = turn; page < (area->bytes - 1) / area->page_bytes + 1; page += round) {
            size_t first = page * area->page_bytes, left = area->bytes - first;
            populate(job, area, first, first + (left < area->page_bytes ? left : area->page_bytes));
        }
    }
}

/* The worker's slice of its node's copy, in whole pages. */
static weft_range slice_of(const weft_array *array, unsigned worker, unsigned *copy) {
    const weft_plan_node *node = &array->nodes[ *copy = wf_array_node_of(array, worker)];
    size_t page = wf_page_bytes(), pages = array->areas[*copy].bytes / page;
    unsigned index = worker - node->first_worker;
    return (weft_range){weft_partition(pages, node->worker_count, 1, index) * page,
                        weft_partition(pages, node->worker_count, 1, index + 1) * page};
}

static void touch_copy(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    for (size_t worker = range.first; worker < range.last; worker++) {
        unsigned copy;
        weft_range slice = slice_of(job->array, (unsigned)worker, &copy);
        populate(job, &job->array->areas[copy], slice.first, slice.last);
    }
}

static void touch_memory_node(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    for (size_t worker = range.first; worker < range.last; worker++) {
        weft_range slice = wf_array_memory_slice(job->array, (unsigned)worker);
        populate(job, &job->array->areas[0], slice.first, slice.last);
    }
}

weft_status weft_array_touch(weft_array *array) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    struct wf_array_job job = {.array = array};
    switch (array->options.place) {
    case WEFT_ON_NODE:
        job.first_worker = array->nodes[array->options.node].first_worker;
        return wf_array_run(&job, array->nodes[array->options.node].worker_count, touch_part);
    case WEFT_ON_MEMORY_NODE:
        return wf_array_run(&job, array->worker_count, touch_memory_node);
    case WEFT_REPLICATED:
        return wf_array_run(&job, array->worker_count, touch_copy);
    case WEFT_INTERLEAVED:
        return wf_array_run(&job, array->worker_count, array->policy ? touch_part : touch_in_turn);
    case WEFT_PARTITIONED:
        break;
    }
    return wf_array_run(&job, array->worker_count, touch_part);
}

static void copy_slice(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    size_t bytes = array->n * array->item_bytes;
    for (size_t worker = range.first; worker < range.last; worker++) {
        unsigned copy;
        weft_range slice = slice_of(array, (unsigned)worker, &copy);
        size_t last = slice.last < bytes ? slice.last : bytes;
        char *to = (char *)array->areas[copy].start + slice.first;
        const char *from = (const char *)job->items + slice.first;
        if (to != from && slice.first < last) /* node 0's copy may itself be what is copied */
            memcpy(to, from, last - slice.first);
    }
}

weft_status weft_array_replicate(weft_array *array, const void *items) {
    if (!array || !items)
        return wf_fail(WEFT_EINVAL, "array and items must be given");
    if (array->options.place != WEFT_REPLICATED)
        return wf_fail(WEFT_EINVAL, "the array was not made with place WEFT_REPLICATED: it has one copy, write to its items");
    struct wf_array_job job = {.array = array, .items = items};
    return wf_array_run(&job, array->worker_count, copy_slice);
}

struct foreign_job {
    char *start;
    size_t bytes, item_bytes;
    struct wf_failure failure;
};

static void touch_foreign(void *arg, weft_range range) {
    struct foreign_job *job = arg;
    size_t first = range.first * job->item_bytes; /* within bytes: the last item may be cut, no other */
    size_t count = range.last - range.first;
    size_t length = count > (job->bytes - first) / job->item_bytes ? job->bytes - first : count * job->item_bytes;
    wf_failure_note(&job->failure, wf_pages_populate(job->start + first, length));
}

weft_status weft_touch(weft_pool *pool, void *start, size_t bytes, size_t item_bytes) {
    if (!pool || !start || !item_bytes)
        return wf_fail(WEFT_EINVAL, "pool, start and item_bytes must be given");
    if (bytes > UINTPTR_MAX - (uintptr_t)start)
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p exceed the address space", bytes, start);
    if (!bytes)
        return WEFT_OK;
    struct foreign_job job = {.start = start, .bytes = bytes, .item_bytes = item_bytes};
    size_t n = (bytes - 1) / item_bytes + 1;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = item_bytes};
    weft_status status = weft_for(pool, n, touch_foreign, &job, &options);
    return wf_failure_outcome(status, &job.failure);
}
