/* Areas from mmap(2), and the free runs of chunks in them. Threading: see node_area.h. */
#include "memory/node_area.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/status.h"
#include "machine/binding.h"
#include "memory/node_check.h"
#include "memory/node_pool.h"
#include "memory/node_trim.h"

/* The first bytes of an area get base pages: its header has few that are written to, and a pool that holds little is to be small. */
#define SMALL_POOL_BYTES ((size_t)8 << 20)
#define HEADER_BYTES ((size_t)2 << 20)

/* Of an area's header, what a mapping of one object has: whole chunks. */
#define MAPPING_HEADER ((offsetof(struct wf_node_area, touched) + WF_CHUNK_BYTES - 1) / WF_CHUNK_BYTES * WF_CHUNK_BYTES)

/* Address space at a multiple of WEFT_NODE_AREA_BYTES: tried where the kernel would put it, else more is mapped and the ends go back. */
static void *map_aligned(size_t bytes) {
    const int prot = PROT_READ | PROT_WRITE, flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const uintptr_t unit = WEFT_NODE_AREA_BYTES;
    char *raw = mmap(NULL, bytes, prot, flags, -1, 0);
    if (raw == MAP_FAILED || !((uintptr_t)raw & (unit - 1)))
        return raw == MAP_FAILED ? NULL : raw;
    munmap(raw, bytes);
    char *hint = (char *)((uintptr_t)raw & ~(unit - 1)); /* below the free place, which may go on there */
    char *again = mmap(hint, bytes, prot, flags, -1, 0);
    if (again == hint)
        return again;
    if (again != MAP_FAILED)
        munmap(again, bytes);
    if (bytes > SIZE_MAX - unit || (raw = mmap(NULL, bytes + unit, prot, flags, -1, 0)) == MAP_FAILED)
        return NULL;
    size_t head = (size_t)(-(uintptr_t)raw & (unit - 1));
    if (head)
        munmap(raw, head);
    munmap(raw + head + bytes, unit - head);
    return raw + head;
}

/* Refusals are kept: the first touch decides then. */
void wf_area_bind(struct wf_node_pool *pool, void *start, size_t bytes) {
    const struct wf_node_owner *owner = &pool->memory->owner;
    struct wf_detail kept;
    if (!owner->placed)
        return;
    wf_detail_keep(&kept);
    pool->refusal = wf_bind_memory(owner->plan, start, bytes, owner->os_node(owner->pool, pool->node), false);
    wf_detail_restore(&kept);
}

static void advise(struct wf_node_pool *pool, void *start, size_t bytes, size_t base_bytes) {
    wf_area_bind(pool, start, bytes);
    if (base_bytes)
        madvise(start, base_bytes, MADV_NOHUGEPAGE);
    if (bytes > base_bytes)
        madvise((char *)start + base_bytes, bytes - base_bytes, MADV_HUGEPAGE);
}

static weft_status no_memory(size_t bytes) {
    return wf_fail(WEFT_ENOMEM, "no address space for %zu bytes of a node's memory: %s (see ulimit -v, vm.max_map_count)", bytes,
                   strerror(errno));
}

/* ---- free runs ---- */

/* One list for each length up to EXACT, then one for STEP lengths. */
static unsigned list_of(unsigned chunks) {
    enum { EXACT = 48, STEP = 16 };
    unsigned list = chunks <= EXACT ? chunks - 1 : EXACT + (chunks - EXACT - 1) / STEP;
    return list < WF_RUN_LISTS ? list : WF_RUN_LISTS - 1;
}

static bool is_long(const struct wf_node_span *span) {
    return list_of(span->chunks) == WF_RUN_LISTS - 1;
}

unsigned wf_run_touched(const struct wf_node_area *area, unsigned first, unsigned chunks) {
    unsigned count = 0;
    for (unsigned c = first, end = first + chunks; c < end; c = (c / 64 + 1) * 64) {
        uint64_t bits = area->touched[c / 64] >> c % 64;
        unsigned left = end - c;
        count += (unsigned)__builtin_popcountll(left < 64 ? bits & ((UINT64_C(1) << left) - 1) : bits);
    }
    return count;
}

static void insert(struct wf_node_pool *pool, struct wf_node_area *area, unsigned first, unsigned chunks) {
    struct wf_node_span *span = &area->spans[first], *last = &area->spans[first + chunks - 1];
    struct wf_node_span **list = &pool->runs.lists[list_of(chunks)];
    *last = (struct wf_node_span){.state = WF_SPAN_FREE, .first = (uint16_t)first, .chunks = (uint16_t)chunks};
    *span = (struct wf_node_span){.state = WF_SPAN_FREE, .first = (uint16_t)first, .chunks = (uint16_t)chunks, .next = *list};
    if (*list)
        (*list)->prev = span;
    *list = span;
    pool->runs.some |= UINT64_C(1) << list_of(chunks);
    pool->free_touched += wf_run_touched(area, first, chunks);
}

