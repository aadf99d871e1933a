/*
 * The serial half of the merge sort: short runs are sorted and merged here, without branches on what a comparison says. Compiled
 * once for each common size of an item. Holds no weft concept; sort.c cuts and forks.
 *
 * A function that contradicts itself cannot do harm: every read is bounded by counts, and a merge from both ends that do not
 * meet where they should is done again from one.
 */
#ifndef WF_PARALLEL_MERGE_H
#define WF_PARALLEL_MERGE_H

#include "parallel/order.h"

/* Two sorted runs, and where both together go; `out` overlaps neither. Of equal items those on the left come first. */
struct wf_merge {
    const char *left, *right;
    size_t left_count, right_count;
    char *out;
};

#define WF_INSERTED 8 /* so few are sorted by insertion */

/* `bytes` is order->bytes in all of them; a constant where it is common. Items are compared where they are, and then moved in pieces. */
WF_ORDER_INLINE void wf_insert(const struct wf_order *order, char *items, size_t count, size_t bytes) {
    for (size_t i = 1; i < count; i++) {
        size_t at = i;
        while (at && wf_before(order, items + i * bytes, items + (at - 1) * bytes))
            at--;
        for (size_t piece = 0; at < i && piece < bytes; piece += WF_SWAPPED) {
            size_t most = bytes - piece < WF_SWAPPED ? bytes - piece : WF_SWAPPED;
            char held[WF_SWAPPED];
            memcpy(held, items + i * bytes + piece, most);
            for (size_t to = i; to > at; to--)
                memcpy(items + to * bytes + piece, items + (to - 1) * bytes + piece, most);
            memcpy(items + at * bytes + piece, held, most);
        }
    }
}

/* From the left; the rest of `merge`, which may be all of it. */
WF_ORDER_INLINE void wf_merge_forward(const struct wf_order *order, const struct wf_merge *merge, size_t bytes) {
    const char *left = merge->left, *left_end = left + merge->left_count * bytes;
    const char *right = merge->right, *right_end = right + merge->right_count * bytes;
    char *out = merge->out;
    while (left != left_end && right != right_end) {
        bool from_right = wf_before(order, right, left);
        memcpy(out, from_right ? right : left, bytes);
        right += from_right ? bytes : 0;
        left += from_right ? 0 : bytes;
        out += bytes;
    }
    memcpy(out, left, (size_t)(left_end - left));
    out += left_end - left;
    memcpy(out, right, (size_t)(right_end - right));
}

/*
 * From both ends at once, as far as the shorter run reaches: 2 comparisons that do not wait for each other. Before step i the front
 * has taken i items, so that neither run is at its end; the same holds at the back. True: *rest is what is left between. False:
 * comparisons contradicted each other.
 */
WF_ORDER_INLINE bool wf_merge_ends(const struct wf_order *order, const struct wf_merge *merge, struct wf_merge *rest,
                                   size_t bytes) {
    size_t steps = merge->left_count < merge->right_count ? merge->left_count : merge->right_count;
    const char *left = merge->left, *right = merge->right;
    const char *left_back = left + merge->left_count * bytes, *right_back = right + merge->right_count * bytes;
    char *out = merge->out, *out_back = out + (merge->left_count + merge->right_count) * bytes;
    for (size_t i = 0; i < steps; i++) {
        bool from_right = wf_before(order, right, left);
        memcpy(out, from_right ? right : left, bytes);
        right += from_right ? bytes : 0;
        left += from_right ? 0 : bytes;
        out += bytes;
        bool from_left = wf_before(order, right_back - bytes, left_back - bytes);
        out_back -= bytes;
        memcpy(out_back, (from_left ? left_back : right_back) - bytes, bytes);
        left_back -= from_left ? bytes : 0;
        right_back -= from_left ? 0 : bytes;
    }
    if (left > left_back || right > right_back)
        return false;
    *rest = (struct wf_merge){left, right, (size_t)(left_back - left) / bytes, (size_t)(right_back - right) / bytes, out};
    return true;
}

WF_ORDER_INLINE void wf_merge_runs(const struct wf_order *order, const struct wf_merge *merge, size_t bytes) {
    size_t left_bytes = merge->left_count * bytes, right_bytes = merge->right_count * bytes;
    struct wf_merge rest;
    if (!left_bytes || !right_bytes || !wf_before(order, merge->right, merge->left + left_bytes - bytes)) {
        memcpy(merge->out, merge->left, left_bytes);
        memcpy(merge->out + left_bytes, merge->right, right_bytes);
    } else if (wf_before(order, merge->right + right_bytes - bytes, merge->left)) {
        memcpy(merge->out, merge->right, right_bytes);
        memcpy(merge->out + right_bytes, merge->left, left_bytes);
    } else if (wf_merge_ends(order, merge, &rest, bytes)) {
        wf_merge_forward(order, &rest, bytes);
    } else {
        wf_merge_forward(order, merge, bytes);
    }
}

/* Sort the run: it stays in `items`, or goes to `room`. Bottom-up from runs of WF_INSERTED; both are as large. */
WF_ORDER_INLINE void wf_sort_run(const struct wf_order *order, char *items, char *room, size_t count, bool to_room,
                                 size_t bytes) {
    unsigned levels = 0;
    for (size_t run = WF_INSERTED; run < count; run *= 2)
        levels++;
    char *from = items, *to = room;
    if (levels % 2 != to_room) { /* so that the last merge goes where it should */
        memcpy(room, items, count * bytes);
        from = room;
        to = items;
    }
    for (size_t first = 0; first < count; first += WF_INSERTED)
        wf_insert(order, from + first * bytes, count - first < WF_INSERTED ? count - first : WF_INSERTED, bytes);
    for (size_t run = WF_INSERTED; run < count; run *= 2) {
        for (size_t first = 0; first < count; first += 2 * run) {
            size_t left = count - first < run ? count - first : run;
            size_t right = count - first - left < run ? count - first - left : run;
            wf_merge_runs(
                order, &(struct wf_merge){from + first * bytes, from + (first + left) * bytes, left, right, to + first * bytes},
                bytes);
        }
        char *swapped = from;
        from = to;
        to = swapped;
    }
}

#endif
