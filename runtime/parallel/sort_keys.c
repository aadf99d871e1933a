/*
 * Sorting by keys that are numbers. Items of 4, 8 and 16 bytes are sorted as they are; of others pairs of key and number are, by which
 * the items are then gathered. All memory is there before the first item moves.
 * Threading: what loops share is written by its index's owner only.
 */
#include <string.h>

#include "base/status.h"
#include "parallel/loop.h"
#include "parallel/radix.h"
#include "parallel/workspace.h"
#include "scheduler/pool.h"
#include "weft/sort.h"
#include "weft/task.h"

#define PIECE ((size_t)256 << 10) /* bytes, or pairs' worth, per call of a loop's body */

struct pair {
    uint64_t key;   /* the number, its bits; of 4 bytes: in the first 4 */
    uint64_t value; /* which item, or what goes with the key */
};

/* A sort from the caller's thread to the pool's. */
struct keys {
    weft_pool *pool;
    char *items;   /* count of item_bytes, with keys at key_offset */
    char *payload; /* what goes along, in an array of its own; NULL: nothing */
    size_t count, item_bytes, key_offset, key_bytes, payload_bytes;
    bool carried;       /* the pair holds the payload itself */
    struct pair *pairs; /* count */
    char *gathered;     /* room for items or payload, whichever the pairs point to */
    struct wf_radix radix;
};

static void make_pairs(void *arg, weft_range range) {
    const struct keys *keys = arg;
    for (size_t i = range.first; i < range.last; i++) {
        struct pair pair = {0, i};
        memcpy(&pair.key, keys->items + i * keys->item_bytes + keys->key_offset, keys->key_bytes);
        if (keys->carried)
            memcpy(&pair.value, keys->payload + i * keys->payload_bytes, keys->payload_bytes);
        keys->pairs[i] = pair;
    }
}

/* Keys, and payload that the pairs hold, go back. */
static void unmake_pairs(void *arg, weft_range range) {
    const struct keys *keys = arg;
    for (size_t i = range.first; i < range.last; i++) {
        memcpy(keys->items + i * keys->item_bytes, &keys->pairs[i].key, keys->key_bytes);
        if (keys->carried)
            memcpy(keys->payload + i * keys->payload_bytes, &keys->pairs[i].value, keys->payload_bytes);
    }
}

static void gather(void *arg, weft_range range) {
    const struct keys *keys = arg;
    const char *from = keys->payload ? keys->payload : keys->items;
    size_t bytes = keys->payload ? keys->payload_bytes : keys->item_bytes;
    for (size_t i = range.first; i < range.last; i++)
        memcpy(keys->gathered + i * bytes, from + keys->pairs[i].value * bytes, bytes);
}

static void put_back(void *arg, weft_range range) {
    const struct keys *keys = arg;
    char *to = keys->payload ? keys->payload : keys->items;
    size_t bytes = keys->payload ? keys->payload_bytes : keys->item_bytes;
    memcpy(to + range.first * bytes, keys->gathered + range.first * bytes, (range.last - range.first) * bytes);
}

/* Loops in tasks are not refused. */
static void loop(struct keys *keys, size_t bytes, weft_loop_fn body) {
    size_t grain = PIECE / bytes + 1;
    (void)wf_loop_run(keys->pool, &(struct wf_loop_request){.n = keys->count, .body = body, .arg = keys, .grain = grain});
}

static void sort_task(void *arg) {
    struct keys *keys = arg;
    if (keys->pairs)
        loop(keys, sizeof(struct pair), make_pairs);
    wf_radix_sort(keys->pool, &keys->radix);
    if (keys->payload)
        loop(keys, sizeof(struct pair), unmake_pairs);
    if (keys->gathered) {
        loop(keys, keys->item_bytes + keys->payload_bytes, gather);
        loop(keys, keys->item_bytes + keys->payload_bytes, put_back);
    }
}

/* Once the number of pairs is known to fit: their room, and that of what they point to. */
static weft_status run_with_room(struct keys *keys, size_t room_bytes, size_t pair_bytes, size_t gathered_bytes) {
    struct wf_workspace workspace;
    weft_status status = wf_workspace_take(&workspace, keys->pool, room_bytes + pair_bytes + gathered_bytes);
    if (status)
        return status;
    keys->radix.count = keys->count;
    keys->radix.room = workspace.start;
    if (pair_bytes) {
        keys->pairs = (struct pair *)(void *)(workspace.start + room_bytes);
        keys->radix.items = (char *)keys->pairs;
    } else {
        keys->radix.items = keys->items;
    }
    if (gathered_bytes)
        keys->gathered = workspace.start + room_bytes + pair_bytes;
    status = weft_run(keys->pool, sort_task, keys);
    wf_workspace_release(&workspace);
    return status;
}

