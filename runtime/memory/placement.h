/*
 * The kernel's answer to the question on which node pages lie (move_pages(2) without nodes to move to).
 * Threading: any; the answer is that of the moment it was asked.
 */
#ifndef WF_MEMORY_PLACEMENT_H
#define WF_MEMORY_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/memory.h"

/* A page that is not present (or is the shared page of zeros): on no node. */
#define WF_NODE_ABSENT (-1)

/* Pages counted by node: the counting half of weft_memory_placement(), for other rooms that count more besides. */
#define WF_FEW_NODES 64 /* that need no memory from the heap */
struct wf_node_counts {
    size_t absent, nodes, *per_node; /* the last: `few` of the same struct, which therefore stays where it is, or the heap's */
    size_t few[WF_FEW_NODES];
};

/* Room for `nodes` counts; per_node is only checked: NULL with 0, else not. WEFT_EINVAL, WEFT_ENOMEM. */
weft_status wf_node_counts_init(struct wf_node_counts *counts, const size_t *per_node, size_t nodes);
void wf_node_counts_add(struct wf_node_counts *counts, int node, size_t pages);
/* Release; per_node: where the counts go, NULL: nowhere. */
void wf_node_counts_finish(struct wf_node_counts *counts, size_t *per_node);

/* WEFT_EINVAL: no such query. */
weft_status wf_query_check(weft_query query);

/* How much of some memory was asked. Several may be added up. */
struct wf_placement_scope {
    bool exact;          /* given: every page, however many */
    size_t pages, asked; /* pages of the memory; of these, pages that visit was told of */
    bool hidden;         /* pages that are in memory were answered like absent ones */
    unsigned tries;      /* how many absent pages were looked at for that */
};

/* What weft_placement.reason says about it, "" if nothing is amiss; static. */
const char *wf_placement_reason(const struct wf_placement_scope *scope);

/* The answer for `count` pages, at least one, in order, that were asked one after the other and lie on the same node. */
typedef void (*wf_placement_fn)(void *arg, void *const *pages, size_t count, int node);

/*
 * Ask for the pages of [start, start + bytes) and tell visit in the order of the pages: every page, or unless scope->exact is
 * set and of more than 65536 one page out of each stretch of equal length. Which one of its stretch is scrambled (the same in every call):
 * always the first would see only every second node of pages that lie in turn on several.
 *
 * Linux 6.1 answers ENOENT for pages that NUMA balancing has unmapped to see who uses them next (memory without a policy
 * only; seen with Debian's 6.1.192, where arrays in a container without mbind were "absent" right after their touch). They cannot
 * be told apart by asking again, and touching them could move them; so they count as absent, and mincore(2) finds out that it
 * happened.
 *
 * Adds to *scope. WEFT_EPERM or WEFT_ENOTSUP: the kernel refuses; WEFT_ENOMEM: it has no memory; in an error after some calls of visit.
 */
weft_status wf_placement_visit(const void *start, size_t bytes, wf_placement_fn visit, void *arg,
                               struct wf_placement_scope *scope);

/*
 * One call of the kernel: nodes[i] becomes the node of the page that begins at pages[i], or a negative errno. WEFT_EPERM,
 * WEFT_ENOTSUP, WEFT_ENOMEM as above.
 */
weft_status wf_placement_ask(void **pages, int *nodes, size_t count);

/* Whether one of the first pages that were answered without a node is in memory all the same; *tries bounds the looks. */
bool wf_placement_hides(void **pages, const int *nodes, size_t count, unsigned *tries);

#endif
