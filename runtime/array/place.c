/*
 * From options to nodes: what a place means for the nodes of a plan. Which bytes that gives to whom is in layout.c.
 *
 * Turns of weighted arrays are spread: after each turn every node is owed its weight, and the one that is owed most comes next
 * and pays the sum of all weights. A period holds each node as often as its weight says, and no node waits longer than it must.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array/array.h"
#include "base/status.h"
#include "machine/devices.h"

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

/* The tiers of the memory-only nodes, as a list. */
static void list_tiers(const weft_plan *plan, char *text, size_t room) {
    unsigned count;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    snprintf(text, room, "%s", weft_tier_name(WEFT_TIER_NORMAL));
    for (weft_tier tier = WEFT_TIER_FAST; tier <= WEFT_TIER_SLOW; tier++)
        for (unsigned i = 0; i < count; i++)
            if (nodes[i].tier == tier) {
                snprintf(text + strlen(text), room - strlen(text), ", %s", weft_tier_name(tier));
                break;
            }
}

static weft_status check_tier(const weft_array_options *options, const weft_plan *plan) {
    unsigned count;
    char tiers[64];
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    if ((unsigned)options->tier > WEFT_TIER_SLOW)
        return wf_fail(WEFT_EINVAL, "tier is %d: it is one of WEFT_TIER_NORMAL, FAST, SLOW", (int)options->tier);
    if (options->place != WEFT_IN_TIER)
        return options->tier == WEFT_TIER_NORMAL
                   ? WEFT_OK
                   : wf_fail(WEFT_EINVAL, "tiers are for place WEFT_IN_TIER, and this one is %d", (int)options->place);
    for (unsigned i = 0; i < count; i++)
        if (nodes[i].tier == options->tier)
            return WEFT_OK;
    if (options->tier == WEFT_TIER_NORMAL)
        return WEFT_OK;
    list_tiers(plan, tiers, sizeof tiers);
    return wf_fail(WEFT_EINVAL, "no memory is %s: the tiers of this plan are %s", weft_tier_name(options->tier), tiers);
}

weft_status wf_place_check(const weft_array_options *options, const weft_plan *plan) {
    unsigned nodes;
    weft_plan_nodes(plan, &nodes);
    if ((unsigned)options->place > WEFT_NEAR_DEVICE)
        return wf_fail(WEFT_EINVAL,
                       "place is %d: it is one of WEFT_PARTITIONED, INTERLEAVED, ON_NODE, REPLICATED, ON_MEMORY_NODE, "
                       "WEIGHTED, IN_TIER, NEAR_DEVICE",
                       (int)options->place);
    if ((unsigned)options->pages > WEFT_PAGES_1G)
        return wf_fail(WEFT_EINVAL, "pages is %d: it is one of WEFT_PAGES_DEFAULT, BASE, THP, HUGE, 2M, 1G", (int)options->pages);
    weft_status status = check_node(options, plan);
    if (status == WEFT_OK && options->device && options->place != WEFT_NEAR_DEVICE)
        return wf_fail(WEFT_EINVAL, "devices are for place WEFT_NEAR_DEVICE, and this one is %d", (int)options->place);
    if (status == WEFT_OK)
        status = check_weights(options, nodes);
    return status == WEFT_OK ? check_tier(options, plan) : status;
}

const char *wf_place_name(const weft_array *array, char *text, size_t room) {
    if (array->options.place == WEFT_ON_NODE || array->options.place == WEFT_ON_MEMORY_NODE)
        snprintf(text, room, "%snode %u", array->memory ? "memory " : "", array->options.node);
    else if (array->memory)
        snprintf(text, room, "the %s node of each part", weft_tier_name(array->options.tier));
    else if (array->options.place == WEFT_NEAR_DEVICE)
        snprintf(text, room, "the nodes near the device");
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

/* How many nodes it is nearest to, if this one is among them, else more than there are. */
static unsigned nearest_count(const weft_plan_memory_node *memory, int os_index) {
    for (unsigned i = 0; i < memory->nearest_count; i++)
        if (memory->nearest[i] == os_index)
            return memory->nearest_count;
    return UINT_MAX;
}

/*
 * The memory-only node of the tier for node k: nearest to it and to as few others as may be; of several such, the k-th, so that nodes
 * which have the same ones share them evenly.
 */
static const weft_plan_memory_node *choose_in_tier(const weft_array *array, weft_tier tier, unsigned k) {
    unsigned count, least = UINT_MAX, equal = 0;
    int os_index = array->nodes[k].os_index;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(weft_pool_plan(array->pool), &count);
    for (unsigned i = 0; i < count; i++)
        if (nodes[i].tier == tier && nearest_count(&nodes[i], os_index) < least)
            least = nearest_count(&nodes[i], os_index);
    for (unsigned i = 0; i < count; i++)
        equal += nodes[i].tier == tier && nearest_count(&nodes[i], os_index) == least;
    unsigned left = equal ? k % equal : 0;
    for (unsigned i = 0; i < count; i++)
        if (nodes[i].tier == tier && nearest_count(&nodes[i], os_index) == least && !left--)
            return &nodes[i];
    return NULL; /* not reached: the tier was checked to have one */
}

static weft_status use_tier(weft_array *array, weft_tier tier) {
    weft_status status = use_memory_node(array, NULL);
    for (unsigned k = 0; status == WEFT_OK && k < array->node_count; k++)
        array->memory[k] = choose_in_tier(array, tier, k);
    return status;
}

static weft_status use_device(weft_array *array, const char *device) {
    const char *reason = "";
    weft_status status = wf_device_nodes(weft_pool_plan(array->pool), device, array->shares, &reason);
    array->reasons[WF_REASON_PLACE] = reason;
    return status == WEFT_OK && *reason && array->options.strict ? wf_fail(WEFT_ESTRICT, "device %s: %s", device, reason)
                                                                 : status;
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
    if (options->place == WEFT_NEAR_DEVICE)
        return use_device(array, options->device);
    if (options->place == WEFT_ON_MEMORY_NODE)
        return use_memory_node(array, &weft_plan_memory_nodes(weft_pool_plan(array->pool), NULL)[options->node]);
    if (options->place == WEFT_IN_TIER && options->tier != WEFT_TIER_NORMAL)
        return use_tier(array, options->tier);
    return WEFT_OK;
}
