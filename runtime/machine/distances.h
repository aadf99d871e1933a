/*
 * How far nodes are from each other: as it was measured, else by the firmware's latency matrix where it says something, else by
 * the tree.
 * Threading: built by one thread, then immutable.
 */
#ifndef WF_MACHINE_DISTANCES_H
#define WF_MACHINE_DISTANCES_H

#include <hwloc.h>
#include <hwloc/distances.h>
#include <stdint.h>

#include "machine/homes.h"
#include "machine/measured.h"
#include "weft/plan.h"

/* What is known between NUMA nodes: latencies that were measured, and the latency matrices of the topology, in hwloc's order. */
struct wf_matrices {
    hwloc_topology_t topology;
    struct hwloc_distances_s **list;
    unsigned count;
    struct wf_measured *measured; /* NULL: none */
};

/* One of them: `measured`, else `firmware`. */
struct wf_matrix {
    const struct wf_measured *measured;
    const struct hwloc_distances_s *firmware;
};

/* Those of the topology, beside what was measured. */
weft_status wf_matrices_load(struct wf_matrices *matrices, hwloc_topology_t topology);
void wf_matrices_release(struct wf_matrices *matrices);

/*
 * What holds every one of these OS indexes: what was measured, else the first matrix, of which one called NUMALatency goes before.
 * False: nothing does.
 */
bool wf_matrix_find(const struct wf_matrices *matrices, const int *nodes, unsigned count, struct wf_matrix *matrix);

/* Distance from one node to another of the matrix. */
uint64_t wf_matrix_value(const struct wf_matrix *matrix, int from, int to);

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
