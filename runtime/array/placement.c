/* Where the pages of an array are, and how many of them are where they belong. */
#include "array/array.h"

#include "base/status.h"
#include "memory/huge_pages.h"
#include "memory/mappings.h"
#include "memory/placement.h"

#define ELSEWHERE "some pages are not where they belong: no memory was free there, or somebody moved or touched them first"

#define ADOPTED "some pages are not where they belong: weft_array_migrate() moves them there"
#define GONE "part of the memory is not mapped any more, or past the end of its file, which became shorter"

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

/* How many pages that lie on one node belong there. */
static size_t count_expected(const struct tally *tally, void *const *pages, size_t count, int os_node) {
    const weft_array *array = tally->array;
    const char *start = array->areas[tally->copy].start;
    size_t expected = 0, end = 0; /* where the stretch ends to whose owner `belongs` applies */
    bool belongs = false;
    if (array->turns && !array->exact)
        return on_any_node(array, os_node) ? count : 0;
    for (size_t i = 0; i < count; i++) {
        size_t byte = (size_t)((const char *)pages[i] - start);
        if (byte >= end)
            belongs = wf_array_belongs(array, wf_array_owner(array, tally->copy, byte, &end), os_node);
        expected += belongs;
    }
    return expected;
}

static void tally_pages(void *arg, void *const *pages, size_t count, int os_node) {
    struct tally *tally = arg;
    wf_node_counts_add(&tally->counts, os_node, count);
    if (tally->array->this_system && os_node != WF_NODE_ABSENT)
        tally->expected += count_expected(tally, pages, count, os_node);
}

/* The pages of some items, in each copy. */
static weft_status tally_copies(struct tally *tally, weft_range items, struct wf_placement_scope *scope) {
    const weft_array *array = tally->array;
    size_t first = array->head + items.first * array->item_bytes, last = array->head + items.last * array->item_bytes;
    for (tally->copy = 0; tally->copy < array->copies; tally->copy++) {
        const char *start = array->areas[tally->copy].start;
        weft_status status = wf_placement_visit(start + first, last - first, tally_pages, tally, scope);
        if (status != WEFT_OK)
            return status;
    }
    return WEFT_OK;
}

/* Whether all of an adopted array is still there. */
static bool is_there(const weft_array *array) {
    struct wf_detail before;
    wf_detail_keep(&before);
    weft_status status = wf_mappings_check(weft_array_data(array), array->n * array->item_bytes);
    wf_detail_restore(&before);
    return status == WEFT_OK;
}

/* The first that applies: what the kernel hides, what was not granted, what came differently. */
static const char *reason_of(const struct tally *tally, const struct wf_placement_scope *scope) {
    const weft_array *array = tally->array;
    if (array->adopted && tally->counts.absent && !is_there(array))
        return GONE;
    if (scope->hidden)
        return wf_placement_reason(scope);
    if (*wf_array_reason(array))
        return wf_array_reason(array);
    if (array->this_system && tally->expected < scope->asked - tally->counts.absent)
        return array->adopted ? ADOPTED : ELSEWHERE;
    return "";
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

weft_status weft_array_query(const weft_array *array, weft_range items, weft_query query, weft_placement *placement,
                             size_t *per_node, size_t nodes) {
    if (!array || !placement)
        return wf_fail(WEFT_EINVAL, "array and placement must be given");
    if (items.first >= items.last || items.last > array->n)
        return wf_fail(WEFT_EINVAL, "items %zu to %zu: at least one, of the array's %zu", items.first, items.last, array->n);
    struct tally tally = {.array = array};
    weft_status status = wf_query_check(query);
    if (status != WEFT_OK || (status = wf_node_counts_init(&tally.counts, per_node, nodes)) != WEFT_OK)
        return status;
    struct wf_placement_scope scope = {.exact = query == WEFT_QUERY_EXACT};
    size_t granted_bytes;
    weft_pages granted = wf_array_granted(array, &granted_bytes);
    status = tally_copies(&tally, items, &scope);
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

weft_status weft_array_placement(const weft_array *array, weft_placement *placement, size_t *per_node, size_t nodes) {
    return weft_array_query(array, (weft_range){0, weft_array_count(array)}, WEFT_QUERY_SAMPLED, placement, per_node, nodes);
}
