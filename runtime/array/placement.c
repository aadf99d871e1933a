/* Where the pages of an array are, and how many of them are where they belong. */
#include "array/array.h"

#include "base/status.h"
#include "memory/huge_pages.h"
#include "memory/placement.h"

#define ELSEWHERE "some pages are not where they belong: no memory was free there, or somebody moved or touched them first"

struct tally {
    const weft_array *array;
    struct wf_node_counts counts;
    unsigned copy; /* whose pages are visited now */
    size_t expected;
};

/* Turns that are not exact: pages belong on any node of the pool, since which is first is the kernel's choice. */
static bool on_any_node(const weft_array *array, int os_node) {
    for (unsigned k = 0; k < array->node_count; k++)
        if (wf_array_is_home(array, k, os_node))
            return true;
    return false;
}

static void tally_page(void *arg, size_t page, int os_node) {
    struct tally *tally = arg;
    const weft_array *array = tally->array;
    wf_node_counts_add(&tally->counts, os_node);
    if (!array->this_system)
        return;
    if (array->turns && !array->exact)
        tally->expected += on_any_node(array, os_node);
    else
        tally->expected += wf_array_belongs(array, wf_array_owner(array, tally->copy, page * wf_page_bytes()), os_node);
}

static weft_status tally_copies(struct tally *tally, struct wf_placement_scope *scope) {
    const weft_array *array = tally->array;
    for (tally->copy = 0; tally->copy < array->copies; tally->copy++) {
        const struct wf_area *area = &array->areas[tally->copy];
        weft_status status = wf_placement_visit(area->start, area->bytes, tally_page, tally, scope);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

/* The first that applies: what the kernel hides, what was not granted, what came differently, what was not asked. */
static const char *reason_of(const struct tally *tally, const struct wf_placement_scope *scope) {
    if (scope->hidden)
        return wf_placement_reason(scope);
    if (*wf_array_reason(tally->array))
        return wf_array_reason(tally->array);
    if (tally->array->this_system && tally->expected < scope->asked - tally->counts.absent)
        return ELSEWHERE;
    return wf_placement_reason(scope);
}

/* Bytes in huge pages, of all copies; where nobody says, none. */
static size_t huge_bytes(const weft_array *array) {
    size_t sum = 0, bytes;
    for (unsigned copy = 0; copy < array->copies; copy++)
        if (array->areas[copy].pages != WEFT_PAGES_BASE &&
            wf_huge_bytes(array->areas[copy].start, array->areas[copy].bytes, &bytes))
            sum += bytes;
    return sum;
}

weft_status weft_array_placement(const weft_array *array, weft_placement *placement, size_t *per_node, size_t nodes) {
    if (!array || !placement)
        return wf_fail(WEFT_EINVAL, "array and placement must be given");
    struct tally tally = {.array = array};
    weft_status status = wf_node_counts_init(&tally.counts, per_node, nodes);
    if (status != WEFT_OK)
        return status;
    struct wf_placement_scope scope = {0};
    size_t granted_bytes;
    weft_pages granted = wf_array_granted(array, &granted_bytes);
    status = tally_copies(&tally, &scope);
    if (status == WEFT_OK)
        *placement = (weft_placement){.page_bytes = wf_page_bytes(),
                                      .pages = scope.pages,
                                      .pages_asked = scope.asked,
                                      .pages_absent = tally.counts.absent,
                                      .pages_expected = tally.expected,
                                      .huge = array->areas[0].pages != WEFT_PAGES_BASE,
                                      .granted = granted,
                                      .granted_bytes = granted_bytes,
                                      .huge_bytes = huge_bytes(array),
                                      .locked = array->locked,
                                      .reason = reason_of(&tally, &scope)};
    wf_node_counts_finish(&tally.counts, status == WEFT_OK ? per_node : NULL);
    return status;
}
