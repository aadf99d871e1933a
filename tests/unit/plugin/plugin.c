/* A shared object with weft inside, as a host program loads and unloads it. */
#include <stdatomic.h>

#include "weft.h"

static _Atomic(size_t) count;

static void body(void *arg, weft_range range) {
    (void)arg;
    count += range.last - range.first;
}

/* 0: a pool was made, used and ended. */
__attribute__((visibility("default"))) int plugin_run(void);

int plugin_run(void) {
    weft_pool *pool;
    count = 0;
    if (weft_pool_create(&pool, NULL) || weft_for(pool, 1000, body, NULL, NULL) || weft_pool_destroy(pool))
        return 1;
    return count != 1000;
}
