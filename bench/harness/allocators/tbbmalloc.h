/* oneTBB's allocator by its own calls, which cost less than malloc() through its proxy library. */
#ifndef BENCH_HARNESS_ALLOCATORS_TBBMALLOC_H
#define BENCH_HARNESS_ALLOCATORS_TBBMALLOC_H

#include <tbb/scalable_allocator.h>

static inline void *allocator_new(size_t bytes) {
    return scalable_malloc(bytes);
}

static inline void allocator_delete(void *object) {
    scalable_free(object);
}

#endif