/* Its records are nobody's afterwards. */
static void drop(struct wf_node_pool *pool, struct wf_node_area *area, struct wf_node_span *span) {
    unsigned list = list_of(span->chunks), first = span->first, chunks = span->chunks;
    if (span->next)
        span->next->prev = span->prev;
    if (span->prev)
        span->prev->next = span->next;
    else if (!(pool->runs.lists[list] = span->next))
        pool->runs.some &= ~(UINT64_C(1) << list);
    pool->free_touched -= wf_run_touched(area, first, chunks);
    area->spans[first + chunks - 1].state = span->state = WF_SPAN_NONE;
}

/* First chunk from `from` on of the part of a free run that begins at a multiple of `align` and has room; 0: there is none. */
static unsigned fit_from(const struct wf_node_span *span, unsigned from, unsigned chunks, unsigned align) {
    unsigned first = (from + align - 1) / align * align;
    return first + chunks <= (unsigned)span->first + span->chunks ? first : 0;
}

/* The same, in a long run behind chunks that have no pages yet if more of them are there. */
static unsigned fit(struct wf_node_span *span, unsigned chunks, unsigned align) {
    const struct wf_node_area *area = wf_area_of(span);
    unsigned first = fit_from(span, span->first, chunks, align), from = first;
    if (!first || !is_long(span) || !wf_run_touched(area, span->first, span->chunks))
        return first;
    while (!wf_run_touched(area, from, 1) && from < (unsigned)span->first + span->chunks - 1)
        from++;
    unsigned later = fit_from(span, from, chunks, align);
    return later && wf_run_touched(area, later, chunks) > wf_run_touched(area, first, chunks) ? later : first;
}

/* What the run would cost: chunks that have no pages yet, which goes before its length. */
static unsigned cost_of(struct wf_node_span *span, unsigned chunks, unsigned first) {
    return (chunks - wf_run_touched(wf_area_of(span), first, chunks)) * (WF_AREA_CHUNKS + 1) + span->chunks;
}

/* All runs of the last list are looked at, of the others, which differ little, the first that fits. */
static struct wf_node_span *best_in(struct wf_node_span *list, unsigned chunks, unsigned align) {
    struct wf_node_span *best = NULL;
    unsigned least = 0;
    for (struct wf_node_span *span = list; span; span = span->next) {
        unsigned first = fit(span, chunks, align), cost = first ? cost_of(span, chunks, first) : 0;
        if (first && (!best || cost < least)) {
            best = span;
            least = cost;
        }
        if (best && !is_long(span))
            break;
    }
    return best;
}

static struct wf_node_span *find_run(struct wf_node_pool *pool, unsigned chunks, unsigned align) {
    uint64_t lists = pool->runs.some >> list_of(chunks) << list_of(chunks);
    struct wf_node_span *found = NULL;
    for (; lists && !found; lists &= lists - 1)
        found = best_in(pool->runs.lists[__builtin_ctzll(lists)], chunks, align);
    return found;
}

static bool add_area(struct wf_node_pool *pool) {
    struct wf_node_area *area = map_aligned(WEFT_NODE_AREA_BYTES);
    if (!area) {
        no_memory(WEFT_NODE_AREA_BYTES);
        return false;
    }
    advise(pool, area, WEFT_NODE_AREA_BYTES, pool->areas ? HEADER_BYTES : SMALL_POOL_BYTES);
    area->owner = pool;
    area->bytes = WEFT_NODE_AREA_BYTES;
    area->next = pool->areas;
    pool->areas = area;
    pool->area_bytes += WEFT_NODE_AREA_BYTES;
    insert(pool, area, WF_AREA_HEADER_CHUNKS, WF_AREA_RUN_MOST);
    return true;
}

static void count_used(struct wf_node_pool *pool, unsigned chunks) {
    pool->used_chunks += chunks;
    if (pool->peak_chunks < pool->used_chunks)
        pool->peak_chunks = pool->used_chunks;
}

/* Chunks [first, first + chunks) are in use. */
static struct wf_node_span *use(struct wf_node_pool *pool, struct wf_node_area *area, unsigned first, unsigned chunks) {
    for (unsigned c = first; c < first + chunks; c++)
        area->spans[c] = (struct wf_node_span){.state = WF_SPAN_NONE, .first = (uint16_t)first, .chunks = (uint16_t)chunks};
    count_used(pool, chunks);
    return &area->spans[first];
}

struct wf_node_span *wf_run_take(struct wf_node_pool *pool, unsigned chunks, unsigned align) {
    assert(chunks && chunks <= WF_AREA_RUN_MOST);
    struct wf_node_span *span = find_run(pool, chunks, align);
    if (!span && (!add_area(pool) || !(span = find_run(pool, chunks, align))))
        return NULL;
    struct wf_node_area *area = wf_area_of(span);
    unsigned begin = span->first, end = begin + span->chunks, first = fit(span, chunks, align);
    drop(pool, area, span);
    if (begin < first)
        insert(pool, area, begin, first - begin);
    if (first + chunks < end)
        insert(pool, area, first + chunks, end - first - chunks);
    return use(pool, area, first, chunks);
}

