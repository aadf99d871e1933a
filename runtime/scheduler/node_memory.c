/* The public calls for node memory. Their fast halves are inline in weft/alloc.h. */
#include "scheduler/node_memory.h"

#include <string.h>

#include "base/status.h"
#include "memory/node_cache.h"
#include "memory/node_check.h"
#include "memory/node_stats.h"
#include "memory/node_trim.h"
#include "scheduler/pool.h"

#define ALIGNMENT_MOST ((size_t)16 << 20)

static int os_node_of(const void *pool, unsigned node) {
    return wf_pool_memory_node(pool, node);
}

static int home_of(const void *pool) {
    return wf_pool_is_foreign(pool) ? -1 : (int)wf_pool_near(pool);
}

/* Two may make it at once; the first one stays. */
static struct wf_node_memory *make_memory(weft_pool *pool) {
    const struct wf_node_owner owner = {.pool = pool,
                                        .plan = pool->plan,
                                        .nodes = pool->node_count,
                                        .placed = pool->placed,
                                        .hardened = pool->settings.hardened,
                                        .os_node = os_node_of,
                                        .home = home_of};
    struct wf_node_memory *made;
    void *there = NULL;
    if (wf_node_memory_make(&made, &owner))
        return NULL;
    if (owner.hardened)
        wf_store(&wf_check_some, 1, WF_RELAXED);                          /* released with the memory */
    if (wf_cas(&pool->node_memory, &there, made, WF_RELEASE, WF_ACQUIRE)) /* pairs with itself and with wf_pool_memory() */
        return made;
    wf_node_memory_release(made);
    return there;
}

weft_status wf_pool_memory_check(const weft_pool *pool, unsigned node) {
    if (!pool)
        return wf_fail(WEFT_EINVAL, "pool must be given, got NULL");
    if (node != WEFT_NODE_HOME && node >= pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u does not exist: the pool's nodes are 0 to %u, or WEFT_NODE_HOME", node,
                       pool->node_count - 1);
    return wf_pool_check(pool);
}

struct wf_node_memory *wf_pool_memory(weft_pool *pool, unsigned node) {
    if (wf_pool_memory_check(pool, node))
        return NULL;
    struct wf_node_memory *memory = wf_load(&pool->node_memory, WF_ACQUIRE); /* pairs with make_memory() */
    return memory ? memory : make_memory(pool);
}

void wf_pool_release_memory(weft_pool *pool) {
    wf_node_memory_release(wf_load(&pool->node_memory, WF_RELAXED)); /* nobody calls any more */
}

static void *allocate_checked(struct wf_node_memory *memory, unsigned node, size_t bytes, size_t align, bool *zero) {
    if (!memory->owner.hardened)
        return wf_cache_alloc(memory, node, bytes, align, zero);
    void *object = wf_cache_alloc(memory, node, bytes + WF_CHECK_BYTES, align, zero);
    if (object)
        wf_check_hand_out(object, wf_object_bytes(object), bytes);
    return object;
}

static void *allocate(weft_pool *pool, unsigned node, size_t bytes, size_t align, bool *zero) {
    struct wf_node_memory *memory = wf_pool_memory(pool, node);
    if (!memory)
        return NULL;
    if (bytes > PTRDIFF_MAX) {
        wf_fail(WEFT_EINVAL, "%zu bytes are more than an object can have (%zu)", bytes, (size_t)PTRDIFF_MAX);
        return NULL;
    }
    return allocate_checked(memory, node, bytes, align, zero);
}

void *weft_node_alloc_slow(weft_pool *pool, unsigned node, size_t bytes) {
    return allocate(pool, node, bytes, 1, NULL);
}

void weft_free_slow(void *object) {
    if (wf_load(&wf_check_some, WF_RELAXED)) /* see there */
        wf_check_take_back(object, "weft_free");
    wf_cache_free(object);
}

void *weft_node_calloc(weft_pool *pool, unsigned node, size_t count, size_t bytes) {
    size_t all;
    bool zero;
    if (__builtin_mul_overflow(count, bytes, &all)) {
        wf_fail(WEFT_EINVAL, "%zu objects of %zu bytes are more than an object can have (%zu bytes)", count, bytes,
                (size_t)PTRDIFF_MAX);
        return NULL;
    }
    void *object = all && all <= WEFT_CLASS_BYTES_MAX ? weft_node_alloc(pool, node, all) : NULL;
    if (object)
        return memset(object, 0, all);
    object = allocate(pool, node, all, 1, &zero);
    return object && !zero ? memset(object, 0, all) : object;
}

