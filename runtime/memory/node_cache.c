/* Caches of threads: exchanges with the depots, other nodes' objects, and the end of a thread. See node_cache.h. */
#include "memory/node_cache.h"

#include <stdlib.h>

#include "base/status.h"
#include "memory/node_check.h"

#define NO_TAG 0xffffff00u             /* no node pool has it; nor 0, which is that of free chunks */
#define CACHE_LEAST ((size_t)64 << 10) /* what a thread should have in its cache is this or more, however small the node pool */
#define TURN 256u                      /* changes of magazines, see count_change() */
#define FOUR(x) x, x, x, x
#define SIZE_CLASSES_TIMES(x)                                                                                                    \
    FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x), FOUR(x),         \
        FOUR(x), FOUR(x)

/* Where tops point that have no magazine: neither an object nor room for one. Never written. */
static struct wf_magazine nothing;
#define NO_TOP (&nothing.words[WF_MAGAZINE_WORDS - 1])

/* The cache of threads that have none. Never written. */
static weft_cache none = {.tag = NO_TAG, .node = WEFT_NODE_HOME, .tops = {SIZE_CLASSES_TIMES(NO_TOP)}};

__thread weft_cache *weft_cache_self __attribute__((tls_model("initial-exec"))) = &none;

/* All caches of the calling thread. */
static _Thread_local struct wf_cache *mine __attribute__((tls_model("initial-exec")));

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct wf_node_pool *living; /* under the lock: node pools, for their tags */
static uint32_t last_tag;           /* the same */

struct wf_remote_bins {
    struct wf_bins bins;
    struct wf_area area;
    void **tops[WEFT_SIZE_CLASSES];
};

_Static_assert(sizeof(struct wf_magazine) == WF_MAGAZINE_BYTES, "weft_free() finds the end of a magazine by its address");
_Static_assert(WEFT_SIZE_CLASSES == 60, "SIZE_CLASSES_TIMES() repeats as often");

/* ---- magazines in bins ---- */

static void **top_of(const struct wf_bins *bins, unsigned size_class) {
    return __atomic_load_n(&bins->tops[size_class], __ATOMIC_RELAXED); /* the thread's own */
}

static void set_top(struct wf_bins *bins, unsigned size_class, void **top) {
    __atomic_store_n(&bins->tops[size_class], top, __ATOMIC_RELAXED);
}

static struct wf_magazine *magazine_of(void **top) {
    return top == NO_TOP ? NULL : (struct wf_magazine *)((uintptr_t)top & ~(uintptr_t)(WF_MAGAZINE_BYTES - 1));
}

static void load_magazine(struct wf_bins *bins, unsigned size_class, struct wf_magazine *magazine) {
    set_top(bins, size_class, wf_magazine_first(magazine) + magazine->count - 1);
}

/* Take the magazine that the thread works with out of its hands; it counts its objects again. NULL: there is none. */
static struct wf_magazine *unload_magazine(struct wf_bins *bins, unsigned size_class) {
    void **top = top_of(bins, size_class);
    struct wf_magazine *magazine = magazine_of(top);
    if (magazine)
        magazine->count = (uint32_t)(top + 1 - wf_magazine_first(magazine));
    set_top(bins, size_class, NO_TOP);
    return magazine;
}

static void set_spare(struct wf_bins *bins, unsigned size_class, struct wf_magazine *spare) {
    bins->spares[size_class] = spare;
    wf_store(&bins->spare_counts[size_class], spare ? spare->count : 0, WF_RELAXED);
}

/* To the depot, as wf_node_pool_put(). */
static struct wf_magazine *hand_over(struct wf_bins *bins, unsigned size_class, struct wf_magazine *magazine) {
    if (bins->remote)
        wf_fetch_add(&bins->pool->depots[size_class].remote, magazine->count, WF_RELAXED); /* a statistic */
    return wf_node_pool_put(bins->pool, size_class, magazine);
}

