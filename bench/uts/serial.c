#include "uts/workload.h"

static uint64_t walk(struct node node) {
    uint64_t nodes = 1;
    int children = uts_children(&node);
    for (int i = 0; i < children; i++)
        nodes += walk(uts_child(&node, i));
    return nodes;
}

static uint64_t run(long depth) {
    return walk(uts_root(depth));
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
