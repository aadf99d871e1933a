/*
 * Firmware matrices are often absent, partial or all one value (virtual machines, many 4-socket boards); then the tree
 * decides. Measured latencies that are all equal say that nodes are equally far, and count. Matrices need not be symmetric: the row is the thief.
 */
#include "machine/distances.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static int query(hwloc_topology_t topology, unsigned *count, struct hwloc_distances_s **list) {
    return hwloc_distances_get_by_type(topology, HWLOC_OBJ_NUMANODE, count, list, HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
}

weft_status wf_matrices_load(struct wf_matrices *matrices, hwloc_topology_t topology) {
    unsigned count = 0;
    matrices->topology = topology;
    if (query(topology, &count, NULL) || !count)
        return WEFT_OK; /* none */
    matrices->list = calloc(count, sizeof *matrices->list);
    if (!matrices->list || query(topology, &count, matrices->list))
        return wf_fail(WEFT_ENOMEM, "no memory for the distances of a plan");
    matrices->count = count;
    return WEFT_OK;
}

void wf_matrices_release(struct wf_matrices *matrices) {
    for (unsigned i = 0; i < matrices->count; i++)
        hwloc_distances_release(matrices->topology, matrices->list[i]);
    free(matrices->list);
    wf_measured_release(matrices->measured);
}

/* Position of a node in the matrix (its objects come in no particular order), -1 if it is not there. */
static int position(const struct hwloc_distances_s *matrix, int os_index) {
    for (unsigned i = 0; i < matrix->nbobjs; i++)
        if (os_index >= 0 && matrix->objs[i] && matrix->objs[i]->os_index == (unsigned)os_index)
            return (int)i;
    return -1;
}

static bool holds_all(const struct wf_matrix *matrix, const int *nodes, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if ((matrix->measured ? wf_measured_position(matrix->measured, nodes[i]) : position(matrix->firmware, nodes[i])) < 0)
            return false;
    return true;
}

static bool is_firmware_latency(const struct wf_matrices *matrices, struct hwloc_distances_s *matrix) {
    const char *name = hwloc_distances_get_name(matrices->topology, matrix);
    return name && !strcmp(name, "NUMALatency");
}

bool wf_matrix_find(const struct wf_matrices *matrices, const int *nodes, unsigned count, struct wf_matrix *found) {
    *found = (struct wf_matrix){.measured = matrices->measured};
    if (found->measured && holds_all(found, nodes, count))
        return true;
    found->measured = NULL;
    for (unsigned i = 0; i < matrices->count; i++) {
        const struct wf_matrix matrix = {.firmware = matrices->list[i]};
        if (!holds_all(&matrix, nodes, count))
            continue;
        if (!found->firmware || is_firmware_latency(matrices, matrices->list[i]))
            *found = matrix;
        if (is_firmware_latency(matrices, matrices->list[i]))
            break;
    }
    return found->firmware;
}

uint64_t wf_matrix_value(const struct wf_matrix *matrix, int from, int to) {
    const struct wf_measured *measured = matrix->measured;
    if (measured)
        return measured->distances[(size_t)wf_measured_position(measured, from) * measured->count +
                                   (size_t)wf_measured_position(measured, to)];
    const struct hwloc_distances_s *firmware = matrix->firmware;
    return firmware->values[(unsigned)position(firmware, from) * firmware->nbobjs + (unsigned)position(firmware, to)];
}

uint64_t wf_tree_distance(const struct wf_homes *homes, hwloc_const_bitmap_t a, hwloc_const_bitmap_t b, hwloc_bitmap_t both) {
    hwloc_bitmap_or(both, a, b);
    hwloc_obj_t cover = hwloc_get_obj_covering_cpuset(homes->topology->hwloc, both);
    if (!cover) /* cannot happen: the machine covers all that is allowed */
        return (uint64_t)hwloc_bitmap_weight(homes->allowed);
    return wf_common_pus(homes->allowed, cover->cpuset);
}

static void fill_from_matrix(uint64_t *distances, const struct wf_matrix *matrix, const int *os_indexes, unsigned count) {
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            distances[from * count + to] = from == to ? 0 : wf_matrix_value(matrix, os_indexes[from], os_indexes[to]);
}

/* A firmware matrix of three or more nodes with one value everywhere says nothing. */
static bool tells_nodes_apart(const uint64_t *distances, unsigned count) {
    if (count <= 2)
        return true;
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            if (from != to && distances[from * count + to] != distances[1])
                return true;
    return false;
}

weft_distance_source wf_distances_fill(uint64_t *distances, const struct wf_homes *homes, const struct wf_matrices *matrices,
                                       const struct wf_home *const *nodes, const int *os_indexes, unsigned count,
                                       hwloc_bitmap_t both) {
    distances[0] = 0;
    if (count < 2)
        return WEFT_DISTANCE_NONE;
    struct wf_matrix matrix;
    if (wf_matrix_find(matrices, os_indexes, count, &matrix)) {
        fill_from_matrix(distances, &matrix, os_indexes, count);
        if (matrix.measured)
            return WEFT_DISTANCE_MEASURED;
        if (tells_nodes_apart(distances, count))
            return WEFT_DISTANCE_MATRIX;
    }
    for (unsigned from = 0; from < count; from++)
        for (unsigned to = 0; to < count; to++)
            distances[from * count + to] = from == to ? 0 : wf_tree_distance(homes, nodes[from]->pus, nodes[to]->pus, both);
    return WEFT_DISTANCE_TREE;
}
