/*
 * What a plan holds, for the files of this room. The steps of its making, in order: homes.h (which PUs, which node), select.h
 * (which of them get a worker), distances.h, victims.h (whom to steal from), memory_nodes.h (where the bytes are).
 * Threading: built by one thread, then immutable except for the reference count.
 */
#ifndef WF_MACHINE_PLAN_H
#define WF_MACHINE_PLAN_H

#include "base/compiler.h"
#include "machine/distances.h"
#include "machine/homes.h"
#include "machine/limits.h"
#include "machine/measured.h"
#include "machine/topology.h"
#include "weft/plan.h"

struct wf_block; /* one allocation that lives as long as the plan */

struct weft_plan {
    wf_atomic_u32 references;
    weft_plan_options options; /* strings are the plan's */
    const char *workers_who;   /* where options.workers came from */
    struct wf_topology *topology;
    struct wf_block *blocks;
    struct wf_homes homes;
    struct wf_matrices matrices;
    hwloc_bitmap_t scratch; /* for the builder only */

    struct wf_candidate **chosen; /* per worker: its PU, core, home */
    hwloc_obj_t *caches;          /* per worker: its last-level cache, NULL if none */
    const struct wf_home **node_homes;
    int *node_os_indexes;
    uint64_t *distances; /* node_count x node_count, row = thief */
    int *node_of_cpu;    /* by OS index below cpu_count: index of the plan's node, -1 if none */
    unsigned cpu_count;

    weft_plan_worker *workers;
    unsigned worker_count;
    weft_plan_node *nodes;
    unsigned node_count;
    weft_plan_memory_node *memory_nodes;
    unsigned memory_node_count;
    weft_distance_source distance_source;
    weft_plan_limits limits;
    bool fewer_than_machine; /* fewer workers were asked for than there are cores for them */
};

/* Checked options, those that are zero from the environment; *workers_who is what gave the worker count. */
weft_status wf_plan_read_options(weft_plan_options *options, const weft_plan_options *given, const char **workers_who);

/* Zeroed memory that lives as long as the plan; NULL with the detail text set if there is none. */
void *wf_plan_allocate(struct weft_plan *plan, size_t count, size_t bytes);

/* The same for a formatted sentence. */
WF_PRINTF(2, 3) const char *wf_plan_format(struct weft_plan *plan, const char *format, ...);

#endif
