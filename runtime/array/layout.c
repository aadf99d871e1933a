/*
 * Who owns which bytes of an array, and the memory policy that goes with it.
 *
 * A part begins with an item whose first byte lies in a unit (a page, or a huge page) that belongs to the part. A unit that
 * an item of the part before reaches into belongs to the later part. Parts of equal arrays are equal: the split is
 * weft_partition() over units, so arrays of base pages whose items divide a page are split like a FIRST_TOUCH loop.
 *
 * Units are huge pages only where workers of several nodes share the array, and transparent ones only when every worker has
 * at least 4 of them (fewer would make the parts too unequal): otherwise one huge page would hold parts of two nodes.
 */
#include "array/array.h"

#include <stdlib.h>

#include "base/status.h"
#include "machine/binding.h"
#include "scheduler/pool.h"

#define DEFAULT_THP_BYTES ((size_t)4 << 20)
#define UNITS_PER_WORKER 4

#define SMALL_PARTS "parts smaller than 4 huge pages: base pages, so that every part lies with its worker"
#define SMALL_PARTS_NO_HUGE                                                                                                      \
    "not enough reserved huge pages are free (vm.nr_hugepages), and parts smaller than 4 transparent ones: base pages"
#define BIND_UNSUPPORTED "memory cannot be bound here (mbind unsupported, or no such node): the worker that touches first decides"
#define BIND_REFUSED "mbind was refused (seccomp, container): the worker that touches first decides"
#define BIND_FOREIGN "the topology is not this machine's: nothing is bound, and pages lie where the kernel puts them"

/* Whether parts may not share a page, because they lie on different nodes. */
static bool parts_lie_apart(const weft_array *array) {
    return array->options.place == WEFT_PARTITIONED && array->node_count > 1;
}

/* Whether a transparent huge page would be too much of a part. */
static bool parts_are_small(const weft_array *array) {
    size_t bytes = array->n * array->item_bytes;
    return parts_lie_apart(array) && bytes / UNITS_PER_WORKER / array->worker_count < wf_thp_bytes();
}

static weft_status reserve_base(const weft_array *array, struct wf_area *area, const char *reason) {
    weft_status status = wf_area_reserve(area, array->n * array->item_bytes, WEFT_PAGES_BASE);
    area->reason = reason;
    return status;
}

weft_status wf_array_reserve(const weft_array *array, struct wf_area *area) {
    weft_pages pages = array->options.pages;
    size_t bytes = array->n * array->item_bytes;
    if (pages == WEFT_PAGES_DEFAULT)
        pages = bytes >= DEFAULT_THP_BYTES ? WEFT_PAGES_THP : WEFT_PAGES_BASE;
    if (pages == WEFT_PAGES_THP && parts_are_small(array))
        return reserve_base(array, area, SMALL_PARTS);
    weft_status status = wf_area_reserve(area, bytes, pages);
    if (status != WEFT_OK || pages != WEFT_PAGES_HUGE || area->pages != WEFT_PAGES_THP || !parts_are_small(array))
        return status;
    wf_area_release(area);
    return reserve_base(array, area, SMALL_PARTS_NO_HUGE);
}

/* First item of part `index` of `parts`. Items larger than a unit are dealt out whole. */
static size_t part_begin(const weft_array *array, unsigned parts, unsigned index) {
    if (array->item_bytes > array->unit)
        return weft_partition(array->n, parts, 1, index);
    size_t units = (array->n * array->item_bytes - 1) / array->unit + 1;
    size_t byte = weft_partition(units, parts, 1, index) * array->unit;
    size_t item = (byte + array->item_bytes - 1) / array->item_bytes;
    return item < array->n ? item : array->n;
}

void wf_array_lay_out(weft_array *array) {
    array->unit = parts_lie_apart(array) ? array->areas[0].page_bytes : wf_page_bytes();
    unsigned first = 0, count = array->worker_count;
    if (array->options.place == WEFT_ON_NODE) {
        first = array->nodes[array->options.node].first_worker;
        count = array->nodes[array->options.node].worker_count;
    }
    for (unsigned worker = 0; worker <= array->worker_count; worker++) {
        unsigned index = worker < first ? 0 : worker - first;
        array->bounds[worker] = part_begin(array, count, index < count ? index : count);
    }
}

