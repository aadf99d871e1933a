/*
 * A node without usable memory of its own (memoryless, its memory disallowed, unnamed) borrows: from the nearest one as it was
 * measured, else from a usable node that shares PUs with it, else from the nearest one. Special memory (HBM, NVM, GPU) comes last.
 * Measured distances go before shared PUs: which PUs share memory that has none of its own, hwloc makes up from the firmware's.
 */
#include "machine/memory_nodes.h"

#include <stdlib.h>
#include <string.h>

#include "machine/tiers.h"

/* Usable node that shares PUs with the home and fits it best. */
static const struct wf_numa *local_memory_of(const struct wf_homes *homes, const struct wf_home *home) {
    const struct wf_numa *best = NULL;
    for (unsigned i = 0; i < homes->numa_count; i++) {
        const struct wf_numa *numa = &homes->numas[i];
        if (numa->usable && hwloc_bitmap_intersects(numa->pus, home->pus) && (!best || wf_numa_compare(numa, best, false) < 0))
            best = numa;
    }
    return best;
}

/* A matrix that holds the home and every usable node; false: there is none, or the home is unnamed. */
static bool find_matrix_to_memory(const struct weft_plan *plan, const struct wf_home *home, int *nodes,
                                  struct wf_matrix *matrix) {
    unsigned count = 0;
    nodes[count++] = home->os_index;
    for (unsigned i = 0; i < plan->homes.numa_count; i++)
        if (plan->homes.numas[i].usable)
            nodes[count++] = (int)plan->homes.numas[i].object->os_index;
    return wf_matrix_find(&plan->matrices, nodes, count, matrix);
}

/* matrix NULL: by the tree. */
static uint64_t distance_to_memory(const struct weft_plan *plan, const struct wf_matrix *matrix, const struct wf_home *home,
                                   const struct wf_numa *numa) {
    if (matrix)
        return wf_matrix_value(matrix, home->os_index, (int)numa->object->os_index);
    if (!numa->pu_count)
        return (uint64_t)hwloc_bitmap_weight(plan->homes.allowed);
    return wf_tree_distance(&plan->homes, home->pus, numa->pus, plan->scratch);
}

static const struct wf_numa *nearest_memory(const struct weft_plan *plan, const struct wf_home *home,
                                            const struct wf_matrix *matrix) {
    const struct wf_numa *best = NULL;
    uint64_t best_distance = 0;
    for (unsigned i = 0; i < plan->homes.numa_count; i++) {
        const struct wf_numa *numa = &plan->homes.numas[i];
        if (!numa->usable)
            continue;
        uint64_t distance = distance_to_memory(plan, matrix, home, numa);
        bool better = !best;
        if (best && numa->special != best->special)
            better = best->special;
        else if (best && distance != best_distance)
            better = distance < best_distance;
        else if (best)
            better = numa->object->os_index < best->object->os_index;
        if (better) {
            best = numa;
            best_distance = distance;
        }
    }
    return best;
}

static const struct wf_numa *borrowed_memory(const struct weft_plan *plan, const struct wf_home *home, int *nodes) {
    struct wf_matrix matrix;
    bool found = find_matrix_to_memory(plan, home, nodes, &matrix);
    const struct wf_numa *local = found && matrix.measured ? NULL : local_memory_of(&plan->homes, home);
    return local ? local : nearest_memory(plan, home, found ? &matrix : NULL);
}

static void node_memory_fill(struct weft_plan *plan, unsigned node, int *nodes) {
    const struct wf_home *home = plan->node_homes[node];
    const struct wf_numa *memory = home->numa;
    bool own = memory && memory->usable;
    if (!own)
        memory = borrowed_memory(plan, home, nodes);
    plan->nodes[node].local_memory = own ? memory->object->attr->numanode.local_memory : 0;
    plan->nodes[node].memory_node = memory ? (int)memory->object->os_index : -1;
}

