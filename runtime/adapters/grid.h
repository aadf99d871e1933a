/*
 * A grid of items in one to six dimensions, some of them cut into tiles, and one call that runs it. What pthreadpool's functions have
 * in common; each of them is a grid and the types of its arguments.
 */
#ifndef WF_ADAPTERS_GRID_H
#define WF_ADAPTERS_GRID_H

#include <stdbool.h>

#include "weft/loop.h"

#define WF_GRID_DIMENSIONS 6

struct wf_grid {
    /* Calls `function` for the item that begins at `at` and has `size`; both with a value for each dimension. */
    void (*item)(const struct wf_grid *grid, const size_t *at, const size_t *size);
    void (*function)(void); /* `item` knows its type */
    void *context;
    uint32_t uarch; /* for functions that take one */
    unsigned dimensions;
    size_t range[WF_GRID_DIMENSIONS]; /* dimension 0 varies slowest */
    size_t tile[WF_GRID_DIMENSIONS];  /* edge of an item; 0: 1. The last item of a dimension may be shorter */
};

/*
 * Run every item once and wait for the end. An item is claimed when a thread is free for it, so a long one delays no other. On the
 * caller alone with a NULL pool, and where the pool takes no loops: in a child of fork(), or because it ends.
 *
 * Items see denormal numbers as the caller does, whichever thread they run on; as zeros with flush_denormals, where the
 * processor can do that. Threads: any, concurrently, also inside items.
 */
void wf_grid_run(weft_pool *pool, const struct wf_grid *grid, bool flush_denormals);

#endif
