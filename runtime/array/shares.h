/*
 * Which items of an adopted array each worker runs: those whose pages lie on its node, wherever in the array they are.
 *
 * The items are put into another order, in which each worker has one range of positions, as the loops need it. A piece is a run
 * of items that are neighbours in both orders; a loop over positions runs its body piece by piece. The workers of a node get
 * equal shares of the items that lie on it, each its share in the order of addresses; items that are local to nobody (absent
 * pages, nodes without workers) are dealt out evenly to all.
 * Cost: time in proportion to the extents, and 16 bytes for each piece (at most extents + 2 per worker).
 * Threading: fixed once made.
 */
#ifndef WF_ARRAY_SHARES_H
#define WF_ARRAY_SHARES_H

#include "array/extents.h"

/* Positions from `at` up to the next piece's are the items from `first` on. */
struct wf_piece {
    size_t at, first;
};

struct wf_shares {
    size_t items,
        positions; /* positions: items, rounded up to whole multiples of `align`; there is nothing behind the last item */
    size_t count;  /* of pieces */
    struct wf_piece *pieces; /* count + 1; the last is the end */
    size_t *bounds;          /* worker i has positions [bounds[i], bounds[i + 1]) */
    bool in_order;           /* positions are items */
};

/* Deal out the items by where they lie (no extents: evenly). Pieces begin at multiples of `align`. NULL: WEFT_ENOMEM, with a text. */
struct wf_shares *wf_shares_make(const weft_array *array, const struct wf_extents *extents, size_t align);
void wf_shares_free(struct wf_shares *shares);

/* A body over positions, as the loops call it: runs `body` over the items. */
struct wf_shared_body {
    const struct wf_shares *shares;
    weft_loop_fn body;
    void *arg;
};
void wf_shares_run(void *shared_body, weft_range positions);

#endif
