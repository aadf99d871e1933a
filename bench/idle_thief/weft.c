#include "harness/peers/weft.h"
#include "idle_thief/workload.h"

WEFT_TASK(long, leaf, (long, number)) {
    return idle_thief_leaf(number);
}

WEFT_TASK(long, all, (long, count)) {
    long sum = 0;
    for (long i = 0; i < count; i++) {
        WEFT_SPAWN(leaf, i);
        sum += WEFT_SYNC(leaf);
    }
    return sum;
}

static uint64_t run(long count) {
    long sum = 0;
    return peer_ok(WEFT_RUN(peer_pool, &sum, all, count)) ? (uint64_t)sum : 0;
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
