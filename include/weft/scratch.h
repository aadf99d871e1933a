/*
 * Scratch arenas: memory for the objects of one task, token or batch, which end together. An arena is a stretch of address space
 * on one node, whose pages become present as they are needed and stay; objects are taken from it one after the other, without a
 * header, and given back all at once. A pool keeps released arenas for the next token, on the node they came from.
 *
 *     weft_scratch *scratch = weft_scratch_acquire(pool, WEFT_NODE_HOME);
 *     struct word *words = weft_scratch_alloc(scratch, n * sizeof *words);
 *     ...
 *     weft_scratch_release(scratch);                       // any thread
 *
 * Threads: an arena is used by one thread at a time. Who hands it on orders that, as the stages of a pipeline do.
 *
 * Source: mark and release as in obstacks (GNU libc manual, 3.2.6) and regions (Tofte, Talpin, Inf. and Comp. 1997).
 */
#ifndef WEFT_SCRATCH_H
#define WEFT_SCRATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/plan.h"
#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_pool weft_pool;

/** Every object begins at a multiple of this, or of the alignment that was asked for. */
#define WEFT_SCRATCH_ALIGNMENT 16

/** An arena. Programs use it through the functions below only; what its fields mean is told in runtime/memory/scratch.h. */
typedef struct weft_scratch {
    char *next;
    char *end;
} weft_scratch;

/** A moment in the life of an arena, see weft_scratch_mark(). */
typedef struct weft_mark {
    char *next;
} weft_mark;

/** What the arenas of a pool may take and keep; see weft_scratch_configure(). Start from WEFT_SCRATCH_OPTIONS_INIT. */
typedef struct weft_scratch_options {
    size_t size;
    size_t limit_bytes; /**< address space of each arena, which its objects cannot exceed. 0: 1 GiB, less under `ulimit -v` */
    size_t keep_bytes;  /**< what an arena keeps of its pages while nobody uses it. 0: 4 MiB */
    unsigned idle;      /**< arenas that each node keeps while nobody uses them, those that its workers keep at hand not counted;
                             one more is unmapped. 0: 64 */
    bool base_pages;    /**< base pages only; false: what an arena has beyond its first huge page is transparent huge pages */
} weft_scratch_options;

#define WEFT_SCRATCH_OPTIONS_INIT .size = sizeof(weft_scratch_options)

/**
 * Get an empty arena on a node: one that was released there, or a new one.
 *
 * @param node  in [0, weft_pool_nodes(pool)), or WEFT_NODE_HOME: the calling worker's node; on other threads the one they run on.
 * @return NULL with a text: WEFT_EINVAL: NULL, no such node; WEFT_ENOMEM; WEFT_EFORK.
 *
 * Where the kernel takes no memory policy, pages lie on the node of the thread that needs them first. Threads: any. Blocks: no
 * longer than another acquire or release; a new arena costs some system calls.
 */
WEFT_API weft_scratch *weft_scratch_acquire(weft_pool *pool, unsigned node);

/**
 * Give an arena back, whole, to the node it came from. All its objects end. NULL is allowed. In a child of fork() nothing happens.
 * weft_pool_destroy() takes back what was not released before; then the arena is gone.
 *
 * Threads: any, also another than the one that acquired it.
 */
WEFT_API void weft_scratch_release(weft_scratch *scratch);

/** The slow half of the allocations below; not to be called by programs. */
WEFT_API void *weft_scratch_more(weft_scratch *scratch, size_t alignment, size_t bytes);

/**
 * Take `bytes` from the arena, their content undefined. Zero bytes: a pointer at which nothing may be read or written, and which the
 * next object may have as well. Under AddressSanitizer what is beyond the object cannot be used.
 *
 * @return NULL with a text: WEFT_ENOMEM: it would exceed the arena's limit, or there is no memory. The arena is as it was.
 *
 * Threads: the arena's. Blocks: no; now and then a system call makes the next pages present.
 */
static inline void *weft_scratch_alloc(weft_scratch *scratch, size_t bytes) {
    char *object = scratch->next;
    if (__builtin_expect(bytes > (size_t)(scratch->end - object), 0))
        return weft_scratch_more(scratch, WEFT_SCRATCH_ALIGNMENT, bytes);
    scratch->next = object + ((bytes + WEFT_SCRATCH_ALIGNMENT - 1) & ~(size_t)(WEFT_SCRATCH_ALIGNMENT - 1));
    return object;
}

/**
 * The same, beginning at a multiple of `alignment`.
 *
 * @param alignment  a power of two.
 * @return NULL also with WEFT_EINVAL: alignment is no power of two.
 */
