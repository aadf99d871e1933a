#include "harness/peers/weft.h"
#include "matmul/workload.h"

WEFT_VOID_TASK(multiply, (struct product, whole)) {
    if (whole.n <= MATMUL_BLOCK) {
        product_compute(&whole);
        return;
    }
    for (int last = 0; last < 2; last++) {
        for (int i = 0; i < 3; i++)
            WEFT_SPAWN(multiply, product_part(&whole, i, last));
        WEFT_CALL(multiply, product_part(&whole, 3, last));
        for (int i = 0; i < 3; i++)
            WEFT_SYNC(multiply);
    }
}

static uint64_t run(long n) {
    return !peer_ok(WEFT_RUN_VOID(peer_pool, multiply, product_whole(n)));
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
