/*
 * What an array is made of, shared by the files of this room: array.c (life), layout.c (who owns which bytes, and the
 * memory policy), touch.c (making pages present), migrate.c (moving them), locality.c (loops over arrays), placement.c (where pages
 * are).
 * Threading: everything is fixed after weft_array_create(); the items belong to the caller.
 */
#ifndef WF_ARRAY_ARRAY_H
#define WF_ARRAY_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "memory/pages.h"
#include "weft/array.h"

struct weft_array {
    weft_pool *pool;
    const weft_plan_node *nodes; /* the plan's */
    unsigned node_count, worker_count;
    bool this_system; /* the plan's nodes are nodes of this machine */
    size_t n, item_bytes;
    weft_array_options options;
    const weft_plan_memory_node *memory_node; /* ON_MEMORY_NODE: the plan's; else NULL */
    size_t unit;                              /* bytes: parts of different workers begin in different multiples of it */
    size_t *bounds;                           /* worker i owns items [bounds[i], bounds[i + 1]); worker_count + 1 values */
    bool policy;           /* the kernel was told where the pages belong; otherwise whoever touches first decides */
    unsigned copies;       /* REPLICATED: node_count, else 1 */
    struct wf_area *areas; /* one per copy */
    const char *reason;    /* why less is granted than asked, "" if nothing is amiss; static */
};

/* Reserve one copy with the pages that the options ask for, or less where the area's reason says so. */
weft_status wf_array_reserve(const weft_array *array, struct wf_area *area);

/* Set unit and bounds; the areas are reserved. */
void wf_array_lay_out(weft_array *array);

/* First byte, in its area, of the part that begins with item `bound`: pages belong to the part whose items begin in them. */
size_t wf_array_byte(const weft_array *array, size_t bound);

/*
 * Tell the kernel where the pages belong; strict: on one node and nowhere else. Only an array whose options are strict fails
 * (WEFT_ESTRICT), others keep the reason.
 */
weft_status wf_array_bind(weft_array *array, bool strict);

/* OS index of the node where workers of node k have their memory: of the plan, or where they have moved since. -1: none. */
int wf_array_home(const weft_array *array, unsigned k);

/* Whether OS node `os_node` is that, or the node itself where it borrows memory from another. */
bool wf_array_is_home(const weft_array *array, unsigned k, int os_node);

/* Whether all pages belong on one node: of the pool, or a memory-only one. */
bool wf_array_is_on_one(const weft_array *array);

/* Whether a page on OS node `os_node` is where the pages of node k belong (its part, its copy; the one node there is). */
bool wf_array_belongs(const weft_array *array, unsigned k, int os_node);

/* Whether node k is among the nearest to the array's memory-only node. */
bool wf_array_is_nearest(const weft_array *array, unsigned k);

#endif