static void give_back(struct wf_bins *bins, unsigned size_class, struct wf_magazine *magazine) {
    if (magazine && magazine->count)
        magazine = hand_over(bins, size_class, magazine);
    if (magazine)
        wf_depot_push(bins->pool->table, &bins->pool->depots[size_class].empty, magazine);
}

static void flush_class(struct wf_bins *bins, unsigned size_class) {
    struct wf_magazine *spare = bins->spares[size_class];
    give_back(bins, size_class, unload_magazine(bins, size_class));
    set_spare(bins, size_class, NULL);
    give_back(bins, size_class, spare);
}

/* All magazines go to the depot. */
static void flush(struct wf_bins *bins) {
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        flush_class(bins, k);
}

/* A magazine of a class is used up, or full. What had no such change in a turn and the one before goes to the depot. */
static void count_change(struct wf_bins *bins, unsigned size_class) {
    bins->recent |= UINT64_C(1) << size_class;
    if (++bins->changes < TURN)
        return;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        if (!((bins->recent | bins->before) >> k & 1))
            flush_class(bins, k);
    bins->before = bins->recent;
    bins->recent = UINT64_C(1) << size_class;
    bins->changes = 0;
}

/* Room of an empty magazine: its share of what the thread should have, with two for each class that it uses. */
static void choose_room(struct wf_bins *bins, unsigned size_class, struct wf_magazine *magazine) {
    size_t most = wf_load(&bins->pool->cache_bytes, WF_RELAXED);
    size_t share = (most > CACHE_LEAST ? most : CACHE_LEAST) / 2 / (unsigned)__builtin_popcountll(bins->recent | bins->before);
    share = share > WF_MAGAZINE_MOST ? WF_MAGAZINE_MOST : share < WF_MAGAZINE_LEAST ? WF_MAGAZINE_LEAST : share;
    wf_magazine_set_room(magazine, wf_magazine_fit(size_class, share));
}

static void bins_init(struct wf_bins *bins, struct wf_node_pool *pool, void ***tops) {
    bins->pool = pool;
    bins->tops = tops;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        set_top(bins, k, NO_TOP);
}

static void reverse(void **objects, unsigned count) {
    for (unsigned i = 0; i < count / 2; i++) {
        void *object = objects[i];
        objects[i] = objects[count - 1 - i];
        objects[count - 1 - i] = object;
    }
}

/* Objects from the spans, so that the lowest is handed out first. */
static void fill_magazine(struct wf_node_pool *pool, unsigned size_class, struct wf_magazine *magazine) {
    void **first = wf_magazine_first(magazine);
    magazine->count = wf_node_pool_carve(pool, size_class, first, wf_load(&magazine->room, WF_RELAXED));
    reverse(first, magazine->count);
}

static void *alloc_without_magazine(struct wf_node_pool *pool, unsigned size_class) {
    void *object;
    return wf_node_pool_carve(pool, size_class, &object, 1) ? object : NULL;
}

/* The thread's magazine is empty: take the spare one, else one from the depot, else fill it. NULL with a text. */
static void *refill(struct wf_bins *bins, unsigned size_class) {
    struct wf_node_pool *pool = bins->pool;
    struct wf_magazine *loaded = unload_magazine(bins, size_class), *spare = bins->spares[size_class], *full;
    count_change(bins, size_class);
    bins->freeing &= ~(UINT64_C(1) << size_class);
    if (!loaded && !(loaded = wf_node_pool_empty(pool, size_class)))
        return alloc_without_magazine(pool, size_class);
    if (spare && spare->count) {
        set_spare(bins, size_class, loaded);
        loaded = spare;
    } else if ((full = wf_node_pool_full(pool, size_class))) {
        if (spare)
            wf_depot_push(pool->table, &pool->depots[size_class].empty, loaded);
        else
            set_spare(bins, size_class, loaded);
        loaded = full;
    } else {
        choose_room(bins, size_class, loaded);
        fill_magazine(pool, size_class, loaded);
    }
    load_magazine(bins, size_class, loaded);
    if (!loaded->count)
        return NULL;
    void **top = top_of(bins, size_class);
    set_top(bins, size_class, top - 1);
    return *top;
}

