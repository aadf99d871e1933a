/* Arenas made, grown, rewound. The invariant stands in scratch.h. */
#include "memory/scratch.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

#include "base/status.h"
#include "memory/poison.h"

/* Steps by which pages are made present: half of what is there already, between these. */
#define STEP_LEAST ((size_t)64 << 10)
#define STEP_MOST ((size_t)2 << 20)

#ifdef WF_ADDRESS_SANITIZER
#define GAP_BYTES 16 /* between two objects, poisoned */
#else
#define GAP_BYTES 0
#endif

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* `next` has moved: what may be taken without a call. */
static void set_end(struct wf_scratch *scratch) {
#ifdef WF_ADDRESS_SANITIZER
    scratch->face.end = scratch->face.next;
#else
    scratch->face.end = scratch->populated < scratch->limit ? scratch->populated : scratch->limit;
#endif
}

static void go_back(struct wf_scratch *scratch, char *next) {
    scratch->peak = wf_scratch_peak(scratch);
    wf_poison(next, (size_t)(scratch->face.next - next));
    scratch->face.next = next;
    set_end(scratch);
}

/* Huge pages where `base_pages` does not forbid them and more than one of them may be needed, not for what small arenas need. */
static weft_status reserve(struct wf_area *area, size_t bytes, bool base_pages, size_t *small) {
    bool huge = !base_pages && wf_thp_bytes() && bytes / 2 >= wf_thp_bytes();
    weft_status status = wf_area_reserve(area, bytes, huge ? WEFT_PAGES_THP : WEFT_PAGES_BASE);
    if (status)
        return status;
    huge = area->pages == WEFT_PAGES_THP;
    *small = huge ? wf_thp_bytes() : area->bytes;
    if (huge)
        madvise(area->start, *small, MADV_NOHUGEPAGE);
    return WEFT_OK;
}

weft_status wf_scratch_make(struct wf_scratch **made, size_t limit, bool base_pages, wf_scratch_bind_fn bind, void *arg) {
    assert(limit && limit <= PTRDIFF_MAX / 2);
    size_t header = round_up(sizeof(struct wf_scratch), WF_LINE), small;
    struct wf_area area;
    weft_status status = reserve(&area, header + limit, base_pages, &small);
    if (status)
        return status;
    bool bound = bind && bind(arg, area.start, area.bytes);
    size_t begin = least(area.bytes, STEP_LEAST);
    if ((status = wf_pages_populate(area.start, begin))) {
        wf_area_release(&area);
        return status;
    }
    struct wf_scratch *scratch = area.start;
    char *start = area.start;
    *scratch = (struct wf_scratch){.first = start + header, .populated = start + begin, .area = area, .bound = bound};
    scratch->small = start + small;
    scratch->face.next = scratch->first;
    wf_scratch_renew(scratch);
    wf_poison(scratch->first, (size_t)(scratch->populated - scratch->first));
    *made = scratch;
    return WEFT_OK;
}

void wf_scratch_unmap(struct wf_scratch *scratch) {
    struct wf_area area = scratch->area;
    wf_unpoison(area.start, area.bytes);
    wf_area_release(&area);
}

size_t wf_scratch_peak(const struct wf_scratch *scratch) {
    size_t used = (size_t)(scratch->face.next - scratch->first);
    return used > scratch->peak ? used : scratch->peak;
}

size_t wf_scratch_populated(const struct wf_scratch *scratch) {
    return (size_t)(scratch->populated - (char *)scratch->area.start);
}

static char *end_of_area(const struct wf_scratch *scratch) {
    return (char *)scratch->area.start + scratch->area.bytes;
}

void wf_scratch_renew(struct wf_scratch *scratch) {
    scratch->limit = end_of_area(scratch);
    go_back(scratch, scratch->first);
    scratch->peak = 0;
}

void wf_scratch_trim(struct wf_scratch *scratch, size_t keep) {
    keep = keep > STEP_LEAST ? keep : STEP_LEAST;
    if (keep >= wf_scratch_populated(scratch))
        return;
    char *start = scratch->area.start;
    size_t unit = start + keep > scratch->small ? scratch->area.page_bytes : wf_page_bytes();
    char *rest = start + round_up(keep, unit);
    if (rest >= scratch->populated || madvise(rest, (size_t)(scratch->populated - rest), MADV_DONTNEED))
        return; /* a failure: locked memory, which stays */
    wf_unpoison(rest, (size_t)(scratch->populated - rest));
    scratch->populated = rest;
    set_end(scratch);
}

/* Make the pages present that end at `last` or beyond it. */
static weft_status populate(struct wf_scratch *scratch, const char *last) {
    char *from = scratch->populated, *start = scratch->area.start;
    if (last <= from)
        return WEFT_OK;
    size_t there = (size_t)(from - start), step = there / 2 < STEP_MOST ? there / 2 : STEP_MOST;
    step = step > STEP_LEAST ? step : STEP_LEAST;
    size_t wanted = (size_t)(last - start);
    wanted = wanted > there + step ? wanted : there + step;
    size_t unit = start + wanted > scratch->small ? scratch->area.page_bytes : wf_page_bytes();
    wanted = least(round_up(wanted, unit), scratch->area.bytes);
    weft_status status = wf_pages_populate(from, wanted - there);
    if (status)
        return status;
    scratch->populated = start + wanted;
    wf_poison(from, wanted - there);
    return WEFT_OK;
}

