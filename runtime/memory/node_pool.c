/* Node pools made and unmade, and what lies between threads' caches and spans. Threading: see node_pool.h. */
#include "memory/node_pool.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "machine/binding.h"
#include "memory/node_cache.h"
#include "memory/node_span.h"
#include "memory/node_trim.h"

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* ---- life ---- */

weft_status wf_node_memory_make(struct wf_node_memory **made, const struct wf_node_owner *owner) {
    struct wf_node_memory *memory = calloc(1, sizeof *memory + owner->nodes * sizeof memory->pools[0]);
    if (!memory)
        return wf_fail(WEFT_ENOMEM, "no memory for the node pools of %u nodes", owner->nodes);
    memory->owner = *owner;
    pthread_mutex_init(&memory->lock, NULL);
    *made = memory;
    return WEFT_OK;
}

static void release_node_pool(struct wf_node_pool *pool) {
    wf_areas_release(pool);
    pthread_mutex_destroy(&pool->lock);
    struct wf_area space = pool->space; /* a copy: the one inside goes with it */
    wf_area_release(&space);
}

void wf_node_memory_release(struct wf_node_memory *memory) {
    if (!memory)
        return;
    wf_caches_detach(memory);
    for (unsigned node = 0; node < memory->owner.nodes; node++)
        if (wf_node_pool_if(memory, node))
            release_node_pool(wf_node_pool_if(memory, node));
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static struct wf_node_pool *make_node_pool(struct wf_node_memory *memory, unsigned node) {
    struct wf_area space;
    size_t own = round_up(sizeof(struct wf_node_pool), wf_page_bytes());
    if (wf_area_reserve(&space, own + WF_MAGAZINES * sizeof(struct wf_magazine), WEFT_PAGES_BASE))
        return NULL;
    weft_status refusal = WEFT_OK;
    if (memory->owner.placed)
        refusal =
            wf_bind_memory(memory->owner.plan, space.start, space.bytes, memory->owner.os_node(memory->owner.pool, node), false);
    struct wf_node_pool *pool = space.start;
    pool->space = space;
    pool->table = (struct wf_magazine *)(void *)((char *)space.start + own);
    pool->memory = memory;
    pool->node = node;
    pool->refusal = refusal;
    pthread_mutex_init(&pool->lock, NULL);
    wf_caches_tag(pool);
    return pool;
}

struct wf_node_pool *wf_node_pool_of(struct wf_node_memory *memory, unsigned node) {
    struct wf_node_pool *pool = wf_node_pool_if(memory, node);
    if (pool)
        return pool;
    pthread_mutex_lock(&memory->lock);
    pool = wf_load(&memory->pools[node], WF_RELAXED); /* written under the lock */
    if (!pool && (pool = make_node_pool(memory, node)))
        wf_store(&memory->pools[node], pool, WF_RELEASE); /* pairs with wf_node_pool_if() */
    pthread_mutex_unlock(&memory->lock);
    return pool;
}

/* ---- magazines ---- */

static struct wf_magazine *fresh_magazine(struct wf_node_pool *pool) {
    uint32_t number = wf_load(&pool->magazines, WF_RELAXED);
    do
        if (number == WF_MAGAZINES)
            return NULL;
    while (!wf_cas(&pool->magazines, &number, number + 1, WF_RELAXED, WF_RELAXED));
    return &pool->table[number];
}

struct wf_magazine *wf_node_pool_empty(struct wf_node_pool *pool, unsigned size_class) {
    struct wf_magazine *magazine = wf_depot_pop(pool->table, &pool->depots[size_class].empty);
    for (unsigned k = 0; !magazine && k < WEFT_SIZE_CLASSES; k++) /* another class's, before there is one more */
        magazine = wf_depot_pop(pool->table, &pool->depots[k].empty);
    return magazine ? magazine : fresh_magazine(pool);
}

struct wf_magazine *wf_node_pool_full(struct wf_node_pool *pool, unsigned size_class) {
    struct wf_depot *depot = &pool->depots[size_class];
    struct wf_magazine *magazine = wf_depot_pop(pool->table, &depot->full);
    if (magazine) {
        wf_fetch_sub(&depot->objects, magazine->count, WF_RELAXED); /* after the pop: a count that is too high keeps less */
        wf_fetch_add(&depot->exchanges, 1, WF_RELAXED);
    }
    return magazine;
}

struct wf_magazine *wf_node_pool_put(struct wf_node_pool *pool, unsigned size_class, struct wf_magazine *magazine) {
    struct wf_depot *depot = &pool->depots[size_class];
    uint32_t count = magazine->count;
    if (wf_fetch_add(&depot->objects, count, WF_RELAXED) < wf_load(&depot->objects_most, WF_RELAXED)) {
        wf_fetch_add(&depot->exchanges, 1, WF_RELAXED);
        wf_depot_push(pool->table, &depot->full, magazine);
        return NULL;
    }
    wf_fetch_sub(&depot->objects, count, WF_RELAXED);
    wf_node_pool_give(pool, size_class, wf_magazine_first(magazine), count);
    magazine->count = 0;
    return magazine;
}

/*
 * What a depot may keep: half a megabyte, an eighth of the objects there are, two magazines, whichever is most. What a thread should
 * keep: a quarter of the chunks in use.
 */
static void set_most(struct wf_node_pool *pool, unsigned size_class) {
    size_t few = ((size_t)512 << 10) / weft_class_bytes(size_class), share = pool->classes[size_class].carved / 8;
    size_t least = (size_t)2 * wf_magazine_fit(size_class, WF_MAGAZINE_MOST), most = few > share ? few : share;
    wf_store(&pool->depots[size_class].objects_most, most > least ? most : least, WF_RELAXED);
    size_t cache = pool->used_chunks * WF_CHUNK_BYTES / 4;
    if (wf_load(&pool->cache_bytes, WF_RELAXED) != cache) /* other threads' caches have the line */
        wf_store(&pool->cache_bytes, cache, WF_RELAXED);
}

unsigned wf_node_pool_carve(struct wf_node_pool *pool, unsigned size_class, void **objects, unsigned most) {
    pthread_mutex_lock(&pool->lock);
    if (wf_spans_want_pages(pool, size_class))
        wf_depots_trim(pool);
    unsigned count = wf_spans_take(pool, size_class, objects, most);
    set_most(pool, size_class);
    pthread_mutex_unlock(&pool->lock);
    return count;
}

void wf_node_pool_give(struct wf_node_pool *pool, unsigned size_class, void *const *objects, unsigned count) {
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < count; i++)
        wf_spans_give(pool, size_class, objects[i]);
    pthread_mutex_unlock(&pool->lock);
}

