/*
 * Areas: where the objects of a node pool lie. An area is address space that begins at a multiple of its size, so that the address of an
 * object tells its area, and the area's map what the object is. It consists of chunks of 16 KiB; runs of chunks are given out as spans
 * (node_span.h), and a run that is free joins the free runs beside it. The first chunks of an area hold this header; nothing of
 * the allocator is kept in free memory.
 *
 * Objects that no area has room for have a mapping of their own, which begins with the same header.
 *
 * Threading: all under the lock of the node pool (L), but the map's entry of an object that somebody holds, and `owner`, which any
 * thread reads.
 */
#ifndef WF_MEMORY_NODE_AREA_H
#define WF_MEMORY_NODE_AREA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weft/alloc.h"
#include "weft/memory.h"

#define WF_CHUNK_BYTES ((size_t)1 << WEFT_NODE_CHUNK_SHIFT)
#define WF_AREA_CHUNKS ((unsigned)(WEFT_NODE_AREA_BYTES / WF_CHUNK_BYTES))
#define WF_CHUNK_OBJECTS (WF_CHUNK_BYTES / 16) /* of the smallest class */

/* What the map says of a chunk, beside the node pool's tag: a size class, or that what begins there is larger. A free chunk has 0, which is
 * nobody's tag. */
#define WF_CLASS_LARGE ((uint32_t)WEFT_SIZE_CLASSES)
#define WF_CLASS_MASK 0xffu

enum wf_span_state {
    WF_SPAN_NONE, /* not the first chunk of anything, nor the last of a free run */
    WF_SPAN_FREE,
    WF_SPAN_SMALL, /* objects of one class */
    WF_SPAN_LARGE  /* one object */
};

/* A run of chunks, told by the record of its first chunk (free ones: by that of the last too). */
struct wf_node_span {
    uint8_t state, size_class;
    uint16_t first;                   /* index of the run's first chunk; every chunk of a run of objects has it */
    uint16_t chunks;                  /* of the run */
    uint32_t objects, carved, free;   /* SMALL: how many there are; of these, ever handed out; of these, free again */
    uint32_t hint;                    /* SMALL: no free object lies in words of its bits before this one */
    struct wf_node_span *prev, *next; /* FREE: runs of the same length; SMALL: spans of the class with something free */
};

struct wf_node_pool;

struct wf_node_area {
    wf_atomic_u32 map[WF_AREA_CHUNKS]; /* A: tag << 8 | class; relaxed: who holds an object got it after the entry was written */
    struct wf_node_pool *owner;        /* I */
    struct wf_node_area *next;         /* L */
    size_t bytes;                      /* I: of the mapping */
    size_t object_offset;              /* I: of the object in a mapping of its own; 0: an area of chunks */
    uint64_t touched[WF_AREA_CHUNKS / 64];                   /* L: chunks that may have pages; the others are zero */
    uint64_t fixed[WF_AREA_CHUNKS / 64];                     /* L: of these, in reserved huge pages, which stay */
    struct wf_node_span spans[WF_AREA_CHUNKS];               /* L */
    uint64_t bits[WF_AREA_CHUNKS * (WF_CHUNK_OBJECTS / 64)]; /* L: free objects, for each span from its first chunk's on */
};

#define WF_AREA_HEADER_CHUNKS ((unsigned)((sizeof(struct wf_node_area) + WF_CHUNK_BYTES - 1) / WF_CHUNK_BYTES))
#define WF_AREA_RUN_MOST (WF_AREA_CHUNKS - WF_AREA_HEADER_CHUNKS) /* the longest run */

static inline struct wf_node_area *wf_area_of(const void *address) {
    return (struct wf_node_area *)((uintptr_t)address & ~(WEFT_NODE_AREA_BYTES - 1));
}

static inline unsigned wf_chunk_of(const void *address) {
    return (unsigned)(((uintptr_t)address & (WEFT_NODE_AREA_BYTES - 1)) >> WEFT_NODE_CHUNK_SHIFT);
}

static inline char *wf_chunk_start(struct wf_node_area *area, unsigned chunk) {
    return (char *)area + chunk * WF_CHUNK_BYTES;
}

static inline char *wf_span_start(struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    return wf_chunk_start(area, (unsigned)(span - area->spans));
}

/* The free runs of a node pool by their length: the last list for all that are longer, and some before it for lengths that differ little. */
#define WF_RUN_LISTS 64u
struct wf_free_runs {
    struct wf_node_span *lists[WF_RUN_LISTS]; /* L */
    uint64_t some;                            /* L: which lists have a run */
};

/*
 * The shortest free run with room for `chunks` (at most WF_AREA_RUN_MOST) that begin at a multiple of `align` chunks; what it has more
 * stays free. The area grows by one where there is none. All chunks' `first` is set. NULL with a text: no address space.
 */
struct wf_node_span *wf_run_take(struct wf_node_pool *pool, unsigned chunks, unsigned align);

/* Chunks of a stretch that may have pages. */
unsigned wf_run_touched(const struct wf_node_area *area, unsigned first, unsigned chunks);

/* Tell the kernel where pages belong that are not there yet, if it is to be told, and keep its refusal in the pool. */
void wf_area_bind(struct wf_node_pool *pool, void *start, size_t bytes);

/* Give a run back; its map entries become 0. Some of what is free may go to the system: node_trim.h. */
void wf_run_give(struct wf_node_pool *pool, struct wf_node_span *span);

/* Shorten a run, or lengthen it by what is free behind it; false: that is too little. */
bool wf_run_resize(struct wf_node_pool *pool, struct wf_node_span *span, unsigned chunks);

/* Whether all of a run is zero; its chunks count as touched from now on. */
bool wf_run_touch(struct wf_node_span *span);

/* Write the map's entries of a run. */
void wf_run_mark(struct wf_node_pool *pool, struct wf_node_span *span, uint32_t size_class);

/* An object in a mapping of its own, at a multiple of `align`, zero. NULL with a text. Takes no lock but to enter the list. */
void *wf_mapping_take(struct wf_node_pool *pool, size_t bytes, size_t align);
void wf_mapping_give(struct wf_node_pool *pool, struct wf_node_area *mapping);

/* Unmap all areas and mappings. */
void wf_areas_release(struct wf_node_pool *pool);

#endif
