/* Arrays: made, released, reached. Where their parts lie is decided in layout.c. */
#include "array/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "base/status.h"

static weft_status check_options(const weft_array_options *options, const weft_plan *plan) {
    unsigned nodes, memory_nodes;
    weft_plan_nodes(plan, &nodes);
    weft_plan_memory_nodes(plan, &memory_nodes);
    if ((unsigned)options->place > WEFT_ON_MEMORY_NODE)
        return wf_fail(WEFT_EINVAL,
                       "place is %d: it is one of WEFT_PARTITIONED, INTERLEAVED, ON_NODE, REPLICATED, ON_MEMORY_NODE",
                       (int)options->place);
    if ((unsigned)options->pages > WEFT_PAGES_HUGE)
        return wf_fail(WEFT_EINVAL, "pages is %d: it is one of WEFT_PAGES_DEFAULT, BASE, THP, HUGE", (int)options->pages);
    if (options->place == WEFT_ON_NODE && options->node >= nodes)
        return wf_fail(WEFT_EINVAL, "node %u: the pool's nodes are 0 to %u", options->node, nodes - 1);
    if (options->place == WEFT_ON_MEMORY_NODE && !memory_nodes)
        return wf_fail(WEFT_EINVAL, "memory node %u: the plan has no node with memory and without workers", options->node);
    if (options->place == WEFT_ON_MEMORY_NODE && options->node >= memory_nodes)
        return wf_fail(WEFT_EINVAL, "memory node %u: the plan's memory-only nodes are 0 to %u", options->node, memory_nodes - 1);
    return WEFT_OK;
}

static weft_status check_size(size_t n, size_t item_bytes) {
    if (!n || !item_bytes)
        return wf_fail(WEFT_EINVAL, "%zu items of %zu bytes: an array has at least one item of at least one byte", n, item_bytes);
    if (n > (size_t)PTRDIFF_MAX / item_bytes)
        return wf_fail(WEFT_EINVAL, "%zu items of %zu bytes exceed the address space", n, item_bytes);
    return WEFT_OK;
}

/* The struct and its tables, without areas. */
static weft_array *new_array(weft_pool *pool, size_t n, size_t item_bytes, const weft_array_options *options) {
    const weft_plan *plan = weft_pool_plan(pool);
    weft_array *array = calloc(1, sizeof *array);
    if (!array)
        return NULL;
    *array = (weft_array){.pool = pool, .n = n, .item_bytes = item_bytes, .options = *options, .reason = ""};
    array->nodes = weft_plan_nodes(plan, &array->node_count);
    array->worker_count = weft_pool_workers(pool);
    array->this_system = weft_plan_get_limits(plan)->this_system;
    if (options->place == WEFT_ON_MEMORY_NODE)
        array->memory_node = &weft_plan_memory_nodes(plan, NULL)[options->node];
    array->copies = options->place == WEFT_REPLICATED ? array->node_count : 1;
    array->bounds = calloc(array->worker_count + 1, sizeof *array->bounds);
    array->areas = calloc(array->copies, sizeof *array->areas);
    if (array->bounds && array->areas)
        return array;
    weft_array_destroy(array);
    return NULL;
}

/* Areas are mapped without reserving swap, so the kernel refuses no size: touching too much would call its OOM killer. */
static weft_status check_memory(const weft_array *array) {
    struct sysinfo info;
    size_t bytes = array->n * array->item_bytes;
    if (array->options.untouched || sysinfo(&info))
        return WEFT_OK;
    double machine = ((double)info.totalram + (double)info.totalswap) * info.mem_unit;
    if ((double)bytes * array->copies <= machine)
        return WEFT_OK;
    return wf_fail(WEFT_ENOMEM, "%u copies of %zu bytes exceed the %.0f bytes of memory and swap of this machine", array->copies,
                   bytes, machine);
}

static weft_status reserve(weft_array *array) {
    for (unsigned copy = 0; copy < array->copies; copy++) {
        struct wf_area *area = &array->areas[copy];
        weft_status status = wf_array_reserve(array, area);
        if (status != WEFT_OK)
            return status;
        if (*area->reason)
            array->reason = area->reason;
        if (array->options.strict && array->options.pages == WEFT_PAGES_HUGE && area->pages != WEFT_PAGES_HUGE)
            return wf_fail(WEFT_ESTRICT, "no reserved huge pages for %zu items of %zu bytes: %s", array->n, array->item_bytes,
                           area->reason);
    }
    return WEFT_OK;
}

/* Strict arrays on a node: no page is elsewhere, as far as the kernel says. Where it says nothing, nothing can be promised. */
static weft_status verify(const weft_array *array) {
    weft_placement placement;
    const char *kind = array->memory_node ? "memory node" : "node";
    if (weft_array_placement(array, &placement, NULL, 0) != WEFT_OK)
        return wf_fail(WEFT_ESTRICT, "%s %u cannot be checked: %s", kind, array->options.node, weft_error_detail());
    size_t elsewhere = placement.pages_asked - placement.pages_absent - placement.pages_expected;
    return elsewhere ? wf_fail(WEFT_ESTRICT, "%zu of %zu pages asked are not on %s %u: it has no memory left for them", elsewhere,
                               placement.pages_asked, kind, array->options.node)
                     : WEFT_OK;
}

/*
 * A strict policy would let the kernel kill a process rather than place a page elsewhere, so pages are touched under a
 * preferred one, looked at, and only then held on their node.
 */
static weft_status furnish(weft_array *array) {
    bool strict = array->options.strict && wf_array_is_on_one(array), untouched = array->options.untouched;
    weft_status status = check_memory(array);
    if (status != WEFT_OK || (status = reserve(array)) != WEFT_OK)
        return status;
    wf_array_lay_out(array);
    if ((status = wf_array_bind(array, strict && untouched)) != WEFT_OK || untouched)
        return status;
    status = weft_array_touch(array);
    if (status != WEFT_OK || !strict)
        return status;
    status = verify(array);
    return status == WEFT_OK ? wf_array_bind(array, true) : status;
}

weft_status weft_array_create(weft_array **array, weft_pool *pool, size_t n, size_t item_bytes,
                              const weft_array_options *options) {
    if (!array || !pool)
        return wf_fail(WEFT_EINVAL, "array and pool must be given");
    weft_array_options known = {WEFT_ARRAY_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_array_options");
    if (status != WEFT_OK || (status = check_options(&known, weft_pool_plan(pool))) != WEFT_OK ||
        (status = check_size(n, item_bytes)) != WEFT_OK)
        return status;
    weft_array *made = new_array(pool, n, item_bytes, &known);
    if (!made)
        return wf_fail(WEFT_ENOMEM, "no memory for the tables of an array");
    struct wf_detail before;
    wf_detail_keep(&before);
    status = furnish(made);
    if (status == WEFT_OK) {
        wf_detail_restore(&before); /* what was refused on the way is the array's reason */
        *array = made;
    } else {
        weft_array_destroy(made);
    }
    return status;
}

void weft_array_destroy(weft_array *array) {
    if (!array)
        return;
    for (unsigned copy = 0; array->areas && copy < array->copies; copy++)
        wf_area_release(&array->areas[copy]);
    free(array->areas);
    free(array->bounds);
    free(array);
}

void *weft_array_data(const weft_array *array) {
    return array ? array->areas[0].start : NULL;
}

size_t weft_array_count(const weft_array *array) {
    return array ? array->n : 0;
}

void *weft_array_local(const weft_array *array) {
    if (!array || array->copies == 1 || weft_current_pool() != array->pool)
        return weft_array_data(array);
    return array->areas[weft_current_node()].start;
}
