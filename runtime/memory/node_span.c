/* Objects out of spans and back. See node_span.h. */
#include "memory/node_span.h"

#include <assert.h>
#include <string.h>

#include "memory/pages.h"

/* A node pool that uses less than this has its pages from page faults as they are touched, a larger one whole chunks before. */
#define POPULATE_FROM_CHUNKS ((8u << 20) / WF_CHUNK_BYTES)

/* A class that has little gets small spans: what is free in them is nobody else's. */
#define LARGE_SPANS_FROM_CHUNKS ((1u << 20) / WF_CHUNK_BYTES)
#define LARGE_SPAN_CHUNKS ((64u << 10) / WF_CHUNK_BYTES)

/* Chunks of a span: the fewest whose rest is at most a sixteenth. */
static unsigned chunks_of(size_t bytes) {
    unsigned chunks = (unsigned)((bytes + WF_CHUNK_BYTES - 1) / WF_CHUNK_BYTES);
    while (chunks * WF_CHUNK_BYTES % bytes * 16 > chunks * WF_CHUNK_BYTES)
        chunks++;
    return chunks;
}

/* Chunks of the next span of a class. */
static unsigned next_chunks(const struct wf_class_spans *spans, size_t bytes) {
    unsigned chunks = chunks_of(bytes);
    return chunks < LARGE_SPAN_CHUNKS && spans->chunks >= LARGE_SPANS_FROM_CHUNKS ? chunks * LARGE_SPAN_CHUNKS : chunks;
}

static uint64_t *bits_of(struct wf_node_span *span) {
    struct wf_node_area *area = wf_area_of(span);
    return &area->bits[(size_t)(span - area->spans) * (WF_CHUNK_OBJECTS / 64)];
}

static void link_span(struct wf_class_spans *spans, struct wf_node_span *span) {
    span->prev = NULL;
    span->next = spans->some;
    if (span->next)
        span->next->prev = span;
    spans->some = span;
}

static void unlink_span(struct wf_class_spans *spans, struct wf_node_span *span) {
    if (span->next)
        span->next->prev = span->prev;
    if (span->prev)
        span->prev->next = span->next;
    else
        spans->some = span->next;
    span->prev = span->next = NULL;
}

static bool is_used_up(const struct wf_node_span *span) {
    return !span->free && span->carved == span->objects;
}

static struct wf_node_span *add_span(struct wf_node_pool *pool, unsigned size_class) {
    struct wf_class_spans *spans = &pool->classes[size_class];
    size_t bytes = weft_class_bytes(size_class);
    struct wf_node_span *span = wf_run_take(pool, next_chunks(spans, bytes), 1);
    if (!span)
        return NULL;
    span->state = WF_SPAN_SMALL;
    span->size_class = (uint8_t)size_class;
    span->objects = (uint32_t)(span->chunks * WF_CHUNK_BYTES / bytes);
    wf_run_mark(pool, span, (uint32_t)size_class);
    link_span(spans, span);
    spans->spans++;
    spans->chunks += span->chunks;
    return span;
}

static void drop_span(struct wf_node_pool *pool, struct wf_node_span *span) {
    struct wf_class_spans *spans = &pool->classes[span->size_class];
    assert(span->free == span->carved);
    unlink_span(spans, span);
    spans->spans--;
    spans->chunks -= span->chunks;
    spans->carved -= span->carved;
    spans->free -= span->free;
    memset(bits_of(span), 0, (span->objects + 63) / 64 * sizeof(uint64_t));
    wf_run_give(pool, span);
}

/* Objects that were free before, lowest first. */
static unsigned take_free(struct wf_node_span *span, size_t bytes, void **objects, unsigned most) {
    uint64_t *bits = bits_of(span);
    char *start = wf_span_start(span);
    unsigned count = 0;
    for (uint32_t word = span->hint; span->free && count < most; word += !bits[word]) {
        for (; bits[word] && count < most; bits[word] &= bits[word] - 1) {
            objects[count++] = start + (word * 64 + (unsigned)__builtin_ctzll(bits[word])) * bytes;
            span->free--;
        }
        span->hint = word;
    }
    return count;
}

