/* The kernel's word about pages and threads. Keeps no state. */
#include "harness/kernel.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BATCH 1024

size_t kernel_page_bytes(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *kernel_memory_map(size_t bytes) {
    void *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

void kernel_memory_unmap(void *start, size_t bytes) {
    munmap(start, bytes);
}

bool kernel_forbid_huge_pages(void) {
    return !prctl(PR_SET_THP_DISABLE, 1L, 0L, 0L, 0L);
}

bool kernel_page_nodes(const void *start, size_t pages, int *nodes) {
    size_t page = kernel_page_bytes();
    void *addresses[BATCH];
    for (size_t done = 0; done < pages;) {
        size_t count = pages - done < BATCH ? pages - done : BATCH;
        for (size_t i = 0; i < count; i++)
            addresses[i] = (void *)((uintptr_t)start + (done + i) * page); /* only named to the kernel */
        if (syscall(SYS_move_pages, 0, count, addresses, NULL, nodes + done, 0))
            return false;
        done += count;
    }
    for (size_t i = 0; i < pages; i++)
        if (nodes[i] < 0)
            nodes[i] = KERNEL_NO_NODE;
    return true;
}

int kernel_node_here(void) {
    unsigned cpu, node;
    return getcpu(&cpu, &node) ? KERNEL_NO_NODE : (int)node;
}
