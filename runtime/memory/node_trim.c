/* Pages of free runs given back, and made present. See node_trim.h. */
#include "memory/node_trim.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "base/status.h"
#include "memory/huge_pages.h"
#include "memory/node_span.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MAP_HUGE_SHIFT
#define MAP_HUGE_SHIFT 26
#endif

#define LEAST_CHUNKS (((size_t)32 << 20) / WF_CHUNK_BYTES) /* below this nothing goes by itself */
#define STEP_CHUNKS (((size_t)8 << 20) / WF_CHUNK_BYTES)   /* after a look, so much more before the next one */
#define DEPOT_SHARE 8               /* of the chunks in use, what depots may have when fresh ones are wanted */
#define STEP_OBJECTS ((size_t)4096) /* out of the depots at once: others wait for the lock meanwhile */

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* Chunks of a transparent huge page; 1 where there is none that fits. */
static unsigned huge_chunks(void) {
    size_t bytes = wf_thp_bytes();
    return bytes > WF_CHUNK_BYTES && bytes <= WEFT_NODE_AREA_BYTES / 4 ? (unsigned)(bytes / WF_CHUNK_BYTES) : 1;
}

/* ---- giving back ---- */

static bool may_go(const struct wf_node_area *area, unsigned chunk) {
    return (area->touched[chunk / 64] & ~area->fixed[chunk / 64]) >> chunk % 64 & 1;
}

/* The pages of a stretch of free chunks go. */
static void drop_pages(struct wf_node_pool *pool, struct wf_node_area *area, unsigned first, unsigned chunks) {
    if (madvise(wf_chunk_start(area, first), chunks * WF_CHUNK_BYTES, MADV_DONTNEED))
        return; /* they stay */
    for (unsigned c = first; c < first + chunks; c++) {
        pool->free_touched -= (area->touched[c / 64] >> c % 64) & 1;
        area->touched[c / 64] &= ~(UINT64_C(1) << c % 64);
    }
}

/* Of one free run, in whole units of so many chunks. */
static void trim_run(struct wf_node_pool *pool, struct wf_node_span *span, size_t keep_chunks, unsigned unit) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (span->first + unit - 1) / unit * unit, end = (unsigned)span->first + span->chunks;
    for (; first + unit <= end && pool->free_touched > keep_chunks; first += unit) {
        unsigned going = 0, touched = wf_run_touched(area, first, unit);
        for (unsigned c = first; c < first + unit; c++)
            going += may_go(area, c);
        if (going && going == touched && pool->free_touched >= keep_chunks + going)
            drop_pages(pool, area, first, unit);
    }
}

static void trim_runs(struct wf_node_pool *pool, size_t keep_chunks, unsigned unit) {
    for (unsigned list = WF_RUN_LISTS; list-- > 0;)
        for (struct wf_node_span *span = pool->runs.lists[list]; span && pool->free_touched > keep_chunks; span = span->next)
            trim_run(pool, span, keep_chunks, unit);
}

void wf_runs_trim(struct wf_node_pool *pool) {
    size_t most = larger(larger(LEAST_CHUNKS, pool->used_chunks / 2), pool->kept_chunks);
    if (WF_LIKELY(pool->free_touched <= larger(most, pool->trim_chunks)))
        return;
    trim_runs(pool, larger(most / 2, pool->kept_chunks), huge_chunks());
    pool->trim_chunks = pool->free_touched + STEP_CHUNKS; /* a look that finds nothing is not repeated at once */
}

/* Magazines of one class in the depot back to the spans, until `most` objects or a few more are. Returns their number. */
static size_t empty_depot(struct wf_node_pool *pool, unsigned size_class, size_t most) {
    size_t count = 0;
    for (struct wf_magazine *magazine; count < most && (magazine = wf_node_pool_full(pool, size_class));) {
        void **first = wf_magazine_first(magazine);
        for (unsigned i = 0; i < magazine->count; i++)
            wf_spans_give(pool, size_class, first[i]);
        count += magazine->count;
        magazine->count = 0;
        wf_depot_push(pool->table, &pool->depots[size_class].empty, magazine);
    }
    return count;
}

static size_t depot_bytes(struct wf_node_pool *pool) {
    size_t bytes = 0;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        bytes += (size_t)wf_load(&pool->depots[k].objects, WF_RELAXED) * weft_class_bytes(k); /* about: nothing rests on it */
    return bytes;
}

void wf_depots_trim(struct wf_node_pool *pool) {
    if (depot_bytes(pool) <= pool->used_chunks * WF_CHUNK_BYTES / DEPOT_SHARE)
        return;
    size_t count = 0;
    for (unsigned looks = 0; looks < WEFT_SIZE_CLASSES && count < STEP_OBJECTS; looks++) {
        count += empty_depot(pool, pool->trim_class, STEP_OBJECTS - count);
        pool->trim_class = (pool->trim_class + 1) % WEFT_SIZE_CLASSES;
    }
    wf_spans_trim(pool);
}

