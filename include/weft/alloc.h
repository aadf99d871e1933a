/*
 * Memory of the pool's nodes: an allocator whose objects lie on the node they were asked for.
 *
 *     double *x = weft_local_alloc(pool, n * sizeof *x);   // on the calling worker's node
 *     char *y = weft_node_alloc(pool, 1, 4096);            // on node 1
 *     weft_free(x);                                        // on any thread
 *
 * Each node of a pool has a node pool: address space that is asked for with the first allocation, is told its node where the system
 * allows it, and grows. A thread keeps objects of its own node in a cache and allocates and frees there without a lock or an atomic
 * operation; what it frees of another node's goes back to that node many objects at a time. Objects of up to 1 MiB are of one
 * of WEFT_SIZE_CLASSES sizes, four for each doubling; larger ones are whole pieces of 16 KiB, and those of 62 MiB or more have a
 * mapping of their own.
 *
 * Where the system refuses memory policies the thread that writes to a page first decides where it lies.
 *
 * Functions that return a pointer return NULL on failure, and weft_error_detail() says why. In a child of fork() the parent's pools give
 * no new memory; what was allocated there may be used and freed.
 *
 * Hardened pools (weft_pool_options.hardened, WEFT_HARDENED=1, and by default where the library is built with assertions) check what
 * weft_free(), weft_realloc() and weft_usable_bytes() are given. A pointer that is no object of weft's, one inside an object, an object
 * that was freed already or whose pool was destroyed, and bytes written past the end of an object that is freed, are told in one line on
 * stderr, and the process aborts; so those functions return no status for them. Objects take 16 bytes more there, and every call
 * looks at locks. A pointer that is none of weft's is told surely by code that was compiled without NDEBUG; else looking at
 * it may end in a segmentation fault first. Built for AddressSanitizer, weft tells it of free objects and their ends.
 *
 * Source: magazines and their depot, Bonwick and Adams, USENIX 2001.
 */
#ifndef WEFT_ALLOC_H
#define WEFT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/memory.h"
#include "weft/plan.h"
#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pool weft_pool;

#define WEFT_SIZE_CLASSES 60                      /**< sizes of objects that are kept in caches */
#define WEFT_CLASS_BYTES_MAX ((size_t)1 << 20)    /**< the largest of them */
#define WEFT_NODE_AREA_BYTES ((uintptr_t)1 << 26) /**< node pools begin at multiples of it; see weft_free() */
#define WEFT_NODE_CHUNK_SHIFT 14                  /**< what has one size class is whole pieces of 16 KiB */

/** Index of the size class for objects of `bytes`, in [1, WEFT_CLASS_BYTES_MAX]. Threads: any. */
static inline __attribute__((always_inline, unused)) unsigned weft_size_class(size_t bytes) {
    uint64_t most = bytes - 1;
    unsigned top = 63u - (unsigned)__builtin_clzll(most | 64);
    return 4 * (top - 6) + (unsigned)(most >> (top - 2));
}

/** Bytes of the objects of a size class, in [0, WEFT_SIZE_CLASSES): 16, 32, 48, 64, 80, ... Threads: any. */
static inline __attribute__((always_inline, unused)) size_t weft_class_bytes(unsigned size_class) {
    return size_class < 4 ? (size_t)16 * (size_class + 1) : (size_t)(5 + size_class % 4) << (3 + size_class / 4);
}

/**
 * What the inline functions look at: one thread's cache for one pool. Programs use it through the functions below only; what its fields
 * mean is told in runtime/memory/node_cache.h.
 */
typedef struct weft_cache {
    const void *pool;
    uint32_t tag;
    uint32_t node;
    void **tops[WEFT_SIZE_CLASSES];
} weft_cache;

/** The calling thread's cache of the pool that it used last. As above. */
extern WEFT_API __thread weft_cache *weft_cache_self __attribute__((tls_model("initial-exec")));

/** The slow halves; not to be called by programs. */
WEFT_API void *weft_node_alloc_slow(weft_pool *pool, unsigned node, size_t bytes) __attribute__((malloc, cold));
WEFT_API void weft_free_slow(void *object) __attribute__((cold));

/** The cache is not to be used: then a pointer may be foreign, and is looked at by who checks it. Never so with NDEBUG. */
#ifdef NDEBUG
static inline __attribute__((always_inline, unused)) int weft_cache_is_hidden(const weft_cache *cache) {
    (void)cache;
    return 0;
}
#else
static inline __attribute__((always_inline, unused)) int weft_cache_is_hidden(const weft_cache *cache) {
    return !__atomic_load_n(&cache->pool, __ATOMIC_RELAXED);
}
#endif

