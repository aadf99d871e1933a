/*
 * Memory with pages of one kind, for whoever makes them present, and the kernel's word on whether they are. Threads: any.
 */
#ifndef BENCH_HARNESS_MEMORY_H
#define BENCH_HARNESS_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define MEMORY_HUGE_PAGE_BYTES ((size_t)2 << 20)

enum memory_pages { MEMORY_BASE_PAGES, MEMORY_HUGE_PAGES }; /* huge: transparent ones */

/* Untouched memory that gets pages of this kind, aligned to a huge page. NULL: there is none. */
void *memory_map(size_t bytes, enum memory_pages pages);
void memory_unmap(void *start, size_t bytes);

/* Make [start, start + bytes) present by MADV_POPULATE_WRITE. False: the kernel refuses. */
bool memory_populate(void *start, size_t bytes);

/* The same as programs do it by hand: a write to each page of this kind. */
void memory_write(void *start, size_t bytes, enum memory_pages pages);

/* Whether each page of [start, start + bytes) is present, and of this kind (huge: nine tenths of them). */
bool memory_is_present(const void *start, size_t bytes, enum memory_pages pages);

#ifdef __cplusplus
}
#endif
#endif
