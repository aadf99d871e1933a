/* The C library's calls: glibc's, or those of an allocator that is linked in their place. */
#ifndef BENCH_HARNESS_ALLOCATORS_MALLOC_H
#define BENCH_HARNESS_ALLOCATORS_MALLOC_H

#include <stdlib.h>

static inline void *allocator_new(size_t bytes) {
    return malloc(bytes);
}

static inline void allocator_delete(void *object) {
    free(object);
}

#endif
