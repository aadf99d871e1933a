/*
 * Making the pages of arrays present, each by a worker of the node it belongs to, so that first touch puts them there also
 * where the kernel accepts no policy. Every worker gets its share through a static loop over workers.
 */
#include <stdint.h>
#include <string.h>

#include "array/workers.h"
#include "base/status.h"
#include "machine/binding.h"
#include "memory/mappings.h"

/* Zeroes are not written to memory that is untouched: pages that the source never had stay absent. */
static void copy(const weft_array *array, const weft_array *from, const struct wf_area *area, size_t first, size_t last) {
    char *to = (char *)area->start;
    const char *source = from->areas[area - array->areas].start;
    size_t bytes = (array->n < from->n ? array->n : from->n) * array->item_bytes, page = wf_page_bytes();
    last = last < bytes ? last : bytes;
    for (size_t at = first, next; at < last; at = next) {
        next = last - at > page ? at + page : last;
        bool zero = array->options.untouched && !source[at] && !memcmp(source + at, source + at + 1, next - at - 1);
        if (!zero)
            memcpy(to + at, source + at, next - at);
    }
}

static void populate(struct wf_array_job *job, const struct wf_area *area, size_t first, size_t last) {
    size_t lead = wf_array_lead(job->array);
    first = first > lead ? first : lead;
    char *start = (char *)area->start + first;
    if (first < last)
        wf_failure_note(&job->failure, job->array->adopted ? wf_foreign_populate(start, last - first, WF_AS_MAPPED)
                                                           : wf_pages_populate(start, last - first));
}

/* What a worker does with bytes that belong to it or its node: make them present, or copy them from another array. */
static void share(struct wf_array_job *job, const struct wf_area *area, size_t first, size_t last) {
    if (job->from)
        copy(job->array, job->from, area, first, last);
    else
        populate(job, area, first, last);
}

/* The worker's own part. */
static void touch_part(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    for (size_t i = range.first; i < range.last; i++) {
        const size_t *bounds = array->bounds + job->first_worker + i;
        share(job, &array->areas[0], wf_array_byte(array, bounds[0]), wf_array_byte(array, bounds[1]));
    }
}

/* The worker's units in its node's turns, neighbours at once. */
static void touch_worker_turns(struct wf_array_job *job, unsigned worker) {
    const weft_array *array = job->array;
    const struct wf_area *area = &array->areas[0];
    unsigned k = wf_array_node_of(array, worker);
    weft_range units = wf_array_turns_of(array, worker);
    for (size_t first = units.first, last; first < units.last; first = last) {
        bool mine = array->turns[first % array->period] == k;
        for (last = first + 1; last < units.last && (array->turns[last % array->period] == k) == mine;)
            last++;
        size_t end = last * area->page_bytes < area->bytes ? last * area->page_bytes : area->bytes;
        if (mine)
            share(job, area, first * area->page_bytes, end);
    }
}

/*
 * Turns without a policy of the memory's own. A bound worker touches on its node anyway; its policy, for as long as that takes, also
 * holds where workers are free to move.
 */
static void touch_in_turn(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    for (size_t worker = range.first; worker < range.last; worker++) {
        struct wf_thread_policy before;
        int home = wf_array_home(array, wf_array_node_of(array, (unsigned)worker));
        wf_thread_policy_prefer(weft_pool_plan(array->pool), home, &before);
        touch_worker_turns(job, (unsigned)worker);
        wf_thread_policy_restore(&before);
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
        share(job, &job->array->areas[copy], slice.first, slice.last);
    }
}

static void touch_memory_node(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    for (size_t worker = range.first; worker < range.last; worker++) {
        weft_range slice = wf_array_memory_slice(job->array, (unsigned)worker);
        share(job, &job->array->areas[0], slice.first, slice.last);
    }
}

static weft_status share_all(const weft_array *array, const weft_array *from) {
    struct wf_array_job job = {.array = array, .from = from};
    switch (array->options.place) {
    case WEFT_ON_MEMORY_NODE:
        return wf_array_run(&job, array->worker_count, touch_memory_node);
    case WEFT_REPLICATED:
        return wf_array_run(&job, array->worker_count, touch_copy);
    case WEFT_INTERLEAVED:
    case WEFT_WEIGHTED:
        return wf_array_run(&job, array->worker_count, array->policy && !array->exact ? touch_part : touch_in_turn);
    case WEFT_ON_NODE:
        job.first_worker = array->nodes[array->options.node].first_worker;
        return wf_array_run(&job, array->nodes[array->options.node].worker_count, touch_part);
    case WEFT_PARTITIONED:
    case WEFT_IN_TIER:
    case WEFT_NEAR_DEVICE:
        break;
    }
    return wf_array_run(&job, array->worker_count, touch_part);
}

/* Strict arrays: no page is elsewhere, as far as the kernel says. Where it says nothing, nothing can be promised. */
static weft_status verify(const weft_array *array) {
    char place[64];
    weft_placement placement;
    wf_place_name(array, place, sizeof place);
    if (!array->this_system)
        return wf_fail(WEFT_ESTRICT, "no page is on %s: the topology is not this machine's", place);
    if (weft_array_placement(array, &placement, NULL, 0) != WEFT_OK)
        return wf_fail(WEFT_ESTRICT, "%s cannot be checked: %s", place, weft_error_detail());
    size_t elsewhere = placement.pages_asked - placement.pages_absent - placement.pages_expected;
    return elsewhere
               ? wf_fail(WEFT_ESTRICT,
                         "%zu of %zu pages asked are not on %s: it has no memory left for them, or they were elsewhere before",
                         elsewhere, placement.pages_asked, place)
               : WEFT_OK;
}

weft_status weft_array_touch(weft_array *array) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    weft_status status = share_all(array, NULL);
    return status == WEFT_OK && array->options.strict ? verify(array) : status;
}

weft_status wf_array_copy(const weft_array *array, const weft_array *from) {
    return share_all(array, from);
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

weft_status wf_array_fill(const weft_array *array, const void *items) {
    struct wf_array_job job = {.array = array, .items = items};
    return wf_array_run(&job, array->worker_count, copy_slice);
}

weft_status weft_array_replicate(weft_array *array, const void *items) {
    if (!array || !items)
        return wf_fail(WEFT_EINVAL, "array and items must be given");
    if (array->options.place != WEFT_REPLICATED)
        return wf_fail(WEFT_EINVAL, "the array was not made with place WEFT_REPLICATED: it has one copy, write to its items");
    return wf_array_fill(array, items);
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
    wf_failure_note(&job->failure, wf_foreign_populate(job->start + first, length, WF_WRITE));
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
