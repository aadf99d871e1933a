/* How items are ordered by a function, and swapped: what the sorts have in common. */
#ifndef WF_PARALLEL_ORDER_H
#define WF_PARALLEL_ORDER_H

#include <stdbool.h>
#include <string.h>

#include "weft/sort.h"

struct wf_order {
    weft_compare_fn compare;
    void *arg;
    size_t bytes; /* of an item */
};

#define WF_SWAPPED 64 /* bytes of an item that are moved at once; larger ones need no more stack for that */
#define WF_ORDER_INLINE static inline __attribute__((always_inline))

WF_ORDER_INLINE bool wf_before(const struct wf_order *order, const char *a, const char *b) {
    return order->compare(a, b, order->arg) < 0;
}

/* a may be b. */
static inline void wf_swap(char *a, char *b, size_t bytes) {
    char held[WF_SWAPPED];
    for (size_t at = 0, most; at < bytes; at += most) {
        most = bytes - at < sizeof held ? bytes - at : sizeof held;
        memcpy(held, a + at, most);
        memmove(a + at, b + at, most);
        memcpy(b + at, held, most);
    }
}

#endif
