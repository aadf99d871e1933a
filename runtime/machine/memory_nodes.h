/*
 * Where the bytes are: the node each plan node allocates on, and the nodes that have memory but no workers.
 * Threading: part of building a plan.
 */
#ifndef WF_MACHINE_MEMORY_NODES_H
#define WF_MACHINE_MEMORY_NODES_H

#include "machine/plan.h"

/* Fill local_memory and memory_node of every node, and the memory-only nodes. Needs nodes and matrices. WEFT_ENOMEM. */
weft_status wf_memory_nodes_fill(struct weft_plan *plan);

#endif
