/*
 * Making the pages of arrays present, each by a worker of the node it belongs to, so that first touch puts them there also
 * where the kernel accepts no policy. Every worker gets its share through a static loop over workers.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/array.h"
#include "base/atomic.h"
#include "base/status.h"
#include "parallel/loop.h"

/*
 * The first failure of a parallel job: detail texts belong to threads, so it is carried to the caller. The winner of `failed`
 * writes the rest; the caller reads after the loop, which orders it.
 */
struct failure {
    wf_atomic_u32 failed; /* A: relaxed, it only elects the writer; the loop's end orders what was written */
    weft_status status;
    char text[256];
};

static void note_failure(struct failure *failure, weft_status status) {
    if (status == WEFT_OK || wf_exchange(&failure->failed, 1, WF_RELAXED))
        return;
    failure->status = status;
    snprintf(failure->text, sizeof failure->text, "%s", weft_error_detail());
}

/* What the loop came to, else what its bodies did. */
static weft_status outcome(weft_status loop, const struct failure *failure) {
    return loop != WEFT_OK || failure->status == WEFT_OK ? loop : wf_fail(failure->status, "%s", failure->text);
}

struct job {
    const weft_array *array;
    const void *items; /* replicate: what to copy */
    unsigned first_worker;
    struct failure failure;
};

/* Run body over indexes [0, count): index i on worker job->first_worker + i, nobody else. */
static weft_status each_worker(struct job *job, unsigned count, weft_loop_fn body) {
    unsigned workers = job->array->worker_count;
    size_t *bounds = malloc((workers + 1) * sizeof *bounds);
    if (!bounds)
        return wf_fail(WEFT_ENOMEM, "no memory for the bounds of %u workers", workers);
    for (unsigned worker = 0; worker <= workers; worker++) {
        unsigned index = worker < job->first_worker ? 0 : worker - job->first_worker;
        bounds[worker] = index < count ? index : count;
    }
    struct wf_loop_request request = {.n = count, .body = body, .arg = job, .schedule = WEFT_SCHEDULE_STATIC, .bounds = bounds};
    weft_status status = wf_loop_run(job->array->pool, &request);
    free(bounds);
    return outcome(status, &job->failure);
}

/* Index of the node whose worker this is. */
static unsigned node_of(const weft_array *array, unsigned worker) {
    unsigned k = 0;
    while (worker - array->nodes[k].first_worker >= array->nodes[k].worker_count)
        k++;
    return k;
}

static void populate(struct job *job, const struct wf_area *area, size_t first, size_t last) {
    note_failure(&job->failure, wf_pages_populate((char *)area->start + first, last - first));
}

/* The worker's own part. */
static void touch_part(void *arg, weft_range range) {
    struct job *job = arg;
    const weft_array *array = job->array;
    for (size_t i = range.first; i < range.last; i++) {
        const size_t *bounds = array->bounds + job->first_worker + i;
        populate(job, &array->areas[0], wf_array_byte(array, bounds[0]), wf_array_byte(array, bounds[1]));
    }
}

/* Interleaved without a policy: page p by a worker of node p mod nodes, whose workers take turns. */
static void touch_in_turn(void *arg, weft_range range) {
    struct job *job = arg;
    const weft_array *array = job->array;
    const struct wf_area *area = &array->areas[0];
    for (size_t worker = range.first; worker < range.last; worker++) {
        unsigned k = node_of(array, (unsigned)worker);
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
    const weft_plan_node *node = &array->nodes[ *copy = node_of(array, worker)];
    size_t page = wf_page_bytes(), pages = array->areas[*copy].bytes / page;
    unsigned index = worker - node->first_worker;
    return (weft_range){weft_partition(pages, node->worker_count, 1, index) * page,
                        weft_partition(pages, node->worker_count, 1, index + 1) * page};
}

static void touch_copy(void *arg, weft_range range) {
    struct job *job = arg;
    for (size_t worker = range.first; worker < range.last; worker++) {
        unsigned copy;
        weft_range slice = slice_of(job->array, (unsigned)worker, &copy);
        populate(job, &job->array->areas[copy], slice.first, slice.last);
    }
}

weft_status weft_array_touch(weft_array *array) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    struct job job = {.array = array};
    switch (array->options.place) {
    case WEFT_ON_NODE:
        job.first_worker = array->nodes[array->options.node].first_worker;
        return each_worker(&job, array->nodes[array->options.node].worker_count, touch_part);
    case WEFT_REPLICATED:
        return each_worker(&job, array->worker_count, touch_copy);
    case WEFT_INTERLEAVED:
        return each_worker(&job, array->worker_count, array->policy ? touch_part : touch_in_turn);
    case WEFT_PARTITIONED:
        break;
    }
    return each_worker(&job, array->worker_count, touch_part);
}

static void copy_slice(void *arg, weft_range range) {
    struct job *job = arg;
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
    struct job job = {.array = array, .items = items};
    return each_worker(&job, array->worker_count, copy_slice);
}

struct foreign_job {
    char *start;
    size_t bytes, item_bytes;
    struct failure failure;
};

static void touch_foreign(void *arg, weft_range range) {
    struct foreign_job *job = arg;
    size_t first = range.first * job->item_bytes; /* within bytes: the last item may be cut, no other */
    size_t count = range.last - range.first;
    size_t length = count > (job->bytes - first) / job->item_bytes ? job->bytes - first : count * job->item_bytes;
    note_failure(&job->failure, wf_pages_populate(job->start + first, length));
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
    return outcome(status, &job.failure);
}
