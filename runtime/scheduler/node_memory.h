/*
 * The node pools of a pool (memory/node_pool.h), made with the first allocation, and the calls of weft/alloc.h that know the pool.
 * Threading: any thread.
 */
#ifndef WF_SCHEDULER_NODE_MEMORY_H
#define WF_SCHEDULER_NODE_MEMORY_H

#include "memory/node_pool.h"
#include "weft/pool.h"

/* WEFT_EINVAL: no pool, or no such node (nor WEFT_NODE_HOME); WEFT_EFORK. */
weft_status wf_pool_memory_check(const weft_pool *pool, unsigned node);

/* Made if need be. Checks the pool and, unless it is WEFT_NODE_HOME, the node. NULL with a text. */
struct wf_node_memory *wf_pool_memory(weft_pool *pool, unsigned node);

/* With the pool. */
void wf_pool_release_memory(weft_pool *pool);

#endif
