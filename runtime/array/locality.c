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

#include "array/array.h"
#include "base/status.h"
#include "machine/binding.h"
#include "memory/placement.h"
#include "parallel/loop.h"

/* Items from `first` up to the next extent's are on OS node `node`, or WF_NODE_ABSENT. */
struct extent {
    size_t first;
    int node;
};

/* The extents of one copy; none: nothing is known. */
struct extents {
    size_t item_bytes, count, room;
    struct extent *list;
    bool failed; /* no memory for more */
};

/* O: by the worker whose line it is. */
struct line {
    WF_LINE_ALIGNED uint64_t local;
    uint64_t unknown;
};

struct survey {
    const weft_array *array;
    weft_loop_fn body;
    void *arg;
    struct extents *copies; /* I: one per copy */
    struct line *lines;     /* one per worker */
};

static bool grow(struct extents *extents) {
    size_t room = extents->room ? 2 * extents->room : 64;
    struct extent *list = realloc(extents->list, room * sizeof *list);
    extents->failed = !list;
    if (!list)
        return false;
    extents->list = list;
    extents->room = room;
    return true;
}

static void add_page(void *arg, size_t page, int node) {
    struct extents *extents = arg;
    struct extent *last = extents->count ? &extents->list[extents->count - 1] : NULL;
    if (extents->failed || (last && last->node == node))
        return;
    size_t byte = page * wf_page_bytes();
    size_t first = last ? (byte + extents->item_bytes - 1) / extents->item_bytes : 0;
    if (last && last->first == first) { /* no item begins on the pages before */
        last->node = node;
        return;
    }
    if (extents->count < extents->room || grow(extents))
        extents->list[extents->count++] = (struct extent){first, node};
}

/* Ask for the pages of each copy. A kernel that refuses leaves the extents empty: all items are unknown. */
static void ask(struct survey *survey) {
    const weft_array *array = survey->array;
    struct wf_detail before;
    wf_detail_keep(&before);
    for (unsigned copy = 0; array->this_system && copy < array->copies; copy++) {
        struct extents *extents = &survey->copies[copy];
        const struct wf_area *area = &array->areas[copy];
        struct wf_placement_scope scope = {0};
        extents->item_bytes = array->item_bytes;
        weft_status status = wf_placement_visit(area->start, area->bytes, add_page, extents, &scope);
        if (status != WEFT_OK || extents->failed)
            extents->count = 0;
    }
    wf_detail_restore(&before);
}

/* The extent that holds an item: the last that does not begin after it. There is at least one, and the first begins at 0. */
static size_t find(const struct extents *extents, size_t item) {
    size_t low = 0, high = extents->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (extents->list[middle].first <= item)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void count_items(struct line *line, const struct extents *extents, const weft_array *array, unsigned k, weft_range range) {
    if (!extents->count) {
        line->unknown += range.last - range.first;
        return;
    }
    for (size_t i = find(extents, range.first); range.first < range.last; i++) {
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
    count_items(&survey->lines[worker], &survey->copies[array->copies > 1 ? node : 0], array, (unsigned)node, range);
}

static void release(struct survey *survey) {
    for (unsigned copy = 0; survey->copies && copy < survey->array->copies; copy++)
        free(survey->copies[copy].list);
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

static weft_status run_reported(const weft_array *array, struct wf_loop_request request, weft_loop_report *report) {
    struct survey survey = {.array = array, .body = request.body, .arg = request.arg};
    weft_status status = begin(&survey);
    if (status != WEFT_OK)
        return status;
    weft_loop_report found = {0};
    request.body = run_counted;
    request.arg = &survey;
    request.report = &found;
    status = wf_loop_run(array->pool, &request);
    if (status == WEFT_OK) {
        found.iterations_local = found.iterations_unknown = 0;
        for (unsigned worker = 0; worker < array->worker_count; worker++) {
            found.iterations_local += survey.lines[worker].local;
            found.iterations_unknown += survey.lines[worker].unknown;
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
    size_t *own = NULL;
    if (array->options.place != WEFT_REPLICATED)
        request.bounds = known.align > 1 ? (own = aligned_bounds(array, known.align)) : array->bounds;
    if (known.align > 1 && array->options.place != WEFT_REPLICATED && !own)
        return WEFT_ENOMEM;
    status = known.report ? run_reported(array, request, known.report) : wf_loop_run(array->pool, &request);
    free(own);
    return status;
}
