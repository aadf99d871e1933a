/*
 * A scratch arena: one stretch of address space, its header at the begin, its pages made present from the front as objects need
 * them. So a reset or a rewind is one store, objects of any size need no second kind of memory, and a peak is the highest `next`.
 * Knows no worker: who keeps arenas, and on which node, is in scheduler/scratch_cache.c.
 *
 * Invariant: area.start + header <= first <= face.next <= face.end <= min(populated, limit), all multiples of
 * WEFT_SCRATCH_ALIGNMENT. Under AddressSanitizer face.end is face.next, so that every allocation comes here, and all that is not
 * part of an object is poisoned.
 *
 * Rejected: a chain of blocks (large requests need blocks of their own, which a rewind then has to tell apart; the rest of each block
 * is lost; and the next token with the same peak walks the same chain of cache and TLB misses).
 *
 * Threading: one thread at a time; whoever hands the arena on orders that.
 */
#ifndef WF_MEMORY_SCRATCH_H
#define WF_MEMORY_SCRATCH_H

#include "base/compiler.h"
#include "memory/pages.h"
#include "weft/scratch.h"

struct wf_scratch {
    weft_scratch face;   /* next: begin of the next object; end: of what may be taken without a call */
    char *first;         /* begin of the first object */
    char *populated;     /* pages are present up to here */
    char *limit;         /* no object ends beyond */
    size_t peak;         /* of `next - first`, when `next` went back last; since wf_scratch_renew() */
    struct wf_area area; /* this header included */
    char *small;         /* up to here base pages, populated by small steps */
    int os_node;         /* where its pages belong, -1: anywhere */
    bool bound;          /* the kernel was told so */
    unsigned node;       /* the keeper's: node of the pool */
    void *keeper;        /* the keeper's */
    struct wf_scratch *next_idle, *next_made, **made_by; /* the keeper's, under its lock */
};

/* Put the pages of the area on its node, before any is touched; false: the first touch decides. */
typedef bool (*wf_scratch_bind_fn)(void *arg, void *start, size_t bytes);

/* Reserve an arena for `limit` bytes of objects, at least 1. WEFT_ENOMEM. */
weft_status wf_scratch_make(struct wf_scratch **scratch, size_t limit, bool base_pages, wf_scratch_bind_fn bind, void *arg);

void wf_scratch_unmap(struct wf_scratch *scratch);

/* Most bytes of objects that were there at once, so far. */
size_t wf_scratch_peak(const struct wf_scratch *scratch);

/* Bytes of pages that are present. */
size_t wf_scratch_populated(const struct wf_scratch *scratch);

/* End all objects, forget the peak and put the limit back, for the next user. */
void wf_scratch_renew(struct wf_scratch *scratch);

/* Give back the pages of a renewed arena beyond `keep` bytes. */
void wf_scratch_trim(struct wf_scratch *scratch, size_t keep);

static inline struct wf_scratch *wf_scratch_of(weft_scratch *face) {
    return WF_CONTAINER_OF(face, struct wf_scratch, face);
}

#endif
