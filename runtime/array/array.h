/*
 * What an array is made of, shared by the files of this room: array.c (life), place.c (options to nodes), layout.c (who owns which
 * bytes), pages.c (which kind of pages), policy.c (what the kernel is told), touch.c (making pages present), migrate.c (moving them),
 * placement.c (where they are), locality.c (loops over arrays), resize.c, replica.c (copies replaced while they are read), adopt.c
 * (memory of others).
 * Threading: everything is fixed after weft_array_create(); the items belong to the caller.
 */
#ifndef WF_ARRAY_ARRAY_H
#define WF_ARRAY_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

#include "memory/pages.h"
#include "weft/array.h"

/* Why less is granted than asked, the gravest first. */
enum wf_array_reason { WF_REASON_POLICY, WF_REASON_PLACE, WF_REASON_PAGES, WF_REASON_LOCK, WF_REASONS };

struct weft_array {
    weft_pool *pool;
    const weft_plan_node *nodes; /* the plan's */
    unsigned node_count, worker_count;
    bool this_system; /* the plan's nodes are nodes of this machine */
    size_t n, item_bytes;
    weft_array_options options; /* without the caller's pointers */
    unsigned *turns;            /* INTERLEAVED, WEIGHTED: unit u belongs to node turns[u mod period]; else NULL */
    unsigned period;
    bool exact;                           /* with turns: they begin with unit 0; else the kernel chooses which comes first */
    bool *shares;                         /* per node: its workers own parts */
    const weft_plan_memory_node **memory; /* per node: the memory-only node where its pages belong; NULL: with its workers */
    size_t unit;                          /* bytes: parts of different workers begin in different multiples of it */
    size_t *bounds;                       /* worker i owns items [bounds[i], bounds[i + 1]); worker_count + 1 values */
    size_t *stretches;                    /* without turns: pages of node k begin at byte stretches[k]; node_count values */
    bool policy;                     /* the kernel was told where the pages belong; otherwise whoever touches first decides */
    bool locked;                     /* granted */
    unsigned copies;                 /* REPLICATED: node_count, else 1 */
    size_t head;                     /* the items begin so many bytes into the area; 0 unless adopted */
    struct wf_area *areas;           /* one per copy; REPLICATED: of the current version */
    struct wf_replica *replica;      /* REPLICATED: its versions; else NULL */
    const char *reasons[WF_REASONS]; /* "" where nothing is amiss; static */
    struct wf_adoption *adopted;     /* the area is memory of somebody else; NULL: the array's own */
};

/* The gravest reason, "" if there is none. */
const char *wf_array_reason(const weft_array *array);

/* Options that make sense for a plan. WEFT_EINVAL. */
weft_status wf_place_check(const weft_array_options *options, const weft_plan *plan);

/* Where the pages belong, for sentences: "node 1". */
const char *wf_place_name(const weft_array *array, char *text, size_t room);

/* Set turns, period, exact, shares and memory from checked options. WEFT_ENOMEM; WEFT_EINVAL, WEFT_ETOPOLOGY, WEFT_ESTRICT: a device. */
weft_status wf_place_resolve(weft_array *array, const weft_array_options *options);

/*
 * The struct and its tables, without areas, from checked options: WEFT_ENOMEM, or what a device comes to. In an error *made is for
 * weft_array_destroy() all the same.
 */
weft_status wf_array_new(weft_array **made, weft_pool *pool, size_t n, size_t item_bytes, const weft_array_options *options);

/*
 * Make the area one over memory of somebody else. It begins at a multiple of its unit, so that units are whole: bytes before
 * wf_array_lead() belong to nothing of the array.
 */
void wf_array_borrow(weft_array *array, const void *start);

/* First byte, in its area, of the first page of the items. */
static inline size_t wf_array_lead(const weft_array *array) {
    return array->head - array->head % wf_page_bytes();
}

/*
 * Reserve all copies and lay them out, with smaller pages where a node has not enough reserved ones. WEFT_ENOMEM; WEFT_ESTRICT: the
 * options are strict.
 */
weft_status wf_array_reserve_all(weft_array *array);

/* The kind of pages that was granted (of copies the smallest), and their size. */
weft_pages wf_array_granted(const weft_array *array, size_t *page_bytes);

/* Lock the pages if the options ask for it: those that are present, or untouched ones as they come. WEFT_ESTRICT. */
weft_status wf_array_lock(weft_array *array);

/* Copy the items that both arrays have, each by a worker of the node where it belongs in `array`. Errors: as weft_for(). */
weft_status wf_array_copy(const weft_array *array, const weft_array *from);

/* The caller's options, whole, and such as make sense for the pool. WEFT_EINVAL. */
weft_status wf_array_read_options(weft_array_options *known, const weft_pool *pool, const weft_array_options *options);

/* A size that an array may have. WEFT_EINVAL. */
weft_status wf_array_check_size(size_t n, size_t item_bytes);

/* Tables that depend on the size or the version; the others do not, and a copy of the struct may have them in common. WEFT_ENOMEM. */
weft_status wf_array_allocate_sized(weft_array *array);
void wf_array_release_sized(weft_array *array); /* and the areas */

/* REPLICATED: as weft_array_replicate(). */
weft_status wf_array_fill(const weft_array *array, const void *items);

/* Give an array without areas its areas, bounds and stretches (their tables are there), its pages, policy and locks. */
weft_status wf_array_furnish(weft_array *array);

/* Set unit, bounds and stretches; the areas are reserved. */
void wf_array_lay_out(weft_array *array);

/* How many workers have parts: those of the nodes that share the array. */
unsigned wf_array_sharers(const weft_array *array);

/* Whether parts may not share a page, because they lie on different nodes. */
bool wf_array_lies_apart(const weft_array *array);

/* First byte, in its area, of the part that begins with item `bound`: pages belong to the part whose items begin in them. */
size_t wf_array_byte(const weft_array *array, size_t bound);

/*
 * The node, by its index in the plan, that a page of a copy belongs to; *end: what lies before that byte, from here on, belongs to
 * it too. Not for turns that are not exact.
 */
unsigned wf_array_owner(const weft_array *array, unsigned copy, size_t byte, size_t *end);

/*
 * Tell the kernel where the pages belong; strict: on that node and nowhere else. Only an array whose options are strict fails
 * (WEFT_ESTRICT), others keep the reason. Exact turns are told after they have been touched.
 */
weft_status wf_array_bind(weft_array *array, bool strict);

/* Exact turns: pages stay where their touch has put them, and come later where they are touched. */
weft_status wf_array_hold(const weft_array *array);

/* OS index of the node where workers of node k have their memory: of the plan, or where they have moved since. -1: none. */
int wf_array_home(const weft_array *array, unsigned k);

/* Whether OS node `os_node` is that, or the node itself where it borrows memory from another. */
bool wf_array_is_home(const weft_array *array, unsigned k, int os_node);

/* OS index of the node where the pages of node k belong: a memory-only one, or its home. -1: none. */
int wf_array_target(const weft_array *array, unsigned k);

/* Whether a page on OS node `os_node` is where the pages of node k belong (its part, its turn, its copy). */
bool wf_array_belongs(const weft_array *array, unsigned k, int os_node);

/* Whether a page on OS node `os_node` is local to the workers of node k: at home, or on a memory-only node nearest to them. */
bool wf_array_is_local(const weft_array *array, unsigned k, int os_node);

/* ON_MEMORY_NODE: whether node k is among the nearest. */
bool wf_array_is_nearest(const weft_array *array, unsigned k);

#endif