/** The newest object of the cache. NULL: the cache has none, or is not for this. */
static inline __attribute__((always_inline, unused)) void *weft_cache_take(weft_cache *cache, size_t bytes) {
    if (__builtin_expect(bytes - 1 >= WEFT_CLASS_BYTES_MAX, 0))
        return NULL;
    void ***place = &cache->tops[weft_size_class(bytes)];
    void **top = __atomic_load_n(place, __ATOMIC_RELAXED); /* the thread's own; others read it for statistics */
    void *object = *top;
    if (__builtin_expect(object != NULL, 1))
        __atomic_store_n(place, top - 1, __ATOMIC_RELAXED);
    return object;
}

/**
 * Allocate on the calling thread's own node: at least `bytes`, aligned to 16, and to every power of two that divides its size
 * class. 0 bytes: as 1. The content is undefined.
 *
 * @return NULL: the system has no memory left, bytes is above PTRDIFF_MAX, pool is NULL, or was made before a fork.
 *
 * Threads: any thread that may call the pool, until weft_pool_destroy() begins. Blocks: no, but for the system's calls where the
 * node pool grows.
 */
static inline __attribute__((unused)) void *weft_local_alloc(weft_pool *pool, size_t bytes) {
    weft_cache *cache = weft_cache_self;
    if (__builtin_expect(__atomic_load_n(&cache->pool, __ATOMIC_RELAXED) == pool, 1)) {
        void *object = weft_cache_take(cache, bytes);
        if (__builtin_expect(object != NULL, 1))
            return object;
    }
    return weft_node_alloc_slow(pool, WEFT_NODE_HOME, bytes);
}

/**
 * The same on a node of the pool.
 *
 * @param node  in [0, weft_pool_nodes(pool)), or WEFT_NODE_HOME: a worker's own node, and on other threads that of the CPU they run on.
 * @return NULL also: no such node.
 */
static inline __attribute__((unused)) void *weft_node_alloc(weft_pool *pool, unsigned node, size_t bytes) {
    weft_cache *cache = weft_cache_self;
    int here = node == WEFT_NODE_HOME || node == cache->node;
    if (__builtin_expect(here && __atomic_load_n(&cache->pool, __ATOMIC_RELAXED) == pool, 1)) {
        void *object = weft_cache_take(cache, bytes);
        if (__builtin_expect(object != NULL, 1))
            return object;
    }
    return weft_node_alloc_slow(pool, node, bytes);
}

/** The same, for `count` objects of `bytes` each, all zero. NULL also: the product is too large. */
WEFT_API void *weft_node_calloc(weft_pool *pool, unsigned node, size_t count, size_t bytes);

/** The same as weft_node_alloc(), beginning at a multiple of `alignment`. NULL also: it is no power of two, or above 16 MiB. */
WEFT_API void *weft_node_aligned_alloc(weft_pool *pool, unsigned node, size_t alignment, size_t bytes);

/**
 * Change an object's size. Its content stays as far as both sizes go, and it stays on its node; its address may change. An alignment
 * that was asked for beyond 16 is kept only where the address is.
 *
 * @param object  from one of these functions.
 * @param bytes   0: as 1.
 * @return NULL: as weft_node_alloc(), or object is NULL (which has no pool); the object is untouched then.
 *
 * Threads: as weft_free().
 */
WEFT_API void *weft_realloc(void *object, size_t bytes);

/**
 * Free an object. Its memory may be handed out again at once, on its node.
 *
 * @param object  from one of these functions, of any pool that has not been destroyed; NULL: nothing happens.
 *
 * Threads: any, the pool's or not; whoever frees has seen what others wrote to the object. Blocks: no. An object is freed before its
 * pool is destroyed, or goes with it.
 */
static inline __attribute__((unused)) void weft_free(void *object) {
    weft_cache *cache = weft_cache_self;
    if (!object)
        return;
    if (weft_cache_is_hidden(cache)) {
        weft_free_slow(object);
        return;
    }
    uintptr_t address = (uintptr_t)object;
    const uint32_t *map = (const uint32_t *)(address & ~(WEFT_NODE_AREA_BYTES - 1));
    size_t chunk = (address & (WEFT_NODE_AREA_BYTES - 1)) >> WEFT_NODE_CHUNK_SHIFT;
    /* Relaxed: the entry is fixed while an object lies there, the tag changes while the thread has none of this pool. */
    uint32_t size_class = __atomic_load_n(&map[chunk], __ATOMIC_RELAXED) ^ __atomic_load_n(&cache->tag, __ATOMIC_RELAXED);
    if (__builtin_expect(size_class < WEFT_SIZE_CLASSES, 1)) {
        void **top = __atomic_load_n(&cache->tops[size_class], __ATOMIC_RELAXED) + 1;
        if (__builtin_expect(((uintptr_t)top & 511) != 0, 1)) {
            *top = object;
            __atomic_store_n(&cache->tops[size_class], top, __ATOMIC_RELAXED);
            return;
        }
    }
    weft_free_slow(object);
}

