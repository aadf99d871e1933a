/*
 * What the kernel is told about the pages of an array: one policy per stretch, copy, or the whole. Without turns that is where
 * they belong; turns that need not be exact are the kernel's own interleaving. Exact turns would need a policy for each run of
 * pages, and a mapping has room for few: so they are touched under their workers' policy, and then held (see touch.c).
 */
#include <stdlib.h>

#include "array/array.h"
#include "base/status.h"
#include "machine/binding.h"

#define BIND_UNSUPPORTED "memory cannot be bound here (mbind unsupported, or no such node): the worker that touches first decides"
#define BIND_REFUSED "mbind was refused (seccomp, container): the worker that touches first decides"
#define BIND_FOREIGN "the topology is not this machine's: nothing is bound, and pages lie where the kernel puts them"

static weft_status bind_stretch(const weft_array *array, unsigned k, const struct wf_area *area, size_t first, size_t last,
                                bool strict) {
    if (first == last)
        return WEFT_OK;
    if (last == area->bytes)
        last = area->mapped; /* mbind cannot split a mapping inside a reserved huge page */
    const weft_plan *plan = weft_pool_plan(array->pool);
    return wf_bind_memory(plan, (char *)area->start + first, last - first, wf_array_target(array, k), strict);
}

/*
 * Each node's stretch (workers of a node are neighbours, so their parts are one stretch), or its copy of a replicated array. A node
 * that cannot be bound to keeps no other from it; the last failure is returned.
 */
static weft_status bind_nodes(const weft_array *array, bool strict) {
    weft_status all = WEFT_OK;
    for (unsigned k = 0; k < array->node_count; k++) {
        const struct wf_area *area = &array->areas[array->copies > 1 ? k : 0];
        size_t first = array->stretches[k], last = k + 1 < array->node_count ? array->stretches[k + 1] : area->bytes;
        weft_status status = array->copies > 1 ? bind_stretch(array, k, area, 0, area->bytes, strict)
                                               : bind_stretch(array, k, area, first, last, strict);
        all = status == WEFT_OK ? all : status;
    }
    return all;
}

static weft_status bind_interleaved(const weft_array *array) {
    int *homes = calloc(array->node_count, sizeof *homes);
    if (!homes)
        return wf_fail(WEFT_ENOMEM, "no memory to list %u nodes", array->node_count);
    for (unsigned k = 0; k < array->node_count; k++)
        homes[k] = wf_array_home(array, k);
    const struct wf_area *area = &array->areas[0];
    weft_status status =
        wf_bind_memory_interleaved(weft_pool_plan(array->pool), area->start, area->mapped, homes, array->node_count);
    free(homes);
    return status;
}

weft_status wf_array_hold(const weft_array *array) {
    return wf_bind_memory_first_touch(weft_pool_plan(array->pool), array->areas[0].start, array->areas[0].mapped);
}

weft_status wf_array_bind(weft_array *array, bool strict) {
    char place[64];
    weft_status status;
    if (array->turns)
        status = array->exact ? wf_array_hold(array) : bind_interleaved(array);
    else if (array->options.place == WEFT_ON_MEMORY_NODE)
        status = bind_stretch(array, 0, &array->areas[0], 0, array->areas[0].bytes, strict);
    else
        status = bind_nodes(array, strict);
    array->policy = status == WEFT_OK;
    if (array->policy)
        return WEFT_OK;
    if (array->options.strict && !array->exact)
        return wf_fail(WEFT_ESTRICT, "the array cannot be bound to %s: %s", wf_place_name(array, place, sizeof place),
                       weft_error_detail());
    if (!array->this_system)
        array->reasons[WF_REASON_POLICY] = BIND_FOREIGN;
    else
        array->reasons[WF_REASON_POLICY] = status == WEFT_EPERM ? BIND_REFUSED : BIND_UNSUPPORTED;
    return WEFT_OK;
}
