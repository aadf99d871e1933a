/*
 * The kernel's answer to the question on which node pages lie (move_pages(2) without nodes to move to).
 * Threading: any; the answer is that of the moment it was asked.
 */
#ifndef WF_MEMORY_PLACEMENT_H
#define WF_MEMORY_PLACEMENT_H

#include <stddef.h>

#include "weft/memory.h"

/* A page that is not present (or is the shared page of zeros): on no node. */
#define WF_NODE_ABSENT (-1)

/*
 * OS node of the page at each of `count` addresses, or WF_NODE_ABSENT. WEFT_EPERM or WEFT_ENOTSUP: the kernel refuses;
 * WEFT_ENOMEM.
 */
weft_status wf_pages_nodes(void *const *addresses, size_t count, int *nodes);

/* Pages counted by node: the counting half of weft_memory_placement(), for other rooms that count more besides. */
struct wf_node_counts {
    size_t absent, nodes, *per_node;
};

/* Room for `nodes` counts; per_node is only checked: NULL with 0, else not. WEFT_EINVAL, WEFT_ENOMEM. */
weft_status wf_node_counts_init(struct wf_node_counts *counts, const size_t *per_node, size_t nodes);
void wf_node_counts_add(struct wf_node_counts *counts, int node);
/* Release; per_node: where the counts go, NULL: nowhere. */
void wf_node_counts_finish(struct wf_node_counts *counts, size_t *per_node);

/* What placement.reason says when not every page was asked. */
#define WF_PLACEMENT_SAMPLED "more than 65536 pages: one of each stretch of equal length was asked"

/* One page's answer. page counts from the page that holds `start`. */
typedef void (*wf_placement_fn)(void *arg, size_t page, int node);

/*
 * Ask for the pages of [start, start + bytes) and call visit in the order of the pages: for every page up to 65536 of them,
 * else for one page out of each stretch of equal length. Which one of its stretch is scrambled (the same in every call):
 * always the first would see only every second node of pages that lie in turn on several.
 *
 * *pages: pages of the memory, *asked: calls of visit. Errors as wf_pages_nodes(), after some calls of visit.
 */
weft_status wf_placement_visit(const void *start, size_t bytes, wf_placement_fn visit, void *arg, size_t *pages, size_t *asked);

#endif
