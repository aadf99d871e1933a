/*
 * How far nodes are from each other: by the firmware's latency matrix where it says something, else by the tree.
 * Threading: built by one thread, then immutable.
 */
#ifndef WF_MACHINE_DISTANCES_H
#define WF_MACHINE_DISTANCES_H

#include <hwloc.h>
#include <hwloc/distances.h>
#include <stdint.h>

#include "machine/homes.h"
#include "weft/plan.h"

/* The latency matrices between NUMA nodes that the topology holds, in hwloc's order. */
struct wf_matrices {
    hwloc_topology_t topology;
    struct hwloc_distances_s **list;
    unsigned count;
};

weft_status wf_matrices_load(struct wf_matrices *matrices, hwloc_topology_t topology);
void wf_matrices_release(struct wf_matrices *matrices);

/* The first matrix that holds every one of these OS indexes; one called NUMALatency goes before. NULL: none does. */
const struct hwloc_distances_s *wf_matrix_find(const struct wf_matrices *matrices, const int *nodes, unsigned count);

/* Distance from one node to another of the matrix. */
uint64_t wf_matrix_value(const struct hwloc_distances_s *matrix, int from, int to);

/* Number of allowed PUs below the smallest object that covers both sets; `both` is scratch. */
uint64_t wf_tree_distance(const struct wf_homes *homes, hwloc_const_bitmap_t a, hwloc_const_bitmap_t b, hwloc_bitmap_t both);

/*
 * Distances between the nodes of a plan, distances[from * count + to]; the diagonal is 0. Says where they came from.
 * `both` is scratch.
 */
weft_distance_source wf_distances_fill(uint64_t *distances, const struct wf_homes *homes, const struct wf_matrices *matrices,
                                       const struct wf_home *const *nodes, const int *os_indexes, unsigned count,
                                       hwloc_bitmap_t both);

#endif
