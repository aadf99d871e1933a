/*
 * Who owns which bytes of an array.
 *
 * A part begins with an item whose first byte lies in a unit (a page, or a huge page) that belongs to the part. A unit that
 * an item of the part before reaches into belongs to the later part. Parts of equal arrays are equal: the split is
 * weft_partition() over units, so arrays of base pages whose items divide a page are split like a FIRST_TOUCH loop.
 *
 * Units are huge pages only where workers of several nodes share the array, and transparent ones only when every worker has
 * at least 4 of them (fewer would make the parts too unequal): otherwise one huge page would hold parts of two nodes. Where
 * pages go in turn, a unit is whatever page there is; exact turns get transparent huge pages only for at least 4 periods of them.
 */
#include "array/array.h"

#include <stdlib.h>

#include "base/status.h"
#include "scheduler/pool.h"

bool wf_array_lies_apart(const weft_array *array) {
    unsigned first = 0;
    if (array->turns || array->copies > 1 || array->options.place == WEFT_ON_MEMORY_NODE)
        return false;
    while (!array->shares[first])
        first++;
    for (unsigned k = first + 1; k < array->node_count; k++)
        if (array->shares[k] && (!array->memory || array->memory[k] != array->memory[first]))
            return true;
    return false;
}

/* First item of part `index` of `parts`. Items larger than a unit are dealt out whole. */
static size_t part_begin(const weft_array *array, unsigned parts, unsigned index) {
    if (array->item_bytes > array->unit)
        return weft_partition(array->n, parts, 1, index);
    size_t head = array->head % array->unit, units = (head + array->n * array->item_bytes - 1) / array->unit + 1;
    size_t byte = weft_partition(units, parts, 1, index) * array->unit;
    size_t item = byte > head ? (byte - head + array->item_bytes - 1) / array->item_bytes : 0;
    return item < array->n ? item : array->n;
}

/* Workers of nodes that share the array, below `worker`. */
static unsigned sharers_below(const weft_array *array, unsigned worker) {
    unsigned count = 0;
    for (unsigned k = 0; k < array->node_count && array->nodes[k].first_worker < worker; k++) {
        unsigned of_node = worker - array->nodes[k].first_worker;
        if (array->shares[k])
            count += of_node < array->nodes[k].worker_count ? of_node : array->nodes[k].worker_count;
    }
    return count;
}

unsigned wf_array_sharers(const weft_array *array) {
    return sharers_below(array, array->worker_count);
}

void wf_array_lay_out(weft_array *array) {
    array->unit = wf_array_lies_apart(array) ? array->areas[0].page_bytes : wf_page_bytes();
    unsigned count = wf_array_sharers(array);
    for (unsigned worker = 0; worker <= array->worker_count; worker++)
        array->bounds[worker] = part_begin(array, count, sharers_below(array, worker));
    for (unsigned k = 0; k < array->node_count; k++)
        array->stretches[k] = wf_array_byte(array, array->bounds[array->nodes[k].first_worker]);
}

size_t wf_array_byte(const weft_array *array, size_t bound) {
    if (bound == array->n)
        return array->areas[0].bytes;
    size_t byte = (array->head + bound * array->item_bytes) / array->unit * array->unit, lead = wf_array_lead(array);
    return byte > lead ? byte : lead; /* the first unit may begin before the memory does */
}

/* The last node whose stretch does not begin after the byte: those before it that begin there too are empty. */
unsigned wf_array_owner(const weft_array *array, unsigned copy, size_t byte, size_t *end) {
    *end = array->areas[copy].bytes;
    if (array->copies > 1)
        return copy;
    if (array->turns) {
        size_t unit = byte / array->areas[0].page_bytes;
        *end = (unit + 1) * array->areas[0].page_bytes;
        return array->turns[unit % array->period];
    }
    unsigned low = 0, high = array->node_count;
    while (high - low > 1) {
        unsigned middle = low + (high - low) / 2;
        if (array->stretches[middle] <= byte)
            low = middle;
        else
            high = middle;
    }
    if (high < array->node_count)
        *end = array->stretches[high];
    return low;
}

int wf_array_home(const weft_array *array, unsigned k) {
    return wf_pool_memory_node(array->pool, k);
}

bool wf_array_is_home(const weft_array *array, unsigned k, int os_node) {
    const weft_plan_node *node = &array->nodes[k];
    int home = wf_array_home(array, k);
    return os_node >= 0 && (os_node == home || (home == node->memory_node && os_node == node->os_index));
}

int wf_array_target(const weft_array *array, unsigned k) {
    return array->memory ? array->memory[k]->os_index : wf_array_home(array, k);
}

bool wf_array_belongs(const weft_array *array, unsigned k, int os_node) {
    return array->memory ? os_node == array->memory[k]->os_index : wf_array_is_home(array, k, os_node);
}

static bool is_near(const weft_plan_memory_node *memory, int os_index) {
    for (unsigned i = 0; i < memory->nearest_count; i++)
        if (memory->nearest[i] == os_index)
            return true;
    return false;
}

bool wf_array_is_local(const weft_array *array, unsigned k, int os_node) {
    if (wf_array_is_home(array, k, os_node))
        return true;
    for (unsigned other = 0; array->memory && other < array->node_count; other++)
        if (array->memory[other]->os_index == os_node)
            return is_near(array->memory[other], array->nodes[k].os_index);
    return false;
}

bool wf_array_is_nearest(const weft_array *array, unsigned k) {
    return is_near(array->memory[k], array->nodes[k].os_index);
}