/* A magazine without objects; where there is none, the spare one's objects go back to the spans. NULL: there is no spare one. */
static struct wf_magazine *make_room(struct wf_bins *bins, unsigned size_class) {
    struct wf_magazine *magazine = wf_node_pool_empty(bins->pool, size_class);
    if (magazine || !(magazine = bins->spares[size_class]))
        return magazine;
    set_spare(bins, size_class, NULL);
    wf_node_pool_give(bins->pool, size_class, wf_magazine_first(magazine), magazine->count);
    magazine->count = 0;
    return magazine;
}

/*
 * The thread's magazine is full and becomes the spare one; a full spare one goes to the depot, an empty one is returned. A thread that
 * fills two in a row frees what others allocate, and keeps no spare one.
 */
static struct wf_magazine *put_aside(struct wf_bins *bins, unsigned size_class, struct wf_magazine *loaded) {
    struct wf_magazine *spare = bins->spares[size_class], *next = NULL;
    if (spare)
        next = spare->count ? hand_over(bins, size_class, spare) : spare;
    set_spare(bins, size_class, NULL);
    if (bins->freeing >> size_class & 1)
        give_back(bins, size_class, loaded);
    else
        set_spare(bins, size_class, loaded);
    bins->freeing |= UINT64_C(1) << size_class;
    return next;
}

static void overflow(struct wf_bins *bins, unsigned size_class, void *object) {
    struct wf_magazine *loaded = unload_magazine(bins, size_class), *next = NULL;
    count_change(bins, size_class);
    if (loaded)
        next = put_aside(bins, size_class, loaded);
    if (!next && !(next = make_room(bins, size_class))) {
        wf_node_pool_give(bins->pool, size_class, &object, 1);
        return;
    }
    choose_room(bins, size_class, next);
    load_magazine(bins, size_class, next);
    void **top = top_of(bins, size_class) + 1;
    *top = object;
    set_top(bins, size_class, top);
}

static void *take(struct wf_bins *bins, unsigned size_class) {
    void **top = top_of(bins, size_class), *object = *top;
    if (!object)
        return refill(bins, size_class);
    set_top(bins, size_class, top - 1);
    return object;
}

static void put(struct wf_bins *bins, unsigned size_class, void *object) {
    void **top = top_of(bins, size_class) + 1;
    if (!((uintptr_t)top % WF_MAGAZINE_BYTES)) {
        overflow(bins, size_class, object);
        return;
    }
    *top = object;
    set_top(bins, size_class, top);
}

/* ---- the caches of a thread ---- */

static pthread_key_t key; /* its destructor is the end of a thread */
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static bool has_key;

static struct wf_remote_bins *remote_of(struct wf_cache *cache, unsigned node) {
    return wf_load(&cache->remote[node], WF_RELAXED); /* written by the thread itself */
}

static void flush_all(struct wf_cache *cache) {
    flush(&cache->home);
    for (unsigned node = 0; node < cache->memory->owner.nodes; node++)
        if (remote_of(cache, node))
            flush(&remote_of(cache, node)->bins);
}

static void unlist(struct wf_cache *cache) {
    if (cache->next)
        cache->next->prev = cache->prev;
    if (cache->prev)
        cache->prev->next = cache->next;
    else
        cache->memory->caches = cache->next;
}

/* The other nodes' bins, once nobody reads them for statistics. */
static void release_remote(struct wf_cache *cache, unsigned nodes) {
    for (unsigned node = 0; node < nodes; node++)
        if (remote_of(cache, node)) {
            struct wf_area area = remote_of(cache, node)->area;
            wf_store(&cache->remote[node], NULL, WF_RELAXED);
            wf_area_release(&area);
        }
}

