/*
 * Sorting by a function: a merge sort that forks its halves and cuts its merges, and a quicksort in place for who has no memory for that.
 * Threading: a sort is shared by its tasks; none writes what another one reads, but for children whose end it has waited for.
 */
#include "weft/sort.h"

#include "base/status.h"
#include "parallel/merge.h"
#include "parallel/quicksort.h"
#include "parallel/workspace.h"
#include "scheduler/pool.h"
#include "weft/fork.h"

#define RUN_BYTES ((size_t)64 << 10)   /* with its room it fits into a core's own cache */
#define RUN_LEAST ((size_t)1 << 10)    /* items, however large */
#define MERGE_PIECE ((size_t)16 << 10) /* items that are merged at once */

static size_t run_items(const struct wf_order *order) {
    size_t fits = RUN_BYTES / order->bytes;
    return fits > RUN_LEAST ? fits : RUN_LEAST;
}

static void merge_piece(const struct wf_order *order, const struct wf_merge *merge) {
    if (order->bytes == 4)
        wf_merge_runs(order, merge, 4);
    else if (order->bytes == 8)
        wf_merge_runs(order, merge, 8);
    else if (order->bytes == 16)
        wf_merge_runs(order, merge, 16);
    else
        wf_merge_runs(order, merge, order->bytes);
}

/* How many of the sorted items come before `item`, or, with `equal`, are not after it. */
static size_t count_before(const struct wf_order *order, const char *items, size_t count, const char *item, bool equal) {
    size_t first = 0;
    while (count) {
        size_t half = count / 2;
        const char *middle = items + (first + half) * order->bytes;
        bool before = equal ? !wf_before(order, item, middle) : wf_before(order, middle, item);
        first = before ? first + half + 1 : first;
        count = before ? count - half - 1 : half;
    }
    return first;
}

/* Cut in the middle of the longer run: all of *low goes ahead of all of *high, and both are shorter. */
static void cut(const struct wf_order *order, const struct wf_merge *whole, struct wf_merge *low, struct wf_merge *high) {
    size_t bytes = order->bytes, left = whole->left_count / 2, right = whole->right_count / 2;
    if (whole->left_count >= whole->right_count)
        right = count_before(order, whole->right, whole->right_count, whole->left + left * bytes, false);
    else
        left = count_before(order, whole->left, whole->left_count, whole->right + right * bytes, true);
    *low = (struct wf_merge){whole->left, whole->right, left, right, whole->out};
    *high = (struct wf_merge){whole->left + left * bytes, whole->right + right * bytes, whole->left_count - left,
                              whole->right_count - right, whole->out + (left + right) * bytes};
}

WEFT_VOID_TASK(merge, (const struct wf_order *, order), (struct wf_merge, whole)) {
    if (whole.left_count + whole.right_count <= MERGE_PIECE) {
        merge_piece(order, &whole);
        return;
    }
    struct wf_merge low, high;
    cut(order, &whole, &low, &high);
    WEFT_SPAWN(merge, order, low);
    WEFT_CALL(merge, order, high);
    WEFT_SYNC(merge);
}

/* Items in order already, or in the opposite one without equal ones, which then are turned round. */
static bool sort_monotonous(const struct wf_order *order, char *items, size_t count) {
    size_t bytes = order->bytes, at = 1;
    bool down = count > 1 && wf_before(order, items + bytes, items);
    while (at < count && wf_before(order, items + at * bytes, items + (at - 1) * bytes) == down)
        at++;
    if (at < count)
        return false;
    for (size_t i = 0; down && i < count / 2; i++)
        wf_swap(items + i * bytes, items + (count - 1 - i) * bytes, bytes);
    return true;
}

static void sort_run(const struct wf_order *order, char *items, char *room, size_t count, bool to_room) {
    size_t bytes = order->bytes;
    if (sort_monotonous(order, items, count)) {
        if (to_room)
            memcpy(room, items, count * bytes);
    } else if (bytes == 4) {
        wf_sort_run(order, items, room, count, to_room, 4);
    } else if (bytes == 8) {
        wf_sort_run(order, items, room, count, to_room, 8);
    } else if (bytes == 16) {
        wf_sort_run(order, items, room, count, to_room, 16);
    } else {
        wf_sort_run(order, items, room, count, to_room, bytes);
    }
}

WEFT_VOID_TASK(sort, (const struct wf_order *, order), (char *, items), (char *, room), (size_t, count), (int, to_room)) {
    if (count <= run_items(order)) {
        sort_run(order, items, room, count, to_room);
        return;
    }
    size_t half = count / 2, at = half * order->bytes;
    WEFT_SPAWN(sort, order, items, room, half, !to_room);
    WEFT_CALL(sort, order, items + at, room + at, count - half, !to_room);
    WEFT_SYNC(sort);
    char *from = to_room ? items : room;
    struct wf_merge whole = {from, from + at, half, count - half, to_room ? room : items};
    WEFT_CALL(merge, order, whole);
}

static weft_status sort_with_room(weft_pool *pool, const struct wf_order *order, char *items, size_t count) {
    struct wf_workspace room;
    weft_status status = wf_workspace_take(&room, pool, count * order->bytes);
    if (status)
        return status;
    if (count <= run_items(order))
        sort_run(order, items, room.start, count, false);
    else
        status = WEFT_RUN_VOID(pool, sort, order, items, room.start, count, 0);
    wf_workspace_release(&room);
    return status;
}

static weft_status check(const char *name, weft_pool *pool, const void *base, size_t count, size_t item_bytes,
                         weft_compare_fn compare) {
    size_t bytes;
    if (!pool || !compare || (count && !base))
        return wf_fail(WEFT_EINVAL, "%s() needs a pool, items and a function that compares, got NULL", name);
    if (!item_bytes)
        return wf_fail(WEFT_EINVAL, "%s() needs the bytes of an item, got 0", name);
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || bytes > PTRDIFF_MAX)
        return wf_fail(WEFT_EINVAL, "%s(): %zu items of %zu bytes exceed the address space", name, count, item_bytes);
    return wf_pool_check(pool);
}

weft_status weft_stable_sort(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_compare_fn compare, void *arg,
                             const weft_sort_options *options) {
    weft_sort_options known = {WEFT_SORT_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_sort_options");
    if (!status)
        status = check("weft_stable_sort", pool, base, count, item_bytes, compare);
    if (status)
        return status;
    if (known.in_place)
        return wf_fail(WEFT_EINVAL, "weft_sort_options.in_place is for weft_sort(): weft_stable_sort() needs room for the items");
    return count < 2 ? WEFT_OK : sort_with_room(pool, &(struct wf_order){compare, arg, item_bytes}, base, count);
}

weft_status weft_sort(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_compare_fn compare, void *arg,
                      const weft_sort_options *options) {
    weft_sort_options known = {WEFT_SORT_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_sort_options");
    if (!status)
        status = check("weft_sort", pool, base, count, item_bytes, compare);
    if (status || count < 2)
        return status;
    struct wf_order order = {compare, arg, item_bytes};
    if (!known.in_place) {
        struct wf_detail kept;
        wf_detail_keep(&kept);
        status = sort_with_room(pool, &order, base, count);
        if (status != WEFT_ENOMEM)
            return status;
        wf_detail_restore(&kept);
    }
    return wf_quicksort(pool, &order, base, count);
}