static inline void *weft_scratch_aligned_alloc(weft_scratch *scratch, size_t alignment, size_t bytes) {
    size_t room = (size_t)(scratch->end - scratch->next), gap = -(size_t)(uintptr_t)scratch->next & (alignment - 1);
    if (__builtin_expect(!alignment || (alignment & (alignment - 1)) || gap > room || bytes > room - gap, 0))
        return weft_scratch_more(scratch, alignment, bytes);
    char *object = scratch->next + gap;
    scratch->next = object + ((bytes + WEFT_SCRATCH_ALIGNMENT - 1) & ~(size_t)(WEFT_SCRATCH_ALIGNMENT - 1));
    return object;
}

/** weft_scratch_alloc() of count * bytes, all zero. NULL with a text also where the product exceeds the address space: WEFT_ENOMEM. */
WEFT_API void *weft_scratch_calloc(weft_scratch *scratch, size_t count, size_t bytes);

/**
 * Change the size of an object of `old_bytes`: in place where it is the arena's newest and there is room, else as a copy, the old
 * object staying where it is. object NULL: as weft_scratch_alloc().
 *
 * @return as weft_scratch_alloc(); after NULL the object is as it was.
 */
WEFT_API void *weft_scratch_realloc(weft_scratch *scratch, void *object, size_t old_bytes, size_t bytes);

/** The moment, to go back to with weft_scratch_rewind(). Threads: the arena's. */
static inline weft_mark weft_scratch_mark(const weft_scratch *scratch) {
    weft_mark mark = {scratch->next};
    return mark;
}

/**
 * End all objects that were taken since the mark. Marks nest; one may be gone back to many times. Takes the same time however many
 * objects there are, and so does weft_scratch_reset().
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL, or the mark is of another arena, or was taken after the moment the arena is at now (nothing
 *         happens).
 *
 * Threads: the arena's.
 */
WEFT_API weft_status weft_scratch_rewind(weft_scratch *scratch, weft_mark mark);

/** End all objects. The pages stay. NULL is allowed. Threads: the arena's. */
WEFT_API void weft_scratch_reset(weft_scratch *scratch);

/**
 * Bound what the arena may hold, until it is released.
 *
 * @param bytes  at least what is in use, at most the limit_bytes it was made with; 0: that.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or out of that range; the text names it.
 *
 * Threads: the arena's.
 */
WEFT_API weft_status weft_scratch_set_limit(weft_scratch *scratch, size_t bytes);

/** Where an arena stands. Bytes include what alignment takes. */
typedef struct weft_scratch_usage {
    unsigned node;          /**< of the pool */
    size_t used_bytes;      /**< by objects now */
    size_t peak_bytes;      /**< most so far, since it was acquired */
    size_t populated_bytes; /**< pages that are present */
    size_t limit_bytes;     /**< see weft_scratch_set_limit() */
    bool bound;             /**< the kernel was told on which node the pages belong; false: the first touch decides */
} weft_scratch_usage;

/** Where the arena stands. WEFT_EINVAL: NULL. Threads: the arena's. */
WEFT_API weft_status weft_scratch_get_usage(const weft_scratch *scratch, weft_scratch_usage *usage);

/**
 * Set what the arenas of a pool may take and keep. Arenas that exist keep their limit and their kind of pages.
 *
 * @param options  NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: NULL pool, a limit above PTRDIFF_MAX / 2, an unknown option.
 *
 * Threads: any.
 */
WEFT_API weft_status weft_scratch_configure(weft_pool *pool, const weft_scratch_options *options);

/** What a node's arenas have done since the pool was made. To size keep_bytes and limit_bytes, look at the peaks. */
typedef struct weft_scratch_stats {
    uint64_t acquired, released;
    uint64_t made;       /**< acquires that needed a new arena */
    uint64_t trimmed;    /**< releases of an arena that had more than keep_bytes */
    uint64_t peak_bytes; /**< of the arena that needed most, until it was released */
    uint64_t mean_bytes; /**< mean of the peaks of all that were released */
    uint64_t arenas;     /**< that exist now */
    uint64_t idle;       /**< of these, kept by the node; its workers may have one more each */
} weft_scratch_stats;

/**
 * Read them without stopping anybody.
 *
 * @param node  in [0, weft_pool_nodes(pool)).
 * @return WEFT_OK; WEFT_EINVAL: NULL, no such node.
 *
 * Threads: any. Counters of running workers may be a few events old.
 */
WEFT_API weft_status weft_scratch_get_stats(weft_pool *pool, unsigned node, weft_scratch_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