size_t wf_array_byte(const weft_array *array, size_t bound) {
    return bound == array->n ? array->areas[0].bytes : bound * array->item_bytes / array->unit * array->unit;
}

static weft_status bind_node(weft_array *array, unsigned node, struct wf_area *area, size_t first, size_t last, bool strict) {
    if (first == last)
        return WEFT_OK;
    if (last == area->bytes)
        last = area->mapped; /* mbind cannot split a mapping inside a reserved huge page */
    const weft_plan *plan = weft_pool_plan(array->pool);
    return wf_bind_memory(plan, (char *)area->start + first, last - first, wf_array_home(array, node), strict);
}

/*
 * Each node's stretch of a partitioned array (workers of a node are neighbours, so their parts are one stretch), or its copy
 * of a replicated one. A node that cannot be bound to keeps no other from it; the last failure is returned.
 */
static weft_status bind_nodes(weft_array *array) {
    weft_status all = WEFT_OK;
    for (unsigned k = 0; k < array->node_count; k++) {
        unsigned worker = array->nodes[k].first_worker;
        struct wf_area *area = &array->areas[array->copies > 1 ? k : 0];
        size_t first = 0, last = area->bytes;
        if (array->options.place == WEFT_PARTITIONED) {
            first = wf_array_byte(array, array->bounds[worker]);
            last = wf_array_byte(array, array->bounds[worker + array->nodes[k].worker_count]);
        }
        weft_status status = bind_node(array, k, area, first, last, false);
        all = status == WEFT_OK ? all : status;
    }
    return all;
}

static weft_status bind_interleaved(weft_array *array) {
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

static weft_status bind_place(weft_array *array, bool strict) {
    struct wf_area *area = &array->areas[0];
    switch (array->options.place) {
    case WEFT_INTERLEAVED:
        return bind_interleaved(array);
    case WEFT_ON_NODE:
        return bind_node(array, array->options.node, area, 0, area->bytes, strict);
    case WEFT_ON_MEMORY_NODE:
        return wf_bind_memory(weft_pool_plan(array->pool), area->start, area->mapped, array->memory_node->os_index, strict);
    case WEFT_PARTITIONED:
    case WEFT_REPLICATED:
        break;
    }
    return bind_nodes(array);
}

weft_status wf_array_bind(weft_array *array, bool strict) {
    weft_status status = bind_place(array, strict);
    array->policy = status == WEFT_OK;
    if (array->policy)
        return WEFT_OK;
    if (array->options.strict && wf_array_is_on_one(array))
        return wf_fail(WEFT_ESTRICT, "the array cannot be bound to %s %u: %s", array->memory_node ? "memory node" : "node",
                       array->options.node, weft_error_detail());
    if (!array->this_system)
        array->reason = BIND_FOREIGN;
    else
        array->reason = status == WEFT_EPERM ? BIND_REFUSED : BIND_UNSUPPORTED;
    return WEFT_OK;
}

int wf_array_home(const weft_array *array, unsigned k) {
    return wf_pool_memory_node(array->pool, k);
}

bool wf_array_is_home(const weft_array *array, unsigned k, int os_node) {
    const weft_plan_node *node = &array->nodes[k];
    int home = wf_array_home(array, k);
    return os_node >= 0 && (os_node == home || (home == node->memory_node && os_node == node->os_index));
}

bool wf_array_is_on_one(const weft_array *array) {
    return array->options.place == WEFT_ON_NODE || array->options.place == WEFT_ON_MEMORY_NODE;
}

bool wf_array_belongs(const weft_array *array, unsigned k, int os_node) {
    return array->memory_node ? os_node == array->memory_node->os_index : wf_array_is_home(array, k, os_node);
}

bool wf_array_is_nearest(const weft_array *array, unsigned k) {
    const weft_plan_memory_node *memory = array->memory_node;
    for (unsigned i = 0; i < memory->nearest_count; i++)
        if (memory->nearest[i] == array->nodes[k].os_index)
            return true;
    return false;
}
