/*
 * Loops over arrays: parts go to the owners of their pages, and the report compares the node of each item's page with the
 * node of the worker that ran it.
 *
 * The pages' nodes are asked before the loop and kept as extents: run lengths of items on one node. An item counts where its
 * first byte lies. While the loop runs each worker adds to a line of its own; the loop's end orders these writes before the
 * caller's reads.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "array/adopt.h"
#include "base/status.h"
#include "machine/binding.h"
#include "memory/placement.h"
#include "parallel/loop.h"

/* O: by the worker whose line it is. */
struct line {
    WF_LINE_ALIGNED uint64_t local;
    uint64_t unknown, chunks;
};

struct survey {
    const weft_array *array;
    weft_loop_fn body;
    void *arg;
    struct wf_extents *copies; /* I: one per copy */
    struct line *lines;        /* one per worker */
};

/* Ask for the pages of each copy. A kernel that refuses leaves the extents empty: all items are unknown. */
static void ask(struct survey *survey) {
    const weft_array *array = survey->array;
    struct wf_detail before;
    wf_detail_keep(&before);
    for (unsigned copy = 0; array->this_system && copy < array->copies; copy++)
        (void)wf_extents_ask(array, copy, &survey->copies[copy]);
    wf_detail_restore(&before);
}

static void count_items(struct line *line, const struct wf_extents *extents, const weft_array *array, unsigned k,
                        weft_range range) {
    if (!extents->count) {
        line->unknown += range.last - range.first;
        return;
    }
    for (size_t i = wf_extents_find(extents, range.first); range.first < range.last; i++) {
        size_t end = i + 1 < extents->count && extents->list[i + 1].first < range.last ? extents->list[i + 1].first : range.last;
        if (extents->list[i].node == WF_NODE_ABSENT)
            line->unknown += end - range.first;
        else if (wf_array_is_local(array, k, extents->list[i].node))
            line->local += end - range.first;
        range.first = end;
    }
}

static void run_counted(void *arg, weft_range range) {
    struct survey *survey = arg;
    const weft_array *array = survey->array;
    survey->body(survey->arg, range);
    int worker = weft_current_worker(), node = weft_current_node();
    assert(worker >= 0 && weft_current_pool() == array->pool); /* loops run on the pool's workers only */
    survey->lines[worker].chunks++;
    count_items(&survey->lines[worker], &survey->copies[array->copies > 1 ? node : 0], array, (unsigned)node, range);
}

static void release(struct survey *survey) {
    for (unsigned copy = 0; survey->copies && copy < survey->array->copies; copy++)
        wf_extents_release(&survey->copies[copy]);
    free(survey->copies);
    free(survey->lines);
}

static weft_status begin(struct survey *survey) {
    const weft_array *array = survey->array;
    survey->copies = calloc(array->copies, sizeof *survey->copies);
    survey->lines = aligned_alloc(WF_LINE, array->worker_count * sizeof *survey->lines);
    if (!survey->copies || !survey->lines) {
        release(survey);
        return wf_fail(WEFT_ENOMEM, "no memory for the report of a loop over %u workers", array->worker_count);
    }
    for (unsigned worker = 0; worker < array->worker_count; worker++)
        survey->lines[worker] = (struct line){0};
    ask(survey);
    return WEFT_OK;
}

/* A loop over items, or over the positions of shares that are in another order. */
static weft_status run(const weft_array *array, struct wf_loop_request request, const struct wf_shares *shares) {
    struct wf_shared_body shared = {shares, request.body, request.arg};
    if (shares && !shares->in_order) {
        request.n = shares->positions;
        request.body = wf_shares_run;
        request.arg = &shared;
    }
    return wf_loop_run(array->pool, &request);
}