void wf_node_pool_trim(struct wf_node_pool *pool, size_t keep_bytes) {
    size_t keep_chunks = keep_bytes / WF_CHUNK_BYTES;
    pthread_mutex_lock(&pool->lock);
    pool->kept_chunks = keep_chunks;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        empty_depot(pool, k, SIZE_MAX);
    wf_spans_trim(pool);
    trim_runs(pool, keep_chunks, 1);
    pool->trim_chunks = 0;
    pthread_mutex_unlock(&pool->lock);
}

/* ---- making present ---- */

/* Put reserved pages in place of what a run has; its content is nobody's. False: there are not enough on the node. */
static bool put_huge(struct wf_node_pool *pool, char *start, size_t bytes, weft_pages pages) {
    const struct wf_node_owner *owner = &pool->memory->owner;
    size_t page = wf_huge_page_bytes(pages), there;
    int os_node = owner->os_node(owner->pool, pool->node);
    if (!page || bytes % page || (uintptr_t)start % page || (wf_huge_pages_free(os_node, page, &there) && there < bytes / page))
        return false;
    int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS;
    void *made = mmap(NULL, bytes, prot, flags | MAP_HUGETLB | (__builtin_ctzll(page) << MAP_HUGE_SHIFT), -1, 0);
    if (made == MAP_FAILED)
        return false;
    if (mremap(made, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, start) == MAP_FAILED) {
        munmap(made, bytes);
        mmap(start, bytes, prot, flags | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0); /* refused where nothing was unmapped */
        wf_area_bind(pool, start, bytes);
        return false;
    }
    wf_area_bind(pool, start, bytes);
    return true;
}

static void fix(struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (unsigned)(span - area->spans);
    for (unsigned c = first; c < first + span->chunks; c++)
        area->fixed[c / 64] |= UINT64_C(1) << c % 64;
}

static bool is_fixed(struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (unsigned)(span - area->spans), count = 0;
    for (unsigned c = first; c < first + span->chunks; c++)
        count += (unsigned)(area->fixed[c / 64] >> c % 64) & 1u;
    return count;
}

static void set_pages(struct wf_node_pool *pool, struct wf_node_span *span, weft_pages pages) {
    char *start = wf_span_start(span);
    size_t bytes = span->chunks * WF_CHUNK_BYTES;
    if (is_fixed(span))
        return; /* some of it has reserved pages already */
    for (; wf_pages_are_reserved(pages); pages = wf_pages_below(pages))
        if (put_huge(pool, start, bytes, pages)) {
            fix(span);
            return;
        }
    madvise(start, bytes, pages == WEFT_PAGES_THP ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
}

weft_status wf_reserve_take(struct wf_node_pool *pool, size_t bytes, weft_pages pages, struct wf_reserve *reserve) {
    unsigned unit = pages == WEFT_PAGES_BASE ? 1 : huge_chunks(),
             most = WF_AREA_CHUNKS - (WF_AREA_HEADER_CHUNKS + unit - 1) / unit * unit;
    size_t left = (bytes + unit * WF_CHUNK_BYTES - 1) / (unit * WF_CHUNK_BYTES) * unit;
    *reserve = (struct wf_reserve){.unit = unit * WF_CHUNK_BYTES};
    reserve->spans = malloc((left / most + 1) * sizeof(struct wf_node_span *));
    if (!reserve->spans)
        return wf_fail(WEFT_ENOMEM, "no memory for a list of %zu runs", left / most + 1);
    pthread_mutex_lock(&pool->lock);
    while (left) {
        struct wf_node_span *span = wf_run_take(pool, left < most ? (unsigned)left : most, unit);
        if (!span)
            break;
        left -= span->chunks;
        set_pages(pool, span, pages);
        reserve->spans[reserve->count++] = span;
    }
    pthread_mutex_unlock(&pool->lock);
    if (!left)
        return WEFT_OK;
    wf_reserve_give(pool, reserve, false);
    return WEFT_ENOMEM; /* with wf_run_take()'s text */
}

void wf_reserve_give(struct wf_node_pool *pool, struct wf_reserve *reserve, bool made) {
    size_t chunks = 0;
    pthread_mutex_lock(&pool->lock);
    for (unsigned i = 0; i < reserve->count; i++)
        chunks += reserve->spans[i]->chunks;
    if (made)
        pool->kept_chunks = larger(pool->kept_chunks, chunks);
    for (unsigned i = 0; i < reserve->count; i++) {
        wf_run_touch(reserve->spans[i]);
        wf_run_give(pool, reserve->spans[i]);
    }
    pthread_mutex_unlock(&pool->lock);
    free(reserve->spans);
    *reserve = (struct wf_reserve){0};
}
