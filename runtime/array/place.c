/*
 * From options to nodes: what a place means for the nodes of a plan. Which bytes that gives to whom is in layout.c.
 *
 * Turns of weighted arrays are spread: after each turn every node is owed its weight, and the one that is owed most comes next
 * and pays the sum of all weights. A period holds each node as often as its weight says, and no node waits longer than it must.
 */
#include <stdio.h>
#include <stdlib.h>

#include "array/array.h"
#include "base/status.h"

#define MOST_WEIGHT 1000

static weft_status check_weights(const weft_array_options *options, unsigned nodes) {
    unsigned sum = 0;
    if (options->place != WEFT_WEIGHTED)
        return options->weights || options->weight_count
                   ? wf_fail(WEFT_EINVAL, "weights are for place WEFT_WEIGHTED, and this one is %d", (int)options->place)
                   : WEFT_OK;
    if (!options->weights || options->weight_count != nodes)
        return wf_fail(WEFT_EINVAL, "%u weights%s: WEFT_WEIGHTED takes one for each of the pool's %u nodes",
                       options->weight_count, options->weights ? "" : " at NULL", nodes);
    for (unsigned k = 0; k < nodes; k++) {
        if (options->weights[k] > MOST_WEIGHT)
            return wf_fail(WEFT_EINVAL, "weight %u of node %u: a weight is at most %d", options->weights[k], k, MOST_WEIGHT);
        sum += options->weights[k];
    }
    return sum ? WEFT_OK : wf_fail(WEFT_EINVAL, "all %u weights are 0: at least one node has pages", nodes);
}

static weft_status check_node(const weft_array_options *options, const weft_plan *plan) {
    unsigned nodes, memory_nodes;
    weft_plan_nodes(plan, &nodes);
    weft_plan_memory_nodes(plan, &memory_nodes);
    if (options->place == WEFT_ON_NODE && options->node >= nodes)
        return wf_fail(WEFT_EINVAL, "node %u: the pool's nodes are 0 to %u", options->node, nodes - 1);
    if (options->place == WEFT_ON_MEMORY_NODE && !memory_nodes)
        return wf_fail(WEFT_EINVAL, "memory node %u: the plan has no node with memory and without workers", options->node);
    if (options->place == WEFT_ON_MEMORY_NODE && options->node >= memory_nodes)
        return wf_fail(WEFT_EINVAL, "memory node %u: the plan's memory-only nodes are 0 to %u", options->node, memory_nodes - 1);
    return WEFT_OK;
}

weft_status wf_place_check(const weft_array_options *options, const weft_plan *plan) {
    unsigned nodes;
    weft_plan_nodes(plan, &nodes);
    if ((unsigned)options->place > WEFT_WEIGHTED)
        return wf_fail(WEFT_EINVAL,
                       "place is %d: it is one of WEFT_PARTITIONED, INTERLEAVED, ON_NODE, REPLICATED, ON_MEMORY_NODE, WEIGHTED",
                       (int)options->place);
    if ((unsigned)options->pages > WEFT_PAGES_1G)
        return wf_fail(WEFT_EINVAL, "pages is %d: it is one of WEFT_PAGES_DEFAULT, BASE, THP, HUGE, 2M, 1G", (int)options->pages);
    weft_status status = check_node(options, plan);
    return status == WEFT_OK ? check_weights(options, nodes) : status;
}

const char *wf_place_name(const weft_array *array, char *text, size_t room) {
    if (array->options.place == WEFT_ON_NODE || array->options.place == WEFT_ON_MEMORY_NODE)
        snprintf(text, room, "%snode %u", array->memory ? "memory " : "", array->options.node);
    else
        snprintf(text, room, "the node of each %s", array->turns ? "turn" : array->copies > 1 ? "copy" : "part");
    return text;
}

static unsigned common_divisor(unsigned a, unsigned b) {
    while (b) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static unsigned most_owed(const long *owed, unsigned nodes) {
    unsigned most = 0;
    for (unsigned k = 1; k < nodes; k++)
        if (owed[k] > owed[most])
            most = k;
    return most;
}

/* weights NULL: all equal. */
static weft_status make_turns(weft_array *array, const unsigned *weights) {
    unsigned nodes = array->node_count, divisor = 0;
    for (unsigned k = 0; k < nodes; k++)
        divisor = common_divisor(weights ? weights[k] : 1, divisor);
    for (unsigned k = 0; k < nodes; k++)
        array->period += (weights ? weights[k] : 1) / divisor;
    array->turns = calloc(array->period, sizeof *array->turns);
    long *owed = calloc(nodes, sizeof *owed);
    for (unsigned turn = 0; array->turns && owed && turn < array->period; turn++) {
        for (unsigned k = 0; k < nodes; k++)
            owed[k] += (weights ? weights[k] : 1) / divisor;
        array->turns[turn] = most_owed(owed, nodes);
        owed[array->turns[turn]] -= array->period;
    }
    bool made = array->turns && owed;
    free(owed);
    return made ? WEFT_OK : wf_fail(WEFT_ENOMEM, "no memory for the turns of %u nodes", nodes);
}

static weft_status use_memory_node(weft_array *array, const weft_plan_memory_node *node) {
    array->memory = calloc(array->node_count, sizeof *array->memory);
    if (!array->memory)
        return wf_fail(WEFT_ENOMEM, "no memory to list %u nodes", array->node_count);
    for (unsigned k = 0; k < array->node_count; k++)
        array->memory[k] = node;
    return WEFT_OK;
}

weft_status wf_place_resolve(weft_array *array, const weft_array_options *options) {
    array->shares = calloc(array->node_count, sizeof *array->shares);
    if (!array->shares)
        return wf_fail(WEFT_ENOMEM, "no memory to list %u nodes", array->node_count);
    for (unsigned k = 0; k < array->node_count; k++)
        array->shares[k] = options->place != WEFT_ON_NODE || options->node == k;
    array->exact = options->place == WEFT_WEIGHTED || (options->place == WEFT_INTERLEAVED && options->strict);
    if (options->place == WEFT_WEIGHTED || options->place == WEFT_INTERLEAVED)
        return make_turns(array, options->weights);
    if (options->place == WEFT_ON_MEMORY_NODE)
        return use_memory_node(array, &weft_plan_memory_nodes(weft_pool_plan(array->pool), NULL)[options->node]);
    return WEFT_OK;
}