/* Free a stretch of chunks that are in use, together with what is free beside it. */
static void release(struct wf_node_pool *pool, struct wf_node_area *area, unsigned first, unsigned chunks) {
    unsigned begin = first, end = first + chunks;
    for (unsigned c = first; c < end; c++) {
        wf_store(&area->map[c], 0, WF_RELAXED);
        area->spans[c].state = WF_SPAN_NONE;
    }
    pool->used_chunks -= chunks;
    if (begin > WF_AREA_HEADER_CHUNKS && area->spans[begin - 1].state == WF_SPAN_FREE) {
        begin = area->spans[begin - 1].first;
        drop(pool, area, &area->spans[begin]);
    }
    if (end < WF_AREA_CHUNKS && area->spans[end].state == WF_SPAN_FREE) {
        unsigned more = area->spans[end].chunks;
        drop(pool, area, &area->spans[end]);
        end += more;
    }
    insert(pool, area, begin, end - begin);
}

void wf_run_give(struct wf_node_pool *pool, struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    release(pool, area, (unsigned)(span - area->spans), span->chunks);
    wf_runs_trim(pool);
}

bool wf_run_resize(struct wf_node_pool *pool, struct wf_node_span *span, unsigned chunks) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (unsigned)(span - area->spans), had = span->chunks, end = first + had;
    if (chunks < had) {
        span->chunks = (uint16_t)chunks;
        release(pool, area, first + chunks, had - chunks);
        return true;
    }
    unsigned more = chunks - had;
    struct wf_node_span *behind = end < WF_AREA_CHUNKS ? &area->spans[end] : NULL;
    if (!more || !behind || behind->state != WF_SPAN_FREE || behind->chunks < more)
        return !more;
    unsigned free = behind->chunks;
    drop(pool, area, behind);
    if (free > more)
        insert(pool, area, end + more, free - more);
    for (unsigned c = end; c < end + more; c++)
        area->spans[c] = (struct wf_node_span){.state = WF_SPAN_NONE, .first = (uint16_t)first};
    count_used(pool, more);
    span->chunks = (uint16_t)chunks;
    return true;
}

bool wf_run_touch(struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (unsigned)(span - area->spans);
    bool zero = !wf_run_touched(area, first, span->chunks);
    for (unsigned c = first; c < first + span->chunks; c++)
        area->touched[c / 64] |= UINT64_C(1) << c % 64;
    return zero;
}

void wf_run_mark(struct wf_node_pool *pool, struct wf_node_span *span, uint32_t size_class) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned first = (unsigned)(span - area->spans);
    for (unsigned c = first; c < first + span->chunks; c++)
        wf_store(&area->map[c], pool->tag | size_class, WF_RELAXED);
}

/* ---- mappings of one object ---- */

void *wf_mapping_take(struct wf_node_pool *pool, size_t bytes, size_t align) {
    size_t offset = align > MAPPING_HEADER ? align : MAPPING_HEADER;
    if (bytes > SIZE_MAX / 2 - offset) {
        wf_fail(WEFT_ENOMEM, "%zu bytes exceed the address space", bytes);
        return NULL;
    }
    size_t whole = (bytes + offset + wf_page_bytes() - 1) / wf_page_bytes() * wf_page_bytes();
    struct wf_node_area *mapping = map_aligned(whole);
    if (!mapping) {
        no_memory(whole);
        return NULL;
    }
    pthread_mutex_lock(&pool->lock);
    advise(pool, mapping, whole, 0);
    mapping->owner = pool;
    mapping->bytes = whole;
    mapping->object_offset = offset;
    wf_store(&mapping->map[wf_chunk_of((char *)mapping + offset)], pool->tag | WF_CLASS_LARGE, WF_RELAXED);
    mapping->next = pool->mappings;
    pool->mappings = mapping;
    pool->mapped_bytes += whole;
    pool->mappings_count++;
    pthread_mutex_unlock(&pool->lock);
    return (char *)mapping + offset;
}

void wf_mapping_give(struct wf_node_pool *pool, struct wf_node_area *mapping) {
    pthread_mutex_lock(&pool->lock);
    struct wf_node_area **link = &pool->mappings;
    while (*link != mapping)
        link = &(*link)->next;
    *link = mapping->next;
    pool->mapped_bytes -= mapping->bytes;
    pool->mappings_count--;
    pthread_mutex_unlock(&pool->lock);
    wf_check_forget(mapping, mapping->bytes, false);
    munmap(mapping, mapping->bytes);
}

static void unmap_all(struct wf_node_area *area) {
    while (area) {
        struct wf_node_area *next = area->next;
        wf_check_forget(area, area->bytes, true);
        munmap(area, area->bytes);
        area = next;
    }
}

void wf_areas_release(struct wf_node_pool *pool) {
    unmap_all(pool->areas);
    unmap_all(pool->mappings);
}