void *weft_node_aligned_alloc(weft_pool *pool, unsigned node, size_t alignment, size_t bytes) {
    if (!alignment || alignment & (alignment - 1) || alignment > ALIGNMENT_MOST) {
        wf_fail(WEFT_EINVAL, "alignment %zu is not a power of two from 1 to %zu", alignment, ALIGNMENT_MOST);
        return NULL;
    }
    return allocate(pool, node, bytes, alignment, NULL);
}

/* Where it lies, if the new size has the same class, or the chunks behind it are free. */
static bool resize_in_place(void *object, size_t bytes, size_t has) {
    bytes = bytes ? bytes : 1;
    if (has <= WEFT_CLASS_BYTES_MAX)
        return bytes <= WEFT_CLASS_BYTES_MAX && weft_class_bytes(weft_size_class(bytes)) == has;
    return bytes > WEFT_CLASS_BYTES_MAX && wf_node_pool_resize_large(wf_area_of(object)->owner, object, bytes);
}

static size_t bytes_of(const void *object, const char *call) {
    return wf_load(&wf_check_some, WF_RELAXED) ? wf_check_use(object, call) : wf_object_bytes(object); /* see there */
}

void *weft_realloc(void *object, size_t bytes) {
    if (!object) {
        wf_fail(WEFT_EINVAL, "weft_realloc() needs an object, NULL has no pool: use weft_node_alloc()");
        return NULL;
    }
    size_t has = bytes_of(object, "weft_realloc");
    struct wf_node_pool *pool = wf_area_of(object)->owner;
    if (bytes > PTRDIFF_MAX) {
        wf_fail(WEFT_EINVAL, "%zu bytes are more than an object can have (%zu)", bytes, (size_t)PTRDIFF_MAX);
        return NULL;
    }
    if (!pool->memory->owner.hardened && resize_in_place(object, bytes, has))
        return object;
    void *moved = allocate_checked(pool->memory, pool->node, bytes, 1, NULL);
    if (!moved)
        return bytes <= has ? object : NULL;
    memcpy(moved, object, bytes < has ? bytes : has);
    weft_free(object);
    return moved;
}

size_t weft_usable_bytes(const void *object) {
    return object ? bytes_of(object, "weft_usable_bytes") : 0;
}

/* The node pools of the pool, and the number of the node. */
static weft_status find(weft_pool *pool, unsigned *node, struct wf_node_memory **memory) {
    weft_status status = wf_pool_memory_check(pool, *node);
    if (status)
        return status;
    *node = *node == WEFT_NODE_HOME ? wf_pool_near(pool) : *node;
    *memory = wf_pool_memory(pool, *node);
    return *memory ? WEFT_OK : WEFT_ENOMEM;
}

weft_status weft_node_stats(weft_pool *pool, unsigned node, weft_node_memory *stats) {
    struct wf_node_memory *memory;
    weft_status status = find(pool, &node, &memory);
    if (status)
        return status;
    if (!stats)
        return wf_fail(WEFT_EINVAL, "weft_node_stats() needs a place for the statistics, got NULL");
    wf_node_memory_stats(memory, node, stats);
    return WEFT_OK;
}

weft_status weft_node_class_stats(weft_pool *pool, unsigned node, unsigned size_class, weft_class_memory *stats) {
    struct wf_node_memory *memory;
    weft_status status = find(pool, &node, &memory);
    if (status)
        return status;
    if (!stats || size_class >= WEFT_SIZE_CLASSES)
        return stats ? wf_fail(WEFT_EINVAL, "size class %u does not exist: there are 0 to %d", size_class, WEFT_SIZE_CLASSES - 1)
                     : wf_fail(WEFT_EINVAL, "weft_node_class_stats() needs a place for the statistics, got NULL");
    wf_node_memory_class_stats(memory, node, size_class, stats);
    return WEFT_OK;
}

weft_status weft_node_trim(weft_pool *pool, unsigned node, size_t keep_bytes) {
    struct wf_node_memory *memory;
    weft_status status = find(pool, &node, &memory);
    struct wf_node_pool *trimmed = status ? NULL : wf_node_pool_of(memory, node);
    if (!trimmed)
        return status ? status : WEFT_ENOMEM;
    wf_caches_flush_own(memory);
    wf_node_pool_trim(trimmed, keep_bytes);
    return WEFT_OK;
}
