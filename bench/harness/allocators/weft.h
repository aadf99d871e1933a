/* weft: the calling thread's node. */
#ifndef BENCH_HARNESS_ALLOCATORS_WEFT_H
#define BENCH_HARNESS_ALLOCATORS_WEFT_H

#include <weft/alloc.h>

extern weft_pool *allocator_pool; /* fixed once allocator_start() has returned */

static inline void *allocator_new(size_t bytes) {
    return weft_local_alloc(allocator_pool, bytes);
}

static inline void allocator_delete(void *object) {
    weft_free(object);
}

#endif
