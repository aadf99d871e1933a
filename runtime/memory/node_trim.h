/*
 * Memory of a node pool made present before it is needed, and given back. Free runs keep their pages until more of them are free than
 * the node pool should keep; then those of the longest runs go, whole huge pages only.
 * Threading: under the node pool's lock, or (told so) taking it.
 */
#ifndef WF_MEMORY_NODE_TRIM_H
#define WF_MEMORY_NODE_TRIM_H

#include "memory/node_pool.h"

/* L: if there is too much free memory, give some back. */
void wf_runs_trim(struct wf_node_pool *pool);

/* L: before fresh pages are used: if depots have much, some of it goes back to the spans, and runs become free. */
void wf_depots_trim(struct wf_node_pool *pool);

/* Takes the lock. See weft_node_trim(); the caller has given back what it has itself. */
void wf_node_pool_trim(struct wf_node_pool *pool, size_t keep_bytes);

/* Runs of chunks that are in use while their pages are made present. */
struct wf_reserve {
    struct wf_node_span **spans;
    unsigned count;
    size_t unit; /* bytes: parts for different threads begin at multiples of it */
};

/*
 * Take runs of at least `bytes` in all, and have them backed by pages of a kind (not DEFAULT) once they are touched, or by smaller ones.
 * Takes the lock. WEFT_ENOMEM.
 */
weft_status wf_reserve_take(struct wf_node_pool *pool, size_t bytes, weft_pages pages, struct wf_reserve *reserve);

/* Give them back to be used. made: their pages are present and stay. Takes the lock. */
void wf_reserve_give(struct wf_node_pool *pool, struct wf_reserve *reserve, bool made);

#endif