static weft_status run_reported(const weft_array *array, struct wf_loop_request request, const struct wf_shares *shares,
                                weft_loop_report *report) {
    struct survey survey = {.array = array, .body = request.body, .arg = request.arg};
    weft_status status = begin(&survey);
    if (status != WEFT_OK)
        return status;
    weft_loop_report found = {0};
    request.body = run_counted;
    request.arg = &survey;
    request.report = &found;
    status = run(array, request, shares);
    if (status == WEFT_OK) {
        found.iterations = array->n;
        found.iterations_local = found.iterations_unknown = found.chunks = 0;
        for (unsigned worker = 0; worker < array->worker_count; worker++) {
            found.iterations_local += survey.lines[worker].local;
            found.iterations_unknown += survey.lines[worker].unknown;
            found.chunks += survey.lines[worker].chunks;
        }
        *report = found;
    }
    release(&survey);
    return status;
}

/* The array's bounds moved down to multiples of `align`; NULL with a detail text: no memory. */
static size_t *aligned_bounds(const weft_array *array, size_t align) {
    size_t *bounds = malloc((array->worker_count + 1) * sizeof *bounds);
    if (!bounds) {
        wf_fail(WEFT_ENOMEM, "no memory for the bounds of %u workers", array->worker_count);
        return NULL;
    }
    for (unsigned i = 0; i <= array->worker_count; i++)
        bounds[i] = array->bounds[i] == array->n ? array->n : array->bounds[i] / align * align;
    return bounds;
}

/* Parts as the array is laid out, or as shares say. */
static weft_status run_in_parts(const weft_array *array, struct wf_loop_request request, const struct wf_shares *shares,
                                weft_loop_report *report) {
    size_t *own = NULL;
    if (shares)
        request.bounds = shares->bounds;
    else if (array->options.place != WEFT_REPLICATED)
        request.bounds = request.align > 1 ? (own = aligned_bounds(array, request.align)) : array->bounds;
    if (request.align > 1 && !request.bounds && array->options.place != WEFT_REPLICATED)
        return WEFT_ENOMEM;
    weft_status status = report ? run_reported(array, request, shares, report) : run(array, request, shares);
    free(own);
    return status;
}

/* Parts where the pages are, as of the last look; aligned ones are made for this loop. */
static weft_status run_adopted(const weft_array *array, struct wf_loop_request request, weft_loop_report *report) {
    struct wf_residence *residence = wf_residence_take(array);
    struct wf_shares *own = NULL;
    weft_status status = WEFT_OK;
    if (residence->shares && request.align > 1 && !(own = wf_shares_make(array, &residence->extents, request.align)))
        status = WEFT_ENOMEM;
    if (status == WEFT_OK)
        status = run_in_parts(array, request, own ? own : residence->shares, report);
    wf_shares_free(own);
    wf_residence_give(array, residence);
    return status;
}

weft_status weft_for_array(weft_array *array, weft_loop_fn body, void *arg, const weft_for_options *options) {
    if (!array || !body)
        return wf_fail(WEFT_EINVAL, "array and body must be given");
    weft_for_options known = {WEFT_FOR_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_for_options");
    if (status != WEFT_OK)
        return status;
    if ((unsigned)known.schedule > WEFT_SCHEDULE_FIRST_TOUCH)
        return wf_fail(WEFT_EINVAL, "schedule is %d: it is one of WEFT_SCHEDULE_STEAL, STATIC, FIRST_TOUCH", (int)known.schedule);
    if (known.tile[0] || known.tile[1] || known.tile[2])
        return wf_fail(WEFT_EINVAL, "weft_for_options.tile is for weft_for_2d() and weft_for_3d(): use grain");
    struct wf_loop_request request = {.n = array->n, .body = body, .arg = arg, .grain = known.grain, .align = known.align};
    request.schedule = known.schedule == WEFT_SCHEDULE_STEAL ? WEFT_SCHEDULE_STEAL : WEFT_SCHEDULE_STATIC;
    request.placed = wf_plan_places_memory(weft_pool_plan(array->pool)); /* a caller might be moved to another node */
    return array->adopted ? run_adopted(array, request, known.report) : run_in_parts(array, request, NULL, known.report);
}
