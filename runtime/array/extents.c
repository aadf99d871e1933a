/* Asking for the nodes of an array's items: by the caller, or each worker for a slice of the pages, and put together in order. */
#include "array/extents.h"

#include <stdlib.h>

#include "array/workers.h"
#include "base/status.h"
#include "memory/placement.h"

#define ASK_ALONE 8192 /* pages that are not worth a loop over the workers */

static bool grow(struct wf_extents *extents) {
    size_t room = extents->room ? 2 * extents->room : 64;
    struct wf_extent *list = realloc(extents->list, room * sizeof *list);
    extents->failed = !list;
    if (!list)
        return false;
    extents->list = list;
    extents->room = room;
    return true;
}

/* Items from `first` on are on `node`. */
static void append(struct wf_extents *extents, size_t first, int node) {
    struct wf_extent *last = extents->count ? &extents->list[extents->count - 1] : NULL;
    if (extents->failed || (last && last->node == node))
        return;
    if (last && last->first == first) { /* no item begins on the pages before */
        bool joins = extents->count > 1 && last[-1].node == node;
        last->node = node;
        extents->count -= joins;
        return;
    }
    if (extents->count < extents->room || grow(extents))
        extents->list[extents->count++] = (struct wf_extent){first, node};
}

void wf_extents_add(struct wf_extents *extents, size_t page, int node) {
    size_t byte = page * wf_page_bytes();
    append(extents, byte <= extents->head ? 0 : (byte - extents->head - 1) / extents->item_bytes + 1, node);
}

/* What one worker asks. */
struct slice {
    struct wf_extents found;
    size_t first;      /* page */
    const char *start; /* where it lies */
};

struct inquiry {
    struct wf_array_job job;
    struct slice *slices; /* one per worker, O by it until the loop ends */
};

static void add_pages(void *arg, void *const *pages, size_t count, int node) {
    struct slice *slice = arg;
    (void)count; /* up to the next extent */
    wf_extents_add(&slice->found, slice->first + (size_t)((const char *)pages[0] - slice->start) / wf_page_bytes(), node);
}

static weft_status ask_pages(const weft_array *array, unsigned copy, size_t first, size_t last, bool exact, struct slice *slice) {
    struct wf_placement_scope scope = {.exact = exact};
    slice->found = (struct wf_extents){.item_bytes = array->item_bytes, .head = array->head % wf_page_bytes()};
    slice->first = first;
    slice->start = (const char *)array->areas[copy].start + wf_array_lead(array) + first * wf_page_bytes();
    weft_status status =
        last > first ? wf_placement_visit(slice->start, (last - first) * wf_page_bytes(), add_pages, slice, &scope) : WEFT_OK;
    if (status == WEFT_OK && slice->found.failed)
        status = wf_fail(WEFT_ENOMEM, "no memory to list on which nodes %zu pages lie", last - first);
    return status;
}

static void ask_slice(void *arg, weft_range range) {
    struct inquiry *inquiry = arg;
    const weft_array *array = inquiry->job.array;
    size_t pages = (array->areas[0].bytes - wf_array_lead(array)) / wf_page_bytes();
    for (size_t worker = range.first; worker < range.last; worker++) {
        size_t first = weft_partition(pages, array->worker_count, 1, (unsigned)worker);
        size_t last = weft_partition(pages, array->worker_count, 1, (unsigned)worker + 1);
        struct slice slice; /* in lines of its own until it is done */
        wf_failure_note(&inquiry->job.failure, ask_pages(array, 0, first, last, true, &slice));
        inquiry->slices[worker] = slice;
    }
}

static weft_status ask_together(const weft_array *array, struct wf_extents *extents) {
    struct inquiry inquiry = {.job.array = array, .slices = calloc(array->worker_count, sizeof *inquiry.slices)};
    if (!inquiry.slices)
        return wf_fail(WEFT_ENOMEM, "no memory for the answers of %u workers", array->worker_count);
    weft_status status = wf_array_run(&inquiry.job, array->worker_count, ask_slice);
    for (unsigned worker = 0; worker < array->worker_count; worker++) {
        struct wf_extents *found = &inquiry.slices[worker].found;
        for (size_t i = 0; status == WEFT_OK && i < found->count; i++)
            append(extents, found->list[i].first, found->list[i].node);
        free(found->list);
    }
    free(inquiry.slices);
    if (status == WEFT_OK && extents->failed)
        status = wf_fail(WEFT_ENOMEM, "no memory to list on which nodes %zu items lie", array->n);
    return status;
}

weft_status wf_extents_ask(const weft_array *array, unsigned copy, struct wf_extents *extents) {
    size_t pages = (array->areas[copy].bytes - wf_array_lead(array)) / wf_page_bytes();
    struct slice slice;
    weft_status status;
    *extents = (struct wf_extents){.item_bytes = array->item_bytes, .head = array->head % wf_page_bytes()};
    if (array->adopted && pages > ASK_ALONE && array->worker_count > 1) {
        status = ask_together(array, extents);
    } else {
        status = ask_pages(array, copy, 0, pages, array->adopted != NULL, &slice);
        *extents = slice.found;
    }
    if (status != WEFT_OK)
        wf_extents_release(extents);
    else if (extents->count)
        extents->list[0].first = 0; /* of a sample the first page may be another */
    return status;
}

void wf_extents_release(struct wf_extents *extents) {
    free(extents->list);
    extents->list = NULL;
    extents->count = extents->room = 0;
}

size_t wf_extents_find(const struct wf_extents *extents, size_t item) {
    size_t low = 0, high = extents->count; /* the last that does not begin after it */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (extents->list[middle].first <= item)
            low = middle;
        else
            high = middle;
    }
    return low;
}