/* ---- large objects ---- */

static unsigned whole_chunks(size_t bytes) {
    return (unsigned)((bytes + WF_CHUNK_BYTES - 1) / WF_CHUNK_BYTES);
}

static size_t bytes_of_mapping(const struct wf_node_area *mapping) {
    return mapping->bytes - mapping->object_offset;
}

void *wf_node_pool_large(struct wf_node_pool *pool, size_t bytes, size_t align, bool *zero) {
    unsigned align_chunks = align > WF_CHUNK_BYTES ? whole_chunks(align) : 1;
    *zero = true;
    if (bytes / WF_CHUNK_BYTES + align_chunks > WF_AREA_RUN_MOST)
        return wf_mapping_take(pool, bytes, align);
    pthread_mutex_lock(&pool->lock);
    struct wf_node_span *span = wf_run_take(pool, whole_chunks(bytes), align_chunks);
    if (span) {
        span->state = WF_SPAN_LARGE;
        wf_run_mark(pool, span, WF_CLASS_LARGE);
        *zero = wf_run_touch(span);
        pool->large++;
        pool->large_bytes += span->chunks * WF_CHUNK_BYTES;
    }
    pthread_mutex_unlock(&pool->lock);
    return span ? wf_span_start(span) : NULL;
}

static struct wf_node_span *span_of_large(const void *object) {
    struct wf_node_area *area = wf_area_of(object);
    struct wf_node_span *span = &area->spans[wf_chunk_of(object)];
    assert(span->state == WF_SPAN_LARGE);
    return span;
}

void wf_node_pool_give_large(struct wf_node_pool *pool, void *object) {
    if (wf_area_of(object)->object_offset) {
        wf_mapping_give(pool, wf_area_of(object));
        return;
    }
    pthread_mutex_lock(&pool->lock);
    struct wf_node_span *span = span_of_large(object);
    pool->large--;
    pool->large_bytes -= span->chunks * WF_CHUNK_BYTES;
    wf_run_give(pool, span);
    pthread_mutex_unlock(&pool->lock);
}

bool wf_node_pool_resize_large(struct wf_node_pool *pool, void *object, size_t bytes) {
    if (wf_area_of(object)->object_offset) {
        size_t has = bytes_of_mapping(wf_area_of(object));
        return bytes <= has && bytes >= has / 2;
    }
    if (bytes > WF_AREA_RUN_MOST * WF_CHUNK_BYTES)
        return false;
    pthread_mutex_lock(&pool->lock);
    struct wf_node_span *span = span_of_large(object);
    size_t had = span->chunks;
    bool resized = wf_run_resize(pool, span, whole_chunks(bytes));
    if (resized) {
        pool->large_bytes = pool->large_bytes + span->chunks * WF_CHUNK_BYTES - had * WF_CHUNK_BYTES;
        wf_run_mark(pool, span, WF_CLASS_LARGE);
        wf_run_touch(span);
    }
    pthread_mutex_unlock(&pool->lock);
    return resized;
}

size_t wf_object_bytes(const void *object) {
    struct wf_node_area *area = wf_area_of(object);
    uint32_t size_class = wf_load(&area->map[wf_chunk_of(object)], WF_RELAXED) & WF_CLASS_MASK;
    if (size_class < WEFT_SIZE_CLASSES)
        return weft_class_bytes(size_class);
    return area->object_offset ? bytes_of_mapping(area) : span_of_large(object)->chunks * WF_CHUNK_BYTES;
}
