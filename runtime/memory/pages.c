/*
 * Address space from mmap(2), huge pages by advice or reservation, and populating. What the kernel grants is recorded in the
 * area; nothing here asks on which node a page lies (see placement.c). Threading: as in pages.h; what is asked once of the
 * system is kept in relaxed atomics, since every thread that asks gets the same answer.
 */
#include "memory/pages.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/status.h"
#include "memory/huge_pages.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

#define NO_THP "the kernel has no transparent huge pages: base pages"
#define THP_NEVER "transparent huge pages are off (/sys/kernel/mm/transparent_hugepage/enabled is never): base pages"
#define THP_TOO_SMALL "smaller than one transparent huge page: base pages"
#define THP_REFUSED "madvise(MADV_HUGEPAGE) was refused: base pages"
static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* First bytes of a small file as text; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t room) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    ssize_t got = read(file, text, room - 1);
    close(file);
    text[got > 0 ? got : 0] = 0;
    return got > 0;
}

size_t wf_page_bytes(void) {
    static wf_atomic_u64 known;
    uint64_t bytes = wf_load(&known, WF_RELAXED); /* relaxed: the value is all that is shared */
    if (!bytes)
        wf_store(&known, bytes = (uint64_t)sysconf(_SC_PAGESIZE), WF_RELAXED);
    return (size_t)bytes;
}

