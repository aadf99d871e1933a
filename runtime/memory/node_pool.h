/*
 * Node pools: the memory of one node of a pool, and all of them together. What a thread has for itself is in node_cache.h; it
 * exchanges magazines with the depot of a node pool (depot.h), and the depot is filled from spans of objects (node_span.h) in
 * areas of chunks (node_area.h), under the node pool's lock.
 *
 * Conservation, for each node pool and size class, whenever nobody is inside a call:
 *     objects carved = objects that the program holds + free in spans + in magazines of the depot + in magazines of threads
 *
 * Threading letters: I fixed after init, A atomic, L under the node pool's lock.
 *
 * What the program frees is checked where a pool is hardened: node_check.h.
 */
#ifndef WF_MEMORY_NODE_POOL_H
#define WF_MEMORY_NODE_POOL_H

#include <pthread.h>
#include <stdbool.h>

#include "memory/depot.h"
#include "memory/node_area.h"
#include "memory/pages.h"
#include "weft/plan.h"

/* Address space for the magazines of a node pool. */
#define WF_MAGAZINES ((size_t)1 << 16)

/* Spans of one size class. */
struct wf_class_spans {
    struct wf_node_span *some; /* L: spans with something free or not carved; the first is taken from */
    size_t spans, chunks;      /* L: all of the class */
    size_t carved, free;       /* L: objects ever handed out of its spans; of these, free in spans */
};

struct wf_node_memory;

/* Lies in `space` with its magazines. */
struct wf_node_pool {
    struct wf_node_memory *memory; /* I */
    struct wf_area space;          /* I: this struct, and the table of magazines behind it */
    struct wf_magazine *table;     /* I */
    unsigned node;                 /* I: index in the plan */
    uint32_t tag;                  /* I: shifted by 8; of all node pools that live, this one's only */
    struct wf_node_pool *next;     /* lock of node_cache.c: the next one that lives, of any pool */
    weft_status refusal;           /* L: why the last area could not be bound, WEFT_OK: it was */
    pthread_mutex_t lock;
    struct wf_node_area *areas;      /* L: of chunks, the newest first */
    struct wf_node_area *mappings;   /* L: of one object each */
    size_t area_bytes, mapped_bytes; /* L: address space of either */
    size_t mappings_count;           /* L */
    struct wf_free_runs runs;        /* L */
    size_t used_chunks, peak_chunks; /* L: of runs in use; the most that were */
    size_t free_touched;             /* L: chunks of free runs that may have pages */
    size_t kept_chunks;              /* L: of these, that stay so, see node_trim.h */
    size_t trim_chunks;              /* L: look whether some may go once there are more than this */
    unsigned trim_class;             /* L: whose depot is emptied next, see node_trim.h */
    size_t large, large_bytes;       /* L: objects above the classes that the program holds */
    struct wf_class_spans classes[WEFT_SIZE_CLASSES];
    WF_LINE_ALIGNED wf_atomic_u64
        cache_bytes;         /* A: what a thread should have in its cache; relaxed: a hint; written under the lock */
    wf_atomic_u32 magazines; /* A: taken from the table; relaxed: a number is whoever's got it */
    struct wf_depot depots[WEFT_SIZE_CLASSES];
};

/* What the room above knows of the pool. */
struct wf_node_owner {
    const void *pool; /* the weft_pool, only compared */
    const weft_plan *plan;
    unsigned nodes;
    bool placed;                                     /* memory can lie on one node or another */
    bool hardened;                                   /* what the program frees is checked, see node_check.h */
    int (*os_node)(const void *pool, unsigned node); /* where the memory of a node is to lie now; -1: nobody knows */
    int (*home)(const void *pool);                   /* the calling thread's node; -1: the pool is of another process */
};

struct wf_cache;

/* All node pools of a pool. Made with the first allocation. */
struct wf_node_memory {
    struct wf_node_owner owner; /* I */
    pthread_mutex_t lock;       /* makes node pools */
    struct wf_cache *caches;    /* L: the lock of node_cache.c; those that threads have for this pool */
    wf_atomic_ptr pools[];      /* A: per node, NULL: not asked for yet; release, acquire */
};

/* WEFT_ENOMEM. */
weft_status wf_node_memory_make(struct wf_node_memory **memory, const struct wf_node_owner *owner);

/* Everything goes, what the program holds included; nobody calls any more. */
void wf_node_memory_release(struct wf_node_memory *memory);

/* The node pool of a node, made if need be. NULL with a text. Any thread. */
struct wf_node_pool *wf_node_pool_of(struct wf_node_memory *memory, unsigned node);

/* The same, NULL where none has been made. */
static inline struct wf_node_pool *wf_node_pool_if(struct wf_node_memory *memory, unsigned node) {
    return wf_load(&memory->pools[node], WF_ACQUIRE); /* pairs with wf_node_pool_of() */
}

/* Bytes of the objects that a magazine has room for: less would not be worth its own size and its way, more only lies there. */
#define WF_MAGAZINE_LEAST ((size_t)16 << 10)
#define WF_MAGAZINE_MOST ((size_t)32 << 10)

/* As objects of a class. */
static inline unsigned wf_magazine_fit(unsigned size_class, size_t bytes) {
    size_t fit = bytes / weft_class_bytes(size_class);
    return fit > WF_MAGAZINE_OBJECTS ? (unsigned)WF_MAGAZINE_OBJECTS : fit ? (unsigned)fit : 1;
}

/* A magazine without objects for a class: from the depot, or fresh. NULL: all are in use. */
struct wf_magazine *wf_node_pool_empty(struct wf_node_pool *pool, unsigned size_class);

/* A magazine with objects out of the depot. NULL: it has none. */
struct wf_magazine *wf_node_pool_full(struct wf_node_pool *pool, unsigned size_class);

/* Put a magazine into the depot. If that has enough, its objects go back to the spans and the magazine comes back empty; else NULL. */
struct wf_magazine *wf_node_pool_put(struct wf_node_pool *pool, unsigned size_class, struct wf_magazine *magazine);

/* Objects from the spans, into `objects`: at most `most`, at least one; 0 with a text: no memory. */
unsigned wf_node_pool_carve(struct wf_node_pool *pool, unsigned size_class, void **objects, unsigned most);

/* Objects back to the spans. */
void wf_node_pool_give(struct wf_node_pool *pool, unsigned size_class, void *const *objects, unsigned count);

/* An object above the classes; *zero: its pages are. NULL with a text. */
void *wf_node_pool_large(struct wf_node_pool *pool, size_t bytes, size_t align, bool *zero);
void wf_node_pool_give_large(struct wf_node_pool *pool, void *object);

/* Make a large object larger or smaller where it is. */
bool wf_node_pool_resize_large(struct wf_node_pool *pool, void *object, size_t bytes);

/* Bytes of an object of whatever kind. */
size_t wf_object_bytes(const void *object);

/* First object of a magazine. */
static inline void **wf_magazine_first(struct wf_magazine *magazine) {
    return &magazine->words[WF_MAGAZINE_WORDS - wf_load(&magazine->room, WF_RELAXED)];
}

/* Choose how many objects an empty magazine has room for, in [1, WF_MAGAZINE_OBJECTS]. */
static inline void wf_magazine_set_room(struct wf_magazine *magazine, unsigned room) {
    wf_store(&magazine->room, room, WF_RELAXED);
    wf_magazine_first(magazine)[-1] = NULL;
}

#endif