static bool is_memory_only(const struct weft_plan *plan, const struct wf_numa *numa) {
    for (unsigned i = 0; i < plan->node_count; i++)
        if (plan->node_homes[i]->numa == numa)
            return false;
    return numa->usable;
}

static unsigned list_all(const struct weft_plan *plan, int *list) {
    memcpy(list, plan->node_os_indexes, plan->node_count * sizeof *list);
    return plan->node_count;
}

/* The plan's nodes that share PUs with the memory, all nodes if none does. */
static unsigned list_local(const struct weft_plan *plan, const struct wf_numa *numa, int *list) {
    unsigned count = 0;
    for (unsigned i = 0; i < plan->node_count; i++)
        if (hwloc_bitmap_intersects(plan->node_homes[i]->pus, numa->pus))
            list[count++] = plan->node_os_indexes[i];
    return count ? count : list_all(plan, list);
}

/* A matrix that holds the listed nodes and the memory; `list` has room for one more. */
static bool find_matrix_of(const struct weft_plan *plan, int *list, unsigned count, int os_index, struct wf_matrix *matrix) {
    list[count] = os_index;
    return wf_matrix_find(&plan->matrices, list, count + 1, matrix);
}

/* Of all nodes if all were measured, else of the local ones: those with the lowest latency, if a matrix knows them. */
static unsigned list_nearest(const struct weft_plan *plan, const struct wf_numa *numa, int *list) {
    int os_index = (int)numa->object->os_index;
    unsigned count = list_all(plan, list), kept = 0;
    struct wf_matrix matrix;
    uint64_t least = UINT64_MAX;
    if (!find_matrix_of(plan, list, count, os_index, &matrix) || !matrix.measured) {
        count = list_local(plan, numa, list);
        if (!find_matrix_of(plan, list, count, os_index, &matrix))
            return count;
    }
    for (unsigned i = 0; i < count; i++) {
        uint64_t distance = wf_matrix_value(&matrix, list[i], os_index);
        if (distance < least)
            kept = 0;
        if (distance > least)
            continue;
        least = distance;
        list[kept++] = list[i];
    }
    return kept;
}

static weft_status add_memory_node(struct weft_plan *plan, const struct wf_numa *numa) {
    const char *subtype = numa->object->subtype;
    int *nearest = wf_plan_allocate(plan, plan->node_count + 1, sizeof *nearest);
    if (!nearest)
        return WEFT_ENOMEM;
    unsigned count = list_nearest(plan, numa, nearest);
    plan->memory_nodes[plan->memory_node_count++] = (weft_plan_memory_node){
        .os_index = (int)numa->object->os_index,
        .local_memory = numa->object->attr->numanode.local_memory,
        .subtype = subtype ? subtype : "", /* the topology lives as long as the plan */
        .nearest_count = count,
        .nearest = nearest,
        .tier = wf_tier_of(plan, numa, nearest[0]),
    };
    return WEFT_OK;
}

static int by_os_index(const void *a, const void *b) {
    int x = ((const weft_plan_memory_node *)a)->os_index, y = ((const weft_plan_memory_node *)b)->os_index;
    return x < y ? -1 : x > y;
}

weft_status wf_memory_nodes_fill(struct weft_plan *plan) {
    unsigned numas = plan->homes.numa_count;
    int *nodes = wf_plan_allocate(plan, numas + 1, sizeof *nodes);
    plan->memory_nodes = wf_plan_allocate(plan, numas + 1, sizeof *plan->memory_nodes);
    if (!nodes || !plan->memory_nodes)
        return WEFT_ENOMEM;
    for (unsigned i = 0; i < plan->node_count; i++)
        node_memory_fill(plan, i, nodes);
    for (unsigned i = 0; i < numas; i++)
        if (is_memory_only(plan, &plan->homes.numas[i]) && add_memory_node(plan, &plan->homes.numas[i]))
            return WEFT_ENOMEM;
    qsort(plan->memory_nodes, plan->memory_node_count, sizeof *plan->memory_nodes, by_os_index);
    return WEFT_OK;
}