size_t wf_thp_bytes(void) {
    static wf_atomic_u64 known; /* bytes + 1, 0: not asked yet */
    uint64_t bytes = wf_load(&known, WF_RELAXED);
    if (!bytes) {
        char text[32];
        if (read_text("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text, sizeof text))
            bytes = strtoull(text, NULL, 10);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
            return 0;                          /* no answer: the next caller asks again */
        wf_store(&known, ++bytes, WF_RELAXED); /* relaxed: the value is all that is shared */
    }
    return (size_t)(bytes - 1);
}

/* Why an area of this size gets no transparent huge pages; NULL: it may get them. Asked anew: the setting may change. */
static const char *thp_refusal(size_t bytes) {
    char text[128];
    if (!wf_thp_bytes() || !read_text("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text))
        return NO_THP;
    if (strstr(text, "[never]"))
        return THP_NEVER;
    return bytes < wf_thp_bytes() ? THP_TOO_SMALL : NULL;
}

static weft_status no_address_space(size_t bytes) {
    return wf_fail(WEFT_ENOMEM, "no address space for %zu bytes: %s (see ulimit -v, vm.max_map_count, vm.overcommit_memory)",
                   bytes, strerror(errno));
}

/* Map `bytes` (whole pages) beginning at a multiple of `align`: map more, give the ends back. */
static weft_status map_aligned(struct wf_area *area, size_t bytes, size_t align) {
    size_t slack = align - wf_page_bytes();
    if (bytes > SIZE_MAX - slack)
        return wf_fail(WEFT_ENOMEM, "%zu bytes exceed the address space", bytes);
    char *raw = mmap(NULL, bytes + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED)
        return no_address_space(bytes);
    size_t head = (size_t)(-(uintptr_t)raw & (align - 1));
    if (head)
        munmap(raw, head);
    if (slack - head)
        munmap(raw + head + bytes, slack - head);
    *area = (struct wf_area){.start = raw + head,
                             .bytes = bytes,
                             .mapped = bytes,
                             .pages = WEFT_PAGES_BASE,
                             .page_bytes = wf_page_bytes(),
                             .reason = ""};
    return WEFT_OK;
}

/* Base pages only, also where the system's default is huge pages; a kernel without them refuses, and that is as good. */
static weft_status reserve_base(struct wf_area *area, size_t bytes) {
    weft_status status = map_aligned(area, bytes, wf_page_bytes());
    if (status == WEFT_OK)
        madvise(area->start, area->mapped, MADV_NOHUGEPAGE);
    return status;
}

static weft_status reserve_thp(struct wf_area *area, size_t bytes) {
    const char *refusal = thp_refusal(bytes);
    weft_status status = refusal ? reserve_base(area, bytes) : map_aligned(area, bytes, wf_thp_bytes());
    if (status != WEFT_OK)
        return status;
    if (!refusal && madvise(area->start, area->mapped, MADV_HUGEPAGE))
        refusal = THP_REFUSED;
    area->pages = refusal ? WEFT_PAGES_BASE : WEFT_PAGES_THP;
    area->page_bytes = refusal ? wf_page_bytes() : wf_thp_bytes();
    area->reason = refusal ? refusal : "";
    return WEFT_OK;
}

/* Why pages of the asked kind, which has to be reserved, are of another. */
static const char *fallback_reason(weft_pages asked, weft_pages granted) {
    if (granted == WEFT_PAGES_2M)
        return "not enough reserved 1 GiB pages are free (hugepages-1048576kB/nr_hugepages): 2 MiB pages";
    if (asked == WEFT_PAGES_1G)
        return granted == WEFT_PAGES_THP
                   ? "not enough reserved 1 GiB or 2 MiB pages are free (nr_hugepages): transparent huge pages"
                   : "not enough reserved 1 GiB or 2 MiB pages are free (nr_hugepages) and no transparent huge ones: base pages";
    return granted == WEFT_PAGES_THP
               ? "not enough reserved huge pages are free (vm.nr_hugepages): transparent huge pages"
               : "not enough reserved huge pages are free (vm.nr_hugepages) and no transparent ones: base pages";
}

/*
 * Reserved pages are mapped with their reservation (no MAP_NORESERVE): running out is then a failure here and no SIGBUS in
 * whoever touches them later.
 */
static bool map_reserved(struct wf_area *area, size_t bytes, weft_pages pages) {
    size_t unit = wf_huge_page_bytes(pages);
    if (!unit || bytes > SIZE_MAX - unit)
        return false;
    int size = pages == WEFT_PAGES_HUGE ? 0 : __builtin_ctzl(unit) << MAP_HUGE_SHIFT;
    size_t mapped = round_up(bytes, unit);
    void *start = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | size, -1, 0);
    if (start == MAP_FAILED)
        return false;
    *area = (struct wf_area){.start = start, .bytes = bytes, .mapped = mapped, .pages = pages, .page_bytes = unit, .reason = ""};
    return true;
}

static weft_status reserve_huge(struct wf_area *area, size_t bytes, weft_pages asked) {
    weft_status status = WEFT_OK;
    weft_pages pages = asked;
    while (wf_pages_are_reserved(pages) && !map_reserved(area, bytes, pages))
        pages = wf_pages_below(pages);
    if (!wf_pages_are_reserved(pages))
        status = reserve_thp(area, bytes);
    if (status == WEFT_OK && area->pages != asked)
        area->reason = fallback_reason(asked, area->pages);
    return status;
}

weft_status wf_area_reserve(struct wf_area *area, size_t bytes, weft_pages pages) {
    assert(area);
    if (!bytes || bytes > SIZE_MAX - wf_page_bytes())
        return wf_fail(bytes ? WEFT_ENOMEM : WEFT_EINVAL, "an area of %zu bytes cannot be reserved", bytes);
    bytes = round_up(bytes, wf_page_bytes());
    switch (pages) {
    case WEFT_PAGES_BASE:
        return reserve_base(area, bytes);
    case WEFT_PAGES_THP:
        return reserve_thp(area, bytes);
    case WEFT_PAGES_HUGE:
    case WEFT_PAGES_2M:
    case WEFT_PAGES_1G:
        return reserve_huge(area, bytes, pages);
    case WEFT_PAGES_DEFAULT:
        break;
    }
    return wf_fail(WEFT_EINVAL, "pages is %d: an area has base, transparent huge or reserved huge pages", (int)pages);
}

void wf_area_take(const struct wf_area *area, size_t *taken, size_t bytes, struct wf_area *part) {
    assert(bytes % wf_page_bytes() == 0 && bytes <= area->bytes - *taken);
    *part = *area;
    part->start = (char *)area->start + *taken;
    part->bytes = bytes;
    part->mapped = 0;
    *taken += bytes;
}

void wf_area_release(struct wf_area *area) {
    if (area->mapped)
        munmap(area->start, area->mapped);
    *area = (struct wf_area){.reason = ""};
}

/* Whether the kernel populates at all, tried once on a page of our own: EINVAL on another's memory then means that memory. */
static bool kernel_populates(void) {
    static wf_atomic_u32 known; /* 0: not tried, 1: no, 2: yes; relaxed: the value is all that is shared */
    uint32_t answer = wf_load(&known, WF_RELAXED);
    if (!answer) {
        void *page = mmap(NULL, wf_page_bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return false;
        answer = madvise(page, wf_page_bytes(), MADV_POPULATE_WRITE) ? 1 : 2;
        munmap(page, wf_page_bytes());
        wf_store(&known, answer, WF_RELAXED);
    }
    return answer == 2;
}

/*
 * One write per page that changes nothing. Atomic, so that a concurrent atomic writer of the same word loses nothing;
 * relaxed, because it publishes nothing.
 */
static void touch(char *start, char *end) {
    for (char *page = start; page < end; page += wf_page_bytes())
        wf_fetch_or((wf_atomic_u32 *)(void *)page, 0, WF_RELAXED);
}

static weft_status populate_failed(int error, void *start, size_t bytes) {
    switch (error) {
    case EINVAL:
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p are not ordinary writable memory", bytes, start);
    case EFAULT:
        return wf_fail(WEFT_ENOMEM, "%zu bytes at %p cannot be populated: end of file, or no reserved huge page on the node",
                       bytes, start);
    case EHWPOISON:
        return wf_fail(WEFT_ENOMEM, "%zu bytes at %p hold a page with a hardware error", bytes, start);
    default:
        return wf_fail(WEFT_ENOMEM, "%zu bytes at %p cannot be populated: %s (not mapped, or memory or a limit is exhausted)",
                       bytes, start, strerror(error));
    }
}

weft_status wf_pages_populate(void *start, size_t bytes) {
    size_t page = wf_page_bytes(), head = (uintptr_t)start & (page - 1);
    if (!bytes)
        return WEFT_OK;
    if (bytes > SIZE_MAX - head - page || (uintptr_t)start > UINTPTR_MAX - bytes - page)
        return wf_fail(WEFT_EINVAL, "%zu bytes at %p exceed the address space", bytes, start);
    char *first = (char *)start - head;
    size_t length = round_up(bytes + head, page);
    if (!kernel_populates()) {
        touch(first, first + length);
        return WEFT_OK;
    }
    while (madvise(first, length, MADV_POPULATE_WRITE)) {
        if (errno == EPERM || errno == ENOSYS) { /* no word about the memory: a seccomp filter installed meanwhile */
            touch(first, first + length);
            return WEFT_OK;
        }
        if (errno != EAGAIN && errno != EINTR)
            return populate_failed(errno, start, bytes);
    }
    return WEFT_OK;
}