/* The chunks of bytes [first, last) of a span have pages, or get them. */
static bool populate(struct wf_node_pool *pool, struct wf_node_span *span, size_t first, size_t last) {
    struct wf_node_area *area = wf_area_of(span);
    unsigned begin = (unsigned)(span - area->spans);
    unsigned end = begin + (unsigned)((last - 1) / WF_CHUNK_BYTES);
    for (unsigned chunk = begin + (unsigned)(first / WF_CHUNK_BYTES); chunk <= end; chunk++) {
        uint64_t bit = UINT64_C(1) << chunk % 64;
        if (area->touched[chunk / 64] & bit)
            continue;
        if (pool->used_chunks > POPULATE_FROM_CHUNKS &&
            wf_pages_populate(wf_chunk_start(area, chunk), WF_CHUNK_BYTES) == WEFT_ENOMEM)
            return false;
        area->touched[chunk / 64] |= bit;
    }
    return true;
}

/* Objects that never were handed out. Where memory ends, fewer. */
static unsigned carve(struct wf_node_pool *pool, struct wf_node_span *span, size_t bytes, void **objects, unsigned most) {
    char *start = wf_span_start(span);
    unsigned count = 0;
    for (; count < most && span->carved < span->objects; span->carved++) {
        if (!populate(pool, span, span->carved * bytes, (span->carved + 1) * bytes))
            break;
        objects[count++] = start + span->carved * bytes;
    }
    return count;
}

unsigned wf_spans_take(struct wf_node_pool *pool, unsigned size_class, void **objects, unsigned most) {
    struct wf_class_spans *spans = &pool->classes[size_class];
    size_t bytes = weft_class_bytes(size_class);
    unsigned count = 0;
    while (count < most) {
        struct wf_node_span *span = spans->some ? spans->some : count ? NULL : add_span(pool, size_class);
        if (!span)
            break;
        unsigned again = take_free(span, bytes, objects + count, most - count);
        unsigned fresh = carve(pool, span, bytes, objects + count + again, most - count - again);
        count += again + fresh;
        spans->free -= again;
        spans->carved += fresh;
        if (!is_used_up(span))
            break; /* enough, or no memory */
        unlink_span(spans, span);
    }
    return count;
}

bool wf_spans_want_pages(const struct wf_node_pool *pool, unsigned size_class) {
    const struct wf_class_spans *spans = &pool->classes[size_class];
    return !spans->some && pool->free_touched < next_chunks(spans, weft_class_bytes(size_class));
}

void wf_spans_give(struct wf_node_pool *pool, unsigned size_class, void *object) {
    struct wf_class_spans *spans = &pool->classes[size_class];
    struct wf_node_area *area = wf_area_of(object);
    struct wf_node_span *span = &area->spans[area->spans[wf_chunk_of(object)].first];
    uint32_t index = (uint32_t)((size_t)((char *)object - wf_span_start(span)) / weft_class_bytes(size_class));
    assert(span->state == WF_SPAN_SMALL && span->size_class == size_class && index < span->carved);
    if (is_used_up(span))
        link_span(spans, span);
    bits_of(span)[index / 64] |= UINT64_C(1) << index % 64;
    if (!span->free || index / 64 < span->hint)
        span->hint = index / 64;
    span->free++;
    spans->free++;
    if (span->free == span->carved && (span->prev || span->next)) /* the last one stays for the next allocation */
        drop_span(pool, span);
}

void wf_spans_trim(struct wf_node_pool *pool) {
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++)
        for (struct wf_node_span *span = pool->classes[k].some, *next; span; span = next) {
            next = span->next;
            if (span->free == span->carved)
                drop_span(pool, span);
        }
}