/** Bytes of the object that may be used: at least what was asked for. 0 for NULL. Threads: whoever may use the object. */
WEFT_API size_t weft_usable_bytes(const void *object);

/** Memory of one node of a pool. Bytes of objects are those of their size classes. */
typedef struct weft_node_memory {
    int os_node;          /**< OS index of the node where it is to lie, -1: the system has no name for it */
    bool bound;           /**< the system was told, and did not refuse */
    size_t address_bytes; /**< address space */
    size_t present_bytes; /**< of it, in memory now */
    size_t huge_bytes;    /**< of that, in huge pages; 0 also where the system does not say */
    size_t kept_bytes;    /**< free memory that stays present, see weft_node_reserve() */
    size_t used_bytes;    /**< chunks that hold objects, whether these are free or not */
    size_t peak_bytes;    /**< the most that was */
    size_t objects;       /**< that the program holds */
    size_t object_bytes;
    size_t large_objects; /**< of these, above WEFT_CLASS_BYTES_MAX */
    size_t large_bytes;
    const char *reason; /**< why less is granted or known ("" if nothing is amiss); static string */
} weft_node_memory;

/** One size class of it: objects there are = held by the program + in_threads + in_depot + in_spans. */
typedef struct weft_class_memory {
    size_t object_bytes; /**< of one object */
    size_t objects;      /**< that the program holds */
    size_t in_threads;   /**< free, in caches of threads */
    size_t in_depot;     /**< free, for whichever thread comes first */
    size_t in_spans;     /**< free */
    size_t spans;        /**< runs of chunks with such objects */
    size_t span_bytes;   /**< of all of them */
    uint64_t exchanges;  /**< magazines that threads put into the depot or took from it */
    uint64_t remote;     /**< objects that threads of other nodes put there */
} weft_class_memory;

/**
 * The memory of one node.
 *
 * @param node    in [0, weft_pool_nodes(pool)), or WEFT_NODE_HOME.
 * @param memory  [out] written on success.
 * @return WEFT_OK, also if nothing was ever allocated there; WEFT_EINVAL: NULL, or no such node; WEFT_ENOMEM; WEFT_EFORK.
 *
 * Threads: any. Nobody is stopped, so counts of objects are exact when no thread allocates or frees meanwhile, and else as if some of
 * its steps had not been. Blocks: for system calls that look at the pages, while the node pool cannot grow.
 */
WEFT_API weft_status weft_node_stats(weft_pool *pool, unsigned node, weft_node_memory *memory);

/**
 * One size class of it.
 *
 * @param size_class  in [0, WEFT_SIZE_CLASSES), see weft_size_class().
 * @return as weft_node_stats(); WEFT_EINVAL also: no such class.
 *
 * Threads: any, as weft_node_stats(). Blocks: for locks only.
 */
WEFT_API weft_status weft_node_class_stats(weft_pool *pool, unsigned node, unsigned size_class, weft_class_memory *memory);

/**
 * Give free memory of a node back to the system, until at most `keep_bytes` of whole free chunks are present. What lies in the depot
 * and in the calling thread's cache is free memory too; what other threads have in their caches stays with them. Address space stays.
 * Without this call memory goes back by itself when what is free exceeds half of what is used, 32 MiB, and what was reserved.
 *
 * @param node        as weft_node_stats().
 * @param keep_bytes  also what is kept from now on instead of what weft_node_reserve() had asked for. SIZE_MAX: nothing goes back,
 *                    now or by itself.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or no such node; WEFT_ENOMEM; WEFT_EFORK.
 *
 * Threads: any. Blocks: while pages are unmapped, others that need the node's lock too.
 */
WEFT_API weft_status weft_node_trim(weft_pool *pool, unsigned node, size_t keep_bytes);

/**
 * Make free memory of a node present before it is needed: at least `bytes` in whole chunks, by the workers of that node in parallel. It
 * stays present until weft_node_trim() says otherwise, but what has been allocated of it and freed again counts among it. Objects
 * above WEFT_CLASS_BYTES_MAX that are larger than 61 MiB do not come from it.
 *
 * @param node   as weft_node_stats().
 * @param pages  DEFAULT: as THP. HUGE, 2M: reserved pages if as many are free on the node, else THP; 1G: as 2M. What was granted:
 *               weft_node_memory.huge_bytes.
 * @return WEFT_OK; WEFT_EINVAL: NULL, no such node or kind of pages, or bytes is 0 or above PTRDIFF_MAX; WEFT_ENOMEM; WEFT_ECLOSED;
 *         WEFT_EFORK. After an error some of it may be present.
 *
 * Threads: any, the pool's workers too. Blocks: until the pages are present.
 */
WEFT_API weft_status weft_node_reserve(weft_pool *pool, unsigned node, size_t bytes, weft_pages pages);

#ifdef __cplusplus
}
#endif
#endif
