#include "harness/peers/weft.h"
#include "uts/workload.h"

WEFT_TASK(uint64_t, walk, (struct node, node)) {
    uint64_t nodes = 1;
    int children = uts_children(&node);
    for (int i = 0; i < children; i++)
        WEFT_SPAWN(walk, uts_child(&node, i));
    for (int i = 0; i < children; i++)
        nodes += WEFT_SYNC(walk);
    return nodes;
}

static uint64_t run(long depth) {
    uint64_t nodes = 0;
    return peer_ok(WEFT_RUN(peer_pool, &nodes, walk, uts_root(depth))) ? nodes : 0;
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
