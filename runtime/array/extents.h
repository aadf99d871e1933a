/*
 * Where the items of an array lie: runs of items whose pages are on one node, asked from the kernel. An item lies where its
 * first byte does.
 * Threading: a list belongs to whoever asked for it; it is the truth of the moment it was asked.
 */
#ifndef WF_ARRAY_EXTENTS_H
#define WF_ARRAY_EXTENTS_H

#include "array/array.h"

/* Items from `first` up to the next extent's are on OS node `node`, or WF_NODE_ABSENT. */
struct wf_extent {
    size_t first;
    int node;
};

/* In order; the first begins with item 0. None: nothing is known. */
struct wf_extents {
    size_t item_bytes, head; /* the first item begins `head` bytes into the first page */
    size_t count, room;
    struct wf_extent *list;
    bool failed; /* no memory for more */
};

/*
 * Ask for one copy of the array. Adopted arrays: every page, by all workers where there are many, since these may lie in any
 * order; others: a sample, as wf_placement_visit() without exact. WEFT_EPERM, WEFT_ENOTSUP: the kernel refuses; WEFT_ENOMEM; for
 * adopted arrays also as weft_for(). In an error there are no extents.
 */
weft_status wf_extents_ask(const weft_array *array, unsigned copy, struct wf_extents *extents);
void wf_extents_release(struct wf_extents *extents);

/* Page `page` of the array and those behind it are on `node`; pages come in order. */
void wf_extents_add(struct wf_extents *extents, size_t page, int node);

/* The extent that holds an item. There is at least one. */
size_t wf_extents_find(const struct wf_extents *extents, size_t item);

#endif
