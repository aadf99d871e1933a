/*
 * A pool of equal records (tasks, groups, submissions): allocated by one owner, freed by any thread. The owner is one thread,
 * or whoever holds a lock that the caller names. Records lie on cache lines of their own, in one reserved area of address
 * space that is populated slab by slab, so that the area's policy or the owner's first touch decides their node.
 *
 * Conservation, whenever nobody is inside a call:
 *     carved = live + free list + pending chain + remote stack
 * where live are the records handed out and not freed. wf_record_pool_free_count() checks it in tests.
 *
 * Edges: a record freed by another thread goes through a wait-free stack (liburcu's wfstack). The free stores the record's
 * `handed_over` with release, the owner loads it with acquire before it uses the record again: the freeing thread's last
 * accesses happen before the next life of the record. The stack's own exchange (a full barrier inside liburcu) gives the
 * same order on every machine; the word states it in C11 and shows it to ThreadSanitizer, which does not see into liburcu.
 *
 * Rejected: cds_wfs_next_blocking() to walk what was popped, because it sleeps 10 ms when a pusher was preempted between its
 * exchange and its store of the link. The chain that is not linked yet is kept as `pending` and a fresh record is carved.
 */
#ifndef WF_MEMORY_RECORD_POOL_H
#define WF_MEMORY_RECORD_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include <urcu/wfstack.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "memory/pages.h"
#include "memory/poison.h"

#define WF_RECORD_SLAB_BYTES ((size_t)64 * 1024)

/* How a free record begins; the rest of it is poisoned under AddressSanitizer. */
struct wf_free_record {
    struct cds_wfs_node node;
    wf_atomic_u32 handed_over; /* A: written by a remote free (release), read by the owner (acquire) */
};

/* Letters: I fixed after init, O owner only, A atomic. */
struct wf_record_pool {
    WF_LINE_ALIGNED struct cds_wfs_node *free;     /* O: linked by node.next, NULL at the end */
    size_t record_bytes;                           /* I: a multiple of WF_LINE */
    char *fresh, *populated;                       /* O: carved up to here; pages present up to here */
    struct cds_wfs_node *pending;                  /* O: rest of a popped stack, NULL: none */
    size_t carved;                                 /* O: records that exist */
    struct wf_area area;                           /* I */
    WF_LINE_ALIGNED struct __cds_wfs_stack remote; /* A: push by any thread, pop_all by the owner */
};

/* Put the pages of the pool's area where they belong, before any is touched. A failure is the failure of the init. */
typedef weft_status (*wf_record_bind_fn)(void *arg, void *start, size_t bytes);

/*
 * record_bytes: at least 1, rounded up to whole lines. max_bytes: address space of all records, rounded up to whole slabs; no
 * memory is used before it is carved. bind: NULL: pages come from the node of the owner that carves them.
 * WEFT_EINVAL: a size is 0; WEFT_ENOMEM: no address space; or what bind returned.
 */
weft_status wf_record_pool_init(struct wf_record_pool *pool, size_t record_bytes, size_t max_bytes, wf_record_bind_fn bind,
                                void *bind_arg);

/* The same in an area that the caller has reserved, of whole slabs. The pool releases it. */
void wf_record_pool_init_in(struct wf_record_pool *pool, size_t record_bytes, const struct wf_area *area);

/* Give everything back, live records included. When nobody uses the pool; a pool of zero bytes is allowed. */
void wf_record_pool_destroy(struct wf_record_pool *pool);

/* Number of free records, by walking them. Owner, while no other thread frees (else those are missed). */
size_t wf_record_pool_free_count(struct wf_record_pool *pool);

/* The slow half of wf_record_alloc(): take back remote frees, else carve. NULL with a detail text: out of memory. */
WF_COLD void *wf_record_refill(struct wf_record_pool *pool);

/* The slow half of wf_record_free(). */
void wf_record_free_remote(struct wf_record_pool *pool, struct wf_free_record *record);

/* One record, its content undefined; NULL: max_bytes are in use or memory is exhausted (WEFT_ENOMEM's text). Owner. */
static inline void *wf_record_alloc(struct wf_record_pool *pool) {
    struct cds_wfs_node *node = pool->free;
    if (WF_UNLIKELY(!node))
        return wf_record_refill(pool);
    pool->free = node->next;
    wf_unpoison(node, pool->record_bytes);
    return node;
}

/* Give a record back. owner: the caller is the owner now; otherwise any thread. Does not block. */
static inline void wf_record_free(struct wf_record_pool *pool, void *record, bool owner) {
    struct wf_free_record *freed = record;
    wf_poison(freed + 1, pool->record_bytes - sizeof *freed);
    if (WF_UNLIKELY(!owner)) {
        wf_record_free_remote(pool, freed);
        return;
    }
    freed->node.next = pool->free;
    pool->free = &freed->node;
}

#endif
