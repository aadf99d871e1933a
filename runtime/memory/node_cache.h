/*
 * Caches: what a thread has of a pool's node pools for itself. For each size class it holds one magazine of its own node that it
 * allocates from and frees into (weft_cache.tops points to the newest object in it), and a spare one that is full or empty; so a
 * thread that alternates at the edge of a magazine does not exchange with the depot each time. For other nodes it has the same, made
 * when it first frees or allocates there: these magazines are the batches in which objects go to other nodes and come from there.
 *
 * The fields of weft_cache: pool, the weft_pool, NULL once that has been destroyed (the struct is the thread's and stays); tag, the
 * tag of the own node's node pool, so that one exclusive or finds whether an object is that one's and of which class; node, the own node;
 * tops, in a magazine of WF_MAGAZINE_BYTES that begins at a multiple of that: NULL below the first object ends allocations, the
 * end of the magazine ends frees. Where a class has no magazine yet, and in the cache of a thread that has none, tops points to the
 * last word of a magazine that nobody writes to: it ends both.
 *
 * How many objects a magazine has room for is chosen when it is used anew, so that what a thread keeps stays in proportion to what the node
 * pool has in use, and is shared by the classes that the thread uses. A class that it uses no more goes to the depot after a while.
 *
 * Measured against two magazines (one to allocate from, one to free into), a slot for the last freed object before the magazine, and a
 * list through the free objects: all within a tenth of a nanosecond for a pair, this one the best for batches, and it hands out the
 * object first that was in use last. The list writes to free objects, which costs a cache miss where another thread used them.
 *
 * Threading: a cache is its thread's. Others read tops and spare_counts (relaxed: statistics), and the pool's end detaches it while by
 * contract nobody calls the pool. A lock guards the lists of caches, and tags.
 */
#ifndef WF_MEMORY_NODE_CACHE_H
#define WF_MEMORY_NODE_CACHE_H

#include "memory/node_pool.h"

/* Magazines of one node. */
struct wf_bins {
    bool remote;                                   /* I: another node's than the thread's */
    struct wf_node_pool *pool;                     /* O */
    void ***tops;                                  /* I: the array; its content O, atomic for others */
    struct wf_magazine *spares[WEFT_SIZE_CLASSES]; /* O: NULL: none yet */
    uint64_t recent, before; /* O: bits of classes with a change of magazine, in this turn and the last one */
    uint64_t freeing;        /* O: bits of classes whose last change was to a magazine to free into */
    unsigned changes;        /* O: in this turn */
    wf_atomic_u32 spare_counts[WEFT_SIZE_CLASSES]; /* A: their objects; relaxed, written by O */
};

struct wf_cache {
    weft_cache face;
    struct wf_node_memory *memory;   /* I; lock: NULL once detached, which the thread sees by face.pool */
    struct wf_area area;             /* I: this struct */
    struct wf_cache *next_of_thread; /* O */
    struct wf_cache *prev, *next;    /* lock: in memory->caches */
    struct wf_bins home;             /* O */
    wf_atomic_ptr remote[];          /* A: struct wf_remote_bins of each other node, NULL: none yet; release, acquire */
};

/*
 * An object of at least `bytes` at a multiple of `align` (a power of two), on a node or WEFT_NODE_HOME; *zero (if wanted): its memory is
 * zero. NULL with a text. Any thread.
 */
void *wf_cache_alloc(struct wf_node_memory *memory, unsigned node, size_t bytes, size_t align, bool *zero);

/* Any object, on any thread. */
void wf_cache_free(void *object);

/* Detach the caches of all threads, and give back the tags of all node pools. By contract nobody calls meanwhile. */
void wf_caches_detach(struct wf_node_memory *memory);

/* Add to each class's count the objects that lie in caches of threads and are a node's. */
void wf_caches_count(struct wf_node_memory *memory, unsigned node, size_t *counts);

/* What the calling thread has of this pool's node pools goes to the depots. */
void wf_caches_flush_own(struct wf_node_memory *memory);

/* Give a new node pool its tag. */
void wf_caches_tag(struct wf_node_pool *pool);

/*
 * The area, or mapping of one object, that an address is in, NULL: it is no living pool's. Until it is unlocked no pool's memory
 * comes or goes.
 */
struct wf_node_area *wf_caches_lock_area(const void *address);
void wf_caches_unlock_area(struct wf_node_area *area);

/* In a child of fork(), which has one thread. */
void wf_caches_enter_child(void);

#endif
