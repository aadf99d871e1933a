/* What there is of a node pool, for weft_node_stats() and weft_node_class_stats(). Threading: any thread; takes the locks it needs. */
#ifndef WF_MEMORY_NODE_STATS_H
#define WF_MEMORY_NODE_STATS_H

#include "memory/node_pool.h"

/* Of a node whose node pool may not have been made. */
void wf_node_memory_stats(struct wf_node_memory *memory, unsigned node, weft_node_memory *stats);
void wf_node_memory_class_stats(struct wf_node_memory *memory, unsigned node, unsigned size_class, weft_class_memory *stats);

#endif