static void leave(struct wf_cache *cache) {
    pthread_mutex_lock(&lock);
    if (cache->memory) {
        if (cache->memory->owner.home(cache->memory->owner.pool) >= 0) /* a forked child's locks may be held by nobody */
            flush_all(cache);
        unlist(cache);
        release_remote(cache, cache->memory->owner.nodes);
    }
    pthread_mutex_unlock(&lock);
    struct wf_area area = cache->area;
    wf_area_release(&area);
}

static void end_thread(void *unused) {
    (void)unused;
    weft_cache_self = &none;
    while (mine) {
        struct wf_cache *cache = mine;
        mine = cache->next_of_thread;
        leave(cache);
    }
}

static void make_key(void) {
    has_key = !pthread_key_create(&key, end_thread);
}

/* The library may be unloaded before its threads' end. */
__attribute__((destructor)) static void forget_key(void) {
    if (has_key)
        pthread_key_delete(key);
    has_key = false;
    end_thread(NULL);
}

static bool is_detached(const struct wf_cache *cache) {
    return !__atomic_load_n(&cache->face.pool, __ATOMIC_ACQUIRE); /* pairs with detach(), which does not touch it afterwards */
}

/* Detached ones are of no use any more. */
static void drop_detached(void) {
    for (struct wf_cache **link = &mine; *link;) {
        struct wf_cache *cache = *link;
        if (!is_detached(cache)) {
            link = &cache->next_of_thread;
            continue;
        }
        *link = cache->next_of_thread;
        if (weft_cache_self == &cache->face)
            weft_cache_self = &none;
        struct wf_area area = cache->area;
        wf_area_release(&area);
    }
}

static void settle(struct wf_cache *cache, struct wf_node_pool *pool) {
    bins_init(&cache->home, pool, cache->face.tops);
    __atomic_store_n(&cache->face.tag, pool->tag, __ATOMIC_RELAXED);
    __atomic_store_n(&cache->face.node, pool->node, __ATOMIC_RELAXED); /* others read it for statistics */
}

/* NULL: no memory, or the thread's end could not be heard of; the caller does without. */
static struct wf_cache *make_cache(struct wf_node_memory *memory, unsigned home) {
    struct wf_area area;
    struct wf_node_pool *pool = wf_node_pool_of(memory, home);
    drop_detached();
    pthread_once(&key_once, make_key);
    size_t bytes = sizeof(struct wf_cache) + memory->owner.nodes * sizeof(wf_atomic_ptr);
    if (!pool || !has_key || pthread_setspecific(key, &none) || wf_area_reserve(&area, bytes, WEFT_PAGES_BASE))
        return NULL;
    struct wf_cache *cache = area.start;
    cache->area = area;
    cache->memory = memory;
    __atomic_store_n(&cache->face.pool, memory->owner.pool, __ATOMIC_RELAXED);
    settle(cache, pool);
    cache->next_of_thread = mine;
    mine = cache;
    pthread_mutex_lock(&lock);
    if ((cache->next = memory->caches))
        cache->next->prev = cache;
    memory->caches = cache;
    pthread_mutex_unlock(&lock);
    return cache;
}

/* The thread has gone to another node. */
static void move_home(struct wf_cache *cache, unsigned node) {
    struct wf_node_pool *pool = wf_node_pool_of(cache->memory, node);
    if (!pool)
        return;
    flush(&cache->home);
    if (remote_of(cache, node))
        flush(&remote_of(cache, node)->bins);
    settle(cache, pool);
}

/* Let the inline functions have it. */
static void wf_cache_show(struct wf_cache *cache) {
    weft_cache_self = &cache->face;
}

