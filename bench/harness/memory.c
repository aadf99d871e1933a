/* Mappings, and what the kernel has in them. Keeps no state. */
#include "harness/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "harness/kernel.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

void *memory_map(size_t bytes, enum memory_pages pages) {
    char *start = kernel_memory_map(bytes + MEMORY_HUGE_PAGE_BYTES);
    if (!start)
        return NULL;
    size_t lead = -(uintptr_t)start % MEMORY_HUGE_PAGE_BYTES;
    if (lead)
        kernel_memory_unmap(start, lead);
    kernel_memory_unmap(start + lead + bytes, MEMORY_HUGE_PAGE_BYTES - lead);
    if (!madvise(start + lead, bytes, pages == MEMORY_HUGE_PAGES ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
        return start + lead;
    kernel_memory_unmap(start + lead, bytes);
    return NULL;
}

void memory_unmap(void *start, size_t bytes) {
    kernel_memory_unmap(start, bytes);
}

bool memory_populate(void *start, size_t bytes) {
    return !madvise(start, bytes, MADV_POPULATE_WRITE);
}

void memory_write(void *start, size_t bytes, enum memory_pages pages) {
    size_t step = pages == MEMORY_HUGE_PAGES ? MEMORY_HUGE_PAGE_BYTES : kernel_page_bytes();
    for (size_t at = 0; at < bytes; at += step)
        ((volatile char *)start)[at] = 0;
}

/* Of all mappings that [start, start + bytes) is in; false: not known. */
static bool huge_bytes(const void *start, size_t bytes, size_t *huge) {
    FILE *maps = fopen("/proc/self/smaps", "r");
    char text[512];
    uintptr_t first, last;
    size_t kib;
    bool inside = false;
    if (!maps)
        return false;
    for (*huge = 0; fgets(text, sizeof text, maps);) {
        if (sscanf(text, "%zx-%zx ", &first, &last) == 2)
            inside = first < (uintptr_t)start + bytes && last > (uintptr_t)start;
        else if (inside && sscanf(text, "AnonHugePages: %zu kB", &kib) == 1)
            *huge += kib << 10;
    }
    fclose(maps);
    return true;
}

bool memory_is_present(const void *start, size_t bytes, enum memory_pages pages) {
    size_t count = bytes / kernel_page_bytes(), present = 0, huge;
    int *nodes = malloc(count * sizeof *nodes);
    if (nodes && kernel_page_nodes(start, count, nodes))
        while (present < count && nodes[present] != KERNEL_NO_NODE)
            present++;
    free(nodes);
    return present == count && huge_bytes(start, bytes, &huge) &&
           (pages == MEMORY_HUGE_PAGES ? huge >= bytes / 10 * 9 : huge == 0);
}
