#include "harness/peers/weft.h"
#include "harness/fork_join.h"

WEFT_TASK(uint64_t, sum, (uint64_t, first), (uint64_t, leaves)) {
    if (leaves == 1)
        return first;
    uint64_t all = 0, part = leaves / 10;
    for (uint64_t i = 0; i < 10; i++)
        WEFT_SPAWN(sum, first + i * part, part);
    for (int i = 0; i < 10; i++)
        all += WEFT_SYNC(sum);
    return all;
}

static uint64_t run(long leaves) {
    uint64_t all = 0;
    return peer_ok(WEFT_RUN(peer_pool, &all, sum, 0, (uint64_t)leaves)) ? all : 0;
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