static struct wf_cache *own_cache(const struct wf_node_memory *memory) {
    struct wf_cache *cache = mine;
    while (cache && __atomic_load_n(&cache->face.pool, __ATOMIC_RELAXED) != memory->owner.pool)
        cache = cache->next_of_thread;
    return cache;
}

/* The calling thread's cache for a pool, whose node for it is `home`; see make_cache(). */
static struct wf_cache *cache_for(struct wf_node_memory *memory, unsigned home) {
    struct wf_cache *cache = own_cache(memory);
    if (!cache && !(cache = make_cache(memory, home)))
        return NULL;
    if (cache->face.node != home)
        move_home(cache, home);
    if (!memory->owner.hardened)
        wf_cache_show(cache);
    return cache;
}

static struct wf_bins *bins_for(struct wf_cache *cache, struct wf_node_pool *pool) {
    if (cache->home.pool == pool)
        return &cache->home;
    struct wf_remote_bins *remote = remote_of(cache, pool->node);
    if (remote)
        return &remote->bins;
    struct wf_area area;
    if (wf_area_reserve(&area, sizeof *remote, WEFT_PAGES_BASE))
        return NULL;
    remote = area.start;
    remote->area = area;
    bins_init(&remote->bins, pool, remote->tops);
    remote->bins.remote = true;
    wf_store(&cache->remote[pool->node], remote, WF_RELEASE); /* pairs with statistics */
    return &remote->bins;
}

/* ---- allocating and freeing ---- */

/* The smallest class whose objects all begin at multiples of `align`; WF_CLASS_LARGE: none. */
static unsigned class_for(size_t bytes, size_t align) {
    bytes = bytes ? bytes : 1;
    if (bytes > WEFT_CLASS_BYTES_MAX || align > WF_CHUNK_BYTES)
        return WF_CLASS_LARGE;
    unsigned size_class = weft_size_class(bytes);
    while (size_class < WEFT_SIZE_CLASSES && weft_class_bytes(size_class) & (align - 1))
        size_class++;
    return size_class;
}

void *wf_cache_alloc(struct wf_node_memory *memory, unsigned node, size_t bytes, size_t align, bool *zero) {
    int home = memory->owner.home(memory->owner.pool);
    bool unused, *is_zero = zero ? zero : &unused;
    *is_zero = false;
    if (home < 0) {
        wf_fail(WEFT_EFORK, "the pool was made before fork(): its memory is the parent's");
        return NULL;
    }
    struct wf_node_pool *pool = wf_node_pool_of(memory, node == WEFT_NODE_HOME ? (unsigned)home : node);
    unsigned size_class = class_for(bytes, align);
    if (!pool)
        return NULL;
    if (size_class == WF_CLASS_LARGE)
        return wf_node_pool_large(pool, bytes, align, is_zero);
    struct wf_cache *cache = cache_for(memory, (unsigned)home);
    struct wf_bins *bins = cache ? bins_for(cache, pool) : NULL;
    return bins ? take(bins, size_class) : alloc_without_magazine(pool, size_class);
}

void wf_cache_free(void *object) {
    struct wf_node_area *area = wf_area_of(object);
    struct wf_node_pool *pool = area->owner;
    uint32_t size_class = wf_load(&area->map[wf_chunk_of(object)], WF_RELAXED) & WF_CLASS_MASK;
    int home = pool->memory->owner.home(pool->memory->owner.pool);
    if (home < 0)
        return; /* a forked child's locks may be held by nobody */
    if (size_class >= WEFT_SIZE_CLASSES) {
        wf_node_pool_give_large(pool, object);
        return;
    }
    struct wf_cache *cache = cache_for(pool->memory, (unsigned)home);
    struct wf_bins *bins = cache ? bins_for(cache, pool) : NULL;
    if (bins)
        put(bins, size_class, object);
    else
        wf_node_pool_give(pool, size_class, &object, 1);
}

/* ---- the pool's side ---- */

