/* Arrays: made, released, reached. Where their parts lie is decided in layout.c. */
#include "array/replica.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "array/adopt.h"
#include "base/status.h"

weft_status wf_array_check_size(size_t n, size_t item_bytes) {
    if (!n || !item_bytes)
        return wf_fail(WEFT_EINVAL, "%zu items of %zu bytes: an array has at least one item of at least one byte", n, item_bytes);
    if (n > (size_t)PTRDIFF_MAX / item_bytes)
        return wf_fail(WEFT_EINVAL, "%zu items of %zu bytes exceed the address space", n, item_bytes);
    return WEFT_OK;
}

weft_status wf_array_read_options(weft_array_options *known, const weft_pool *pool, const weft_array_options *options) {
    *known = (weft_array_options){WEFT_ARRAY_OPTIONS_INIT};
    weft_status status = wf_options_copy(known, sizeof *known, options, "weft_array_options");
    return status == WEFT_OK ? wf_place_check(known, weft_pool_plan(pool)) : status;
}

weft_status wf_array_new(weft_array **made, weft_pool *pool, size_t n, size_t item_bytes, const weft_array_options *options) {
    const weft_plan *plan = weft_pool_plan(pool);
    weft_array *array = *made = calloc(1, sizeof *array);
    if (!array)
        return wf_fail(WEFT_ENOMEM, "no memory for an array");
    *array = (weft_array){.pool = pool, .n = n, .item_bytes = item_bytes, .options = *options};
    array->options.weights = NULL;
    array->options.device = NULL;
    for (unsigned i = 0; i < WF_REASONS; i++)
        array->reasons[i] = "";
    array->nodes = weft_plan_nodes(plan, &array->node_count);
    array->worker_count = weft_pool_workers(pool);
    array->this_system = weft_plan_get_limits(plan)->this_system;
    array->copies = options->place == WEFT_REPLICATED ? array->node_count : 1;
    weft_status status = wf_array_allocate_sized(array);
    if (status == WEFT_OK)
        status = wf_place_resolve(array, options);
    return status == WEFT_OK && options->place == WEFT_REPLICATED ? wf_replica_make(array) : status;
}

const char *wf_array_reason(const weft_array *array) {
    unsigned i = 0;
    while (i + 1 < WF_REASONS && !*array->reasons[i])
        i++;
    return array->reasons[i];
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

/*
 * A strict policy would let the kernel kill a process rather than place a page elsewhere, so pages are touched under a
 * preferred one, looked at (weft_array_touch() does), and only then held on their nodes.
 */
weft_status wf_array_furnish(weft_array *array) {
    bool strict = array->options.strict, untouched = array->options.untouched;
    weft_status status = check_memory(array);
    if (status != WEFT_OK || (status = wf_array_reserve_all(array)) != WEFT_OK)
        return status;
    if (!array->exact && (status = wf_array_bind(array, strict && untouched)) != WEFT_OK)
        return status;
    if (untouched)
        return wf_array_lock(array);
    status = weft_array_touch(array);
    if (status == WEFT_OK && (strict || array->exact))
        status = wf_array_bind(array, strict);
    return status == WEFT_OK ? wf_array_lock(array) : status;
}

weft_status weft_array_create(weft_array **array, weft_pool *pool, size_t n, size_t item_bytes,
                              const weft_array_options *options) {
    if (!array || !pool)
        return wf_fail(WEFT_EINVAL, "array and pool must be given");
    weft_array_options known;
    weft_status status = wf_array_read_options(&known, pool, options);
    if (status != WEFT_OK || (status = wf_array_check_size(n, item_bytes)) != WEFT_OK)
        return status;
    weft_array *made;
    struct wf_detail before;
    wf_detail_keep(&before);
    status = wf_array_new(&made, pool, n, item_bytes, &known);
    if (status == WEFT_OK)
        status = wf_array_furnish(made);
    if (status == WEFT_OK) {
        wf_replica_restart(made, NULL);
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
    wf_replica_destroy(array);
    wf_array_release_sized(array);
    free(array->turns);
    free(array->shares);
    free(array->memory);
    wf_adoption_release(array->adopted);
    free(array);
}

void *weft_array_data(const weft_array *array) {
    return array ? (char *)array->areas[0].start + array->head : NULL;
}

size_t weft_array_count(const weft_array *array) {
    return array ? array->n : 0;
}

void *weft_array_local(const weft_array *array) {
    if (!array || array->copies == 1 || weft_current_pool() != array->pool)
        return weft_array_data(array);
    return array->areas[weft_current_node()].start;
}