/* Where the next object begins after one that is within the limit, which is a multiple of the alignment too. */
static char *end_of_object(const struct wf_scratch *scratch, char *object, size_t bytes) {
    char *last = object + round_up(bytes, WEFT_SCRATCH_ALIGNMENT);
    return last + least(GAP_BYTES, (size_t)(scratch->limit - last));
}

static WF_COLD void *refuse(const struct wf_scratch *scratch, size_t bytes) {
    wf_fail(WEFT_ENOMEM,
            "%zu bytes do not fit into the scratch arena: %zu of at most %zu are in use (see weft_scratch_set_limit())", bytes,
            (size_t)(scratch->face.next - scratch->first), (size_t)(scratch->limit - scratch->first));
    return NULL;
}

void *weft_scratch_more(weft_scratch *face, size_t alignment, size_t bytes) {
    struct wf_scratch *scratch = wf_scratch_of(face);
    if (!alignment || (alignment & (alignment - 1))) {
        wf_fail(WEFT_EINVAL, "alignment is %zu: it is a power of two", alignment);
        return NULL;
    }
    size_t gap = -(size_t)(uintptr_t)face->next & (alignment - 1), room = (size_t)(scratch->limit - face->next);
    if (gap > room || bytes > room - gap)
        return refuse(scratch, bytes);
    char *object = face->next + gap;
    char *last = end_of_object(scratch, object, bytes);
    if (populate(scratch, last))
        return NULL;
    face->next = last;
    set_end(scratch);
    wf_unpoison(object, bytes);
    return object;
}

void *weft_scratch_calloc(weft_scratch *face, size_t count, size_t bytes) {
    size_t product;
    if (__builtin_mul_overflow(count, bytes, &product)) {
        wf_fail(WEFT_ENOMEM, "%zu objects of %zu bytes exceed the address space", count, bytes);
        return NULL;
    }
    void *object = weft_scratch_alloc(face, product);
    return object ? memset(object, 0, product) : NULL;
}

/* Grow or shrink the newest object where it is; false: it is not the newest, or there is no room. */
static bool resize_newest(struct wf_scratch *scratch, char *object, size_t old_bytes, size_t bytes) {
    weft_scratch *face = &scratch->face;
    char *old_last = object + round_up(old_bytes, WEFT_SCRATCH_ALIGNMENT);
    bool newest = old_last == face->next || (GAP_BYTES && old_last + GAP_BYTES == face->next);
    if (!newest || bytes > (size_t)(scratch->limit - object))
        return false;
    char *last = end_of_object(scratch, object, bytes);
    if (populate(scratch, last))
        return false;
    wf_poison(object, old_bytes);
    wf_unpoison(object, bytes);
    scratch->peak = wf_scratch_peak(scratch);
    face->next = last;
    set_end(scratch);
    return true;
}

void *weft_scratch_realloc(weft_scratch *face, void *object, size_t old_bytes, size_t bytes) {
    if (!object)
        return weft_scratch_alloc(face, bytes);
    if (resize_newest(wf_scratch_of(face), object, old_bytes, bytes))
        return object;
    if (bytes <= old_bytes)
        return object;
    void *copy = weft_scratch_alloc(face, bytes);
    return copy ? memcpy(copy, object, old_bytes) : NULL;
}

weft_status weft_scratch_rewind(weft_scratch *face, weft_mark mark) {
    if (!face)
        return wf_fail(WEFT_EINVAL, "scratch must be given");
    struct wf_scratch *scratch = wf_scratch_of(face);
    if (mark.next < scratch->first || mark.next > face->next)
        return wf_fail(WEFT_EINVAL, "the mark is of another arena, or was taken after the moment that this one has gone back to");
    go_back(scratch, mark.next);
    return WEFT_OK;
}

void weft_scratch_reset(weft_scratch *face) {
    if (face)
        go_back(wf_scratch_of(face), wf_scratch_of(face)->first);
}

weft_status weft_scratch_set_limit(weft_scratch *face, size_t bytes) {
    if (!face)
        return wf_fail(WEFT_EINVAL, "scratch must be given");
    struct wf_scratch *scratch = wf_scratch_of(face);
    size_t used = (size_t)(face->next - scratch->first), most = (size_t)(end_of_area(scratch) - scratch->first);
    if (!bytes)
        bytes = most;
    if (bytes < used || bytes > most)
        return wf_fail(WEFT_EINVAL, "a limit of %zu bytes: at least the %zu in use, at most the %zu that the arena was made for",
                       bytes, used, most);
    scratch->limit = scratch->first + bytes / WEFT_SCRATCH_ALIGNMENT * WEFT_SCRATCH_ALIGNMENT;
    set_end(scratch);
    return WEFT_OK;
}

weft_status weft_scratch_get_usage(const weft_scratch *face, weft_scratch_usage *usage) {
    if (!face || !usage)
        return wf_fail(WEFT_EINVAL, "scratch and usage must be given");
    const struct wf_scratch *scratch = (const struct wf_scratch *)(const void *)face; /* the face is its first field */
    *usage = (weft_scratch_usage){.node = scratch->node,
                                  .used_bytes = (size_t)(face->next - scratch->first),
                                  .peak_bytes = wf_scratch_peak(scratch),
                                  .populated_bytes = wf_scratch_populated(scratch),
                                  .limit_bytes = (size_t)(scratch->limit - scratch->first),
                                  .bound = scratch->bound};
    return WEFT_OK;
}