static void detach(struct wf_cache *cache) {
    release_remote(cache, cache->memory->owner.nodes);
    cache->memory = NULL;
    __atomic_store_n(&cache->face.tag, NO_TAG, __ATOMIC_RELAXED);
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        set_top(&cache->home, k, NO_TOP);
    __atomic_store_n(&cache->face.pool, NULL, __ATOMIC_RELEASE); /* pairs with is_detached() */
}

void wf_caches_detach(struct wf_node_memory *memory) {
    pthread_mutex_lock(&lock);
    for (struct wf_cache *cache = memory->caches, *next; cache; cache = next) {
        next = cache->next;
        detach(cache);
    }
    for (struct wf_node_pool **link = &living; *link;)
        if ((*link)->memory == memory)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    pthread_mutex_unlock(&lock);
}

static void count_bins(const struct wf_bins *bins, size_t *counts) {
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++) {
        void **top = top_of(bins, k), **first;
        struct wf_magazine *magazine = magazine_of(top);
        counts[k] += wf_load(&bins->spare_counts[k], WF_RELAXED);
        if (magazine && (first = wf_magazine_first(magazine)) <= top) /* it may have changed */
            counts[k] += (size_t)(top + 1 - first);
    }
}

void wf_caches_count(struct wf_node_memory *memory, unsigned node, size_t *counts) {
    pthread_mutex_lock(&lock); /* no cache goes */
    for (struct wf_cache *cache = memory->caches; cache; cache = cache->next) {
        struct wf_remote_bins *remote = wf_load(&cache->remote[node], WF_ACQUIRE); /* pairs with bins_for() */
        if (__atomic_load_n(&cache->face.node, __ATOMIC_RELAXED) == node)
            count_bins(&cache->home, counts);
        if (remote)
            count_bins(&remote->bins, counts);
    }
    pthread_mutex_unlock(&lock);
}

void wf_caches_flush_own(struct wf_node_memory *memory) {
    struct wf_cache *cache = own_cache(memory);
    if (cache)
        flush_all(cache);
}

static bool is_taken(uint32_t tag) {
    for (const struct wf_node_pool *pool = living; pool; pool = pool->next)
        if (pool->tag == tag)
            return true;
    return !tag || tag == NO_TAG;
}

void wf_caches_tag(struct wf_node_pool *pool) {
    pthread_mutex_lock(&lock);
    do
        last_tag += WF_CLASS_MASK + 1;
    while (is_taken(last_tag));
    pool->tag = last_tag;
    pool->next = living;
    living = pool;
    pthread_mutex_unlock(&lock);
}

static struct wf_node_area *find_area(struct wf_node_area *area, uintptr_t address) {
    while (area && address - (uintptr_t)area >= area->bytes)
        area = area->next;
    return area;
}

/* Not those of a forked child's parent: nobody changes its pools there, and their locks may be held by nobody. */
static void lock_pool(struct wf_node_pool *pool) {
    if (pool->memory->owner.home(pool->memory->owner.pool) >= 0)
        pthread_mutex_lock(&pool->lock);
}

static void unlock_pool(struct wf_node_pool *pool) {
    if (pool->memory->owner.home(pool->memory->owner.pool) >= 0)
        pthread_mutex_unlock(&pool->lock);
}

struct wf_node_area *wf_caches_lock_area(const void *address) {
    pthread_mutex_lock(&lock);
    for (struct wf_node_pool *pool = living; pool; pool = pool->next) {
        lock_pool(pool);
        struct wf_node_area *area = find_area(pool->areas, (uintptr_t)address);
        if (area || (area = find_area(pool->mappings, (uintptr_t)address)))
            return area;
        unlock_pool(pool);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

void wf_caches_unlock_area(struct wf_node_area *area) {
    unlock_pool(area->owner);
    pthread_mutex_unlock(&lock);
}

void wf_caches_enter_child(void) {
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    wf_check_enter_child();
}