static weft_status run_pairs(struct keys *keys, weft_number key) {
    size_t pair_bytes, bytes = keys->carried ? 0 : keys->payload ? keys->payload_bytes : keys->item_bytes, gathered_bytes, all;
    if (__builtin_mul_overflow(keys->count, sizeof(struct pair), &pair_bytes) ||
        __builtin_mul_overflow(keys->count, bytes, &gathered_bytes) ||
        __builtin_add_overflow(2 * pair_bytes, gathered_bytes, &all) || pair_bytes > SIZE_MAX / 4 || all > SIZE_MAX / 2)
        return wf_fail(WEFT_ENOMEM, "the pairs of %zu keys and numbers exceed the address space", keys->count);
    keys->radix.item_bytes = sizeof(struct pair);
    keys->radix.kernels = wf_radix_kernels(sizeof(struct pair), offsetof(struct pair, key), key, &keys->radix.form);
    return run_with_room(keys, pair_bytes, pair_bytes, gathered_bytes);
}

static weft_status check(const char *name, weft_pool *pool, const void *items, size_t count, size_t bytes, weft_number key) {
    size_t all;
    if (!pool || (count && !items))
        return wf_fail(WEFT_EINVAL, "%s() needs a pool and items, got NULL", name);
    if (!wf_number_bytes(key))
        return wf_fail(WEFT_EINVAL, "%s() knows the keys WEFT_I32 to WEFT_F64, not %d", name, (int)key);
    if (!bytes)
        return wf_fail(WEFT_EINVAL, "%s() needs the bytes of an item, got 0", name);
    if (__builtin_mul_overflow(count, bytes, &all) || all > PTRDIFF_MAX)
        return wf_fail(WEFT_EINVAL, "%s(): %zu items of %zu bytes exceed the address space", name, count, bytes);
    return wf_pool_check(pool);
}

weft_status weft_sort_keys(weft_pool *pool, void *base, size_t count, size_t item_bytes, size_t key_offset, weft_number key) {
    weft_status status = check("weft_sort_keys", pool, base, count, item_bytes, key);
    if (status)
        return status;
    size_t key_bytes = wf_number_bytes(key);
    if (key_bytes > item_bytes || key_offset > item_bytes - key_bytes)
        return wf_fail(WEFT_EINVAL, "a key of %zu bytes at offset %zu is not inside an item of %zu bytes", key_bytes, key_offset,
                       item_bytes);
    if (count < 2)
        return WEFT_OK;
    struct keys keys = {.pool = pool,
                        .items = base,
                        .count = count,
                        .item_bytes = item_bytes,
                        .key_offset = key_offset,
                        .key_bytes = key_bytes,
                        .radix = {.item_bytes = item_bytes}};
    keys.radix.kernels = wf_radix_kernels(item_bytes, key_offset, key, &keys.radix.form);
    return keys.radix.kernels ? run_with_room(&keys, count * item_bytes, 0, 0) : run_pairs(&keys, key);
}

weft_status weft_radix_sort(weft_pool *pool, weft_number type, void *numbers, void *payload, size_t payload_bytes, size_t count) {
    if (!payload && !payload_bytes) {
        weft_status status = check("weft_radix_sort", pool, numbers, count, wf_number_bytes(type), type);
        return status ? status : weft_sort_keys(pool, numbers, count, wf_number_bytes(type), 0, type);
    }
    weft_status status = check("weft_radix_sort", pool, numbers, count, payload_bytes, type);
    if (status)
        return status;
    if (count && !payload)
        return wf_fail(WEFT_EINVAL, "weft_radix_sort() got %zu bytes of payload per number, and no payload", payload_bytes);
    if (count < 2)
        return WEFT_OK;
    struct keys keys = {.pool = pool,
                        .items = numbers,
                        .payload = payload,
                        .count = count,
                        .item_bytes = wf_number_bytes(type),
                        .key_bytes = wf_number_bytes(type),
                        .payload_bytes = payload_bytes,
                        .carried = payload_bytes <= sizeof(uint64_t)};
    return run_pairs(&keys, type);
}
