/*
 * Address space and pages: reserve, huge pages, populate, release. Knows bytes and nodes, not workers.
 * Threading: an area belongs to whoever reserved it; different areas are independent.
 */
#ifndef WF_MEMORY_PAGES_H
#define WF_MEMORY_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/memory.h"
#include "weft/status.h"

/* Bytes of a base page, of a transparent huge page (0: none), asked once. */
size_t wf_page_bytes(void);
size_t wf_thp_bytes(void);

struct wf_area {
    void *start;        /* page aligned; THP aligned when it is large enough to hold one */
    size_t bytes;       /* usable: the asked size, rounded up to whole pages */
    size_t mapped;      /* what release gives back; 0: it is part of another area */
    weft_pages pages;   /* granted: BASE, THP, HUGE, 2M or 1G */
    size_t page_bytes;  /* of the granted kind: what must not share a page begins at multiples of it */
    const char *reason; /* why less than asked was granted, "" if nothing is amiss; static */
};

/*
 * Reserve zeroed address space without touching it (no swap reservation). Any kind of pages but DEFAULT; where there are none of
 * it, pages of the next kind (wf_pages_below()), with the reason. WEFT_ENOMEM.
 */
weft_status wf_area_reserve(struct wf_area *area, size_t bytes, weft_pages pages);
void wf_area_release(struct wf_area *area);

/* The next `bytes` (whole pages) of an area, in *part; *taken is how much of it has been given out. The part lives as long as it. */
void wf_area_take(const struct wf_area *area, size_t *taken, size_t bytes, struct wf_area *part);

/*
 * Make the pages of [start, start + bytes) present on the calling thread's node (or where a policy says), keeping content.
 * MADV_POPULATE_WRITE where the kernel has it, else one write per page that puts back what it read, atomically.
 * WEFT_ENOMEM: the pages cannot be had.
 */
weft_status wf_pages_populate(void *start, size_t bytes);

#endif
