/* The scans of a partition are bounded, so a function that contradicts itself cannot lead them away. Items are only ever swapped. */
#include "parallel/quicksort.h"

#include "weft/fork.h"

#define SMALL 16u                /* items that are sorted by insertion */
#define FORKED ((size_t)4 << 10) /* items that are worth a task */

static void swap(const struct wf_order *order, char *a, char *b) {
    wf_swap(a, b, order->bytes);
}

static void insert(const struct wf_order *order, char *items, size_t count) {
    size_t bytes = order->bytes;
    for (size_t i = 1; i < count; i++)
        for (size_t at = i; at && wf_before(order, items + at * bytes, items + (at - 1) * bytes); at--)
            swap(order, items + at * bytes, items + (at - 1) * bytes);
}

static void sift(const struct wf_order *order, char *items, size_t root, size_t count) {
    size_t bytes = order->bytes;
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && wf_before(order, items + child * bytes, items + (child + 1) * bytes))
            child++;
        if (!wf_before(order, items + root * bytes, items + child * bytes))
            return;
        swap(order, items + root * bytes, items + child * bytes);
    }
}

static void heap_sort(const struct wf_order *order, char *items, size_t count) {
    for (size_t root = count / 2; root-- > 0;)
        sift(order, items, root, count);
    for (size_t last = count; last-- > 1;) {
        swap(order, items, items + last * order->bytes);
        sift(order, items, 0, last);
    }
}

static char *middle(const struct wf_order *order, char *a, char *b, char *c) {
    if (wf_before(order, b, a))
        return wf_before(order, c, b) ? b : wf_before(order, c, a) ? c : a;
    return wf_before(order, b, c) ? b : wf_before(order, a, c) ? c : a;
}

static char *choose_pivot(const struct wf_order *order, char *items, size_t count) {
    size_t step = count / 8 * order->bytes;
    if (count < 128)
        return middle(order, items, items + 4 * step, items + (count - 1) * order->bytes);
    return middle(order, middle(order, items, items + step, items + 2 * step),
                  middle(order, items + 3 * step, items + 4 * step, items + 5 * step),
                  middle(order, items + 6 * step, items + 7 * step, items + (count - 1) * order->bytes));
}

/* Where the pivot ends up: nothing before it is after it, nothing after it before. Equal items are shared out to both sides. */
static size_t partition(const struct wf_order *order, char *items, size_t count) {
    size_t bytes = order->bytes, low = 1, high = count - 1;
    swap(order, items, choose_pivot(order, items, count));
    for (;; low++, high--) {
        while (low <= high && wf_before(order, items + low * bytes, items))
            low++;
        while (low <= high && wf_before(order, items, items + high * bytes))
            high--;
        if (low >= high)
            break;
        swap(order, items + low * bytes, items + high * bytes);
    }
    if (low == high)
        high--; /* equal to the pivot: it may stay above it */
    swap(order, items, items + high * bytes);
    return high;
}

static void sort_serial(const struct wf_order *order, char *items, size_t count, unsigned bad) {
    while (count > SMALL) {
        if (!bad--) {
            heap_sort(order, items, count);
            return;
        }
        size_t at = partition(order, items, count), after = count - at - 1;
        char *high = items + (at + 1) * order->bytes;
        if (at < after) {
            sort_serial(order, items, at, bad);
            items = high;
            count = after;
        } else {
            sort_serial(order, high, after, bad);
            count = at;
        }
    }
    insert(order, items, count);
}

WEFT_VOID_TASK(quicksort, (const struct wf_order *, order), (char *, items), (size_t, count), (unsigned, bad)) {
    if (count <= FORKED || !bad) {
        sort_serial(order, items, count, bad);
        return;
    }
    size_t at = partition(order, items, count);
    WEFT_SPAWN(quicksort, order, items, at, bad - 1);
    WEFT_CALL(quicksort, order, items + (at + 1) * order->bytes, count - at - 1, bad - 1);
    WEFT_SYNC(quicksort);
}

weft_status wf_quicksort(weft_pool *pool, const struct wf_order *order, char *items, size_t count) {
    unsigned levels = 0;
    for (size_t left = count; left; left /= 2)
        levels++;
    return WEFT_RUN_VOID(pool, quicksort, order, items, count, 2 * levels);
}
