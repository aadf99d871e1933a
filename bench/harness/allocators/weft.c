#include <stdio.h>
#include <weft.h>

#include "harness/allocators/allocator.h"
#include "harness/allocators/weft.h"

weft_pool *allocator_pool;

const char *allocator_version(void) {
    return "weft " BENCH_WEFT_VERSION;
}

/* The workers sleep: the program's own threads allocate, as with the other allocators. */
bool allocator_start(unsigned workers) {
    weft_status status = weft_pool_create(&allocator_pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = workers});
    if (status)
        fprintf(stderr, "weft: %s\n", weft_error_detail());
    return !status;
}

bool allocator_stop(void) {
    return !weft_pool_destroy(allocator_pool);
}
