/*
 * Stable partition: blocks ask the predicate and count, the counts say where each block's items go, and the blocks are copied there and
 * back. All memory is there, and the predicate has been asked for all items, before the first one moves.
 * Threading: what loops share is written by its block's owner only.
 */
#include <string.h>

#include "base/status.h"
#include "parallel/loop.h"
#include "parallel/workspace.h"
#include "scheduler/pool.h"
#include "weft/algorithm.h"
#include "weft/task.h"

#define BLOCK ((size_t)8 << 10)   /* items */
#define PIECE ((size_t)256 << 10) /* bytes that are copied at once */

struct partition {
    weft_pool *pool;
    weft_predicate_fn predicate;
    void *arg;
    char *items, *room;    /* count of item_bytes each */
    unsigned char *chosen; /* one per item */
    size_t *matches;       /* one per block; then, of all blocks before it */
    size_t count, item_bytes, blocks, matched;
};

static weft_range block(const struct partition *partition, size_t index) {
    size_t first = index * BLOCK;
    return (weft_range){first, partition->count - first < BLOCK ? partition->count : first + BLOCK};
}

static void ask(void *arg, weft_range blocks) {
    const struct partition *partition = arg;
    for (size_t i = blocks.first; i < blocks.last; i++) {
        weft_range items = block(partition, i);
        size_t matches = 0;
        for (size_t at = items.first; at < items.last; at++) {
            partition->chosen[at] = partition->predicate(partition->arg, partition->items + at * partition->item_bytes);
            matches += partition->chosen[at];
        }
        partition->matches[i] = matches;
    }
}

static void move(void *arg, weft_range blocks) {
    const struct partition *partition = arg;
    size_t bytes = partition->item_bytes;
    for (size_t i = blocks.first; i < blocks.last; i++) {
        weft_range items = block(partition, i);
        char *yes = partition->room + partition->matches[i] * bytes;
        char *no = partition->room + (partition->matched + items.first - partition->matches[i]) * bytes;
        for (size_t at = items.first; at < items.last; at++) {
            bool chosen = partition->chosen[at];
            memcpy(chosen ? yes : no, partition->items + at * bytes, bytes);
            yes += chosen ? bytes : 0;
            no += chosen ? 0 : bytes;
        }
    }
}

static void put_back(void *arg, weft_range range) {
    const struct partition *partition = arg;
    size_t first = range.first * partition->item_bytes, last = range.last * partition->item_bytes;
    memcpy(partition->items + first, partition->room + first, last - first);
}

/* Loops in tasks are not refused. */
static void run(void *arg) {
    struct partition *partition = arg;
    (void)wf_loop_run(partition->pool,
                      &(struct wf_loop_request){.n = partition->blocks, .body = ask, .arg = partition, .grain = 1});
    for (size_t i = 0; i < partition->blocks; i++) {
        size_t matches = partition->matches[i];
        partition->matches[i] = partition->matched;
        partition->matched += matches;
    }
    if (!partition->matched || partition->matched == partition->count)
        return;
    (void)wf_loop_run(partition->pool,
                      &(struct wf_loop_request){.n = partition->blocks, .body = move, .arg = partition, .grain = 1});
    (void)wf_loop_run(partition->pool,
                      &(struct wf_loop_request){
                          .n = partition->count, .body = put_back, .arg = partition, .grain = PIECE / partition->item_bytes + 1});
}

static size_t whole_lines(size_t bytes) {
    return (bytes + WF_LINE - 1) / WF_LINE * WF_LINE;
}

weft_status weft_partition_if(weft_pool *pool, void *base, size_t count, size_t item_bytes, weft_predicate_fn predicate,
                              void *arg, size_t *matched) {
    size_t bytes;
    if (!pool || !predicate || !matched || (count && !base))
        return wf_fail(WEFT_EINVAL, "weft_partition_if() needs a pool, items, a predicate and a place for its result, got NULL");
    if (!item_bytes)
        return wf_fail(WEFT_EINVAL, "weft_partition_if() needs the bytes of an item, got 0");
    if (__builtin_mul_overflow(count, item_bytes, &bytes) || bytes > PTRDIFF_MAX)
        return wf_fail(WEFT_EINVAL, "%zu items of %zu bytes exceed the address space", count, item_bytes);
    struct partition partition = {.pool = pool,
                                  .predicate = predicate,
                                  .arg = arg,
                                  .items = base,
                                  .count = count,
                                  .item_bytes = item_bytes,
                                  .blocks = count / BLOCK + (count % BLOCK != 0)};
    struct wf_workspace workspace;
    size_t tables = whole_lines(partition.blocks * sizeof *partition.matches), flags = whole_lines(count);
    weft_status status = wf_workspace_take(&workspace, pool, tables + flags + bytes);
    if (status)
        return status;
    partition.matches = (size_t *)(void *)workspace.start;
    partition.chosen = (unsigned char *)workspace.start + tables;
    partition.room = workspace.start + tables + flags;
    status = weft_run(pool, run, &partition);
    wf_workspace_release(&workspace);
    if (!status)
        *matched = partition.matched;
    return status;
}
