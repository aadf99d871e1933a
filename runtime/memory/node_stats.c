/* Counts of a node pool, and the kernel's word on its pages. See node_stats.h. */
#include "memory/node_stats.h"

#include <sys/mman.h>

#include "memory/huge_pages.h"
#include "memory/node_cache.h"

#define REFUSED "memory policies are refused: the thread that writes to a page first decides where it lies"
#define ONE_NODE "all memory is on one node"
#define HIDDEN "the system does not say which pages are present"
#define HUGE_HIDDEN "the system does not say which pages are huge"

static size_t less(size_t from, size_t what) {
    return from > what ? from - what : 0; /* counts of moments that are not the same */
}

/* Present pages of a mapping, and huge ones. False: not known. */
static const char *add_pages(const void *start, size_t bytes, weft_node_memory *stats) {
    enum { STEP = 2048 };
    unsigned char present[STEP];
    size_t page = wf_page_bytes(), huge = 0;
    for (size_t at = 0; at < bytes; at += STEP * page) {
        size_t length = bytes - at < STEP * page ? bytes - at : STEP * page;
        if (mincore((char *)(uintptr_t)start + at, length, present))
            return HIDDEN;
        for (size_t i = 0; i < (length + page - 1) / page; i++)
            stats->present_bytes += present[i] & 1u ? page : 0;
    }
    if (!wf_huge_bytes(start, bytes, &huge))
        return HUGE_HIDDEN;
    stats->huge_bytes += huge;
    return NULL;
}

static const char *add_areas(const struct wf_node_area *area, weft_node_memory *stats) {
    const char *hidden = NULL, *now;
    for (; area; area = area->next)
        if ((now = add_pages(area, area->bytes, stats)))
            hidden = now;
    return hidden;
}

/* Objects of a class that the program holds, under the node pool's lock; a class's struct if it is wanted. */
static size_t count_class(struct wf_node_pool *pool, unsigned size_class, size_t in_threads, weft_class_memory *out) {
    const struct wf_class_spans *spans = &pool->classes[size_class];
    struct wf_depot *depot = &pool->depots[size_class];
    size_t in_depot = (size_t)wf_load(&depot->objects, WF_RELAXED);
    size_t held = less(spans->carved, spans->free + in_depot + in_threads);
    if (out)
        *out = (weft_class_memory){.object_bytes = weft_class_bytes(size_class),
                                   .objects = held,
                                   .in_threads = in_threads,
                                   .in_depot = in_depot,
                                   .in_spans = spans->free,
                                   .spans = spans->spans,
                                   .span_bytes = spans->chunks * WF_CHUNK_BYTES,
                                   .exchanges = wf_load(&depot->exchanges, WF_RELAXED),
                                   .remote = wf_load(&depot->remote, WF_RELAXED)};
    return held;
}

static void count_objects(struct wf_node_pool *pool, const size_t *in_threads, weft_node_memory *stats) {
    stats->large_objects = pool->large + pool->mappings_count;
    stats->large_bytes = pool->large_bytes + pool->mapped_bytes;
    stats->objects = stats->large_objects;
    stats->object_bytes = stats->large_bytes;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++) {
        size_t held = count_class(pool, k, in_threads[k], NULL);
        stats->objects += held;
        stats->object_bytes += held * weft_class_bytes(k);
    }
}

void wf_node_memory_stats(struct wf_node_memory *memory, unsigned node, weft_node_memory *stats) {
    const struct wf_node_owner *owner = &memory->owner;
    struct wf_node_pool *pool = wf_node_pool_if(memory, node);
    size_t in_threads[WEFT_SIZE_CLASSES] = {0};
    *stats = (weft_node_memory){.os_node = owner->os_node(owner->pool, node), .reason = owner->placed ? "" : ONE_NODE};
    if (!pool)
        return;
    wf_caches_count(memory, node, in_threads);
    pthread_mutex_lock(&pool->lock);
    stats->address_bytes = pool->space.bytes + pool->area_bytes + pool->mapped_bytes;
    stats->used_bytes = pool->used_chunks * WF_CHUNK_BYTES;
    stats->peak_bytes = pool->peak_chunks * WF_CHUNK_BYTES;
    stats->kept_bytes = pool->kept_chunks * WF_CHUNK_BYTES;
    stats->bound = owner->placed && pool->refusal == WEFT_OK;
    count_objects(pool, in_threads, stats);
    const char *own = add_pages(pool->space.start, pool->space.bytes, stats), *areas = add_areas(pool->areas, stats);
    const char *mappings = add_areas(pool->mappings, stats), *hidden = areas ? areas : mappings ? mappings : own;
    if (owner->placed && !stats->bound)
        stats->reason = REFUSED;
    else if (hidden)
        stats->reason = hidden;
    pthread_mutex_unlock(&pool->lock);
}

void wf_node_memory_class_stats(struct wf_node_memory *memory, unsigned node, unsigned size_class, weft_class_memory *stats) {
    struct wf_node_pool *pool = wf_node_pool_if(memory, node);
    size_t in_threads[WEFT_SIZE_CLASSES] = {0};
    *stats = (weft_class_memory){.object_bytes = weft_class_bytes(size_class)};
    if (!pool)
        return;
    wf_caches_count(memory, node, in_threads);
    pthread_mutex_lock(&pool->lock);
    count_class(pool, size_class, in_threads[size_class], stats);
    pthread_mutex_unlock(&pool->lock);
}
