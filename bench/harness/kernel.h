/*
 * What the kernel says about where memory lies and where a thread runs. Every peer of a workload is judged by this and none by
 * its own word. Threads: any.
 */
#ifndef BENCH_HARNESS_KERNEL_H
#define BENCH_HARNESS_KERNEL_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* In place of a node: the page is not present, or the kernel does not say. */
#define KERNEL_NO_NODE (-1)

size_t kernel_page_bytes(void);

/* Untouched memory, as malloc() gives it for blocks of this size; page-aligned. NULL: there is none. */
void *kernel_memory_map(size_t bytes);
void kernel_memory_unmap(void *start, size_t bytes);

/*
 * No transparent huge pages for this process: at the sizes that an emulated machine can hold, one of them is a thread's whole
 * part and would lie on one node whatever the runtime does. False: the kernel refuses.
 */
bool kernel_forbid_huge_pages(void);

/* Node of each page of [start, start + pages * page size), start on a page; move_pages(2). False: the kernel refuses. */
bool kernel_page_nodes(const void *start, size_t pages, int *nodes);

/* Node of the CPU that the caller runs on. */
int kernel_node_here(void);

#ifdef __cplusplus
}
#endif
#endif
