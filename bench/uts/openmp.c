#include "uts/workload.h"

static uint64_t walk(struct node node) {
    uint64_t nodes = 1, found[UTS_MOST];
    int children = uts_children(&node);
    for (int i = 0; i < children; i++) {
        struct node child = uts_child(&node, i);
#pragma omp task shared(found) firstprivate(child, i)
        found[i] = walk(child);
    }
#pragma omp taskwait
    for (int i = 0; i < children; i++)
        nodes += found[i];
    return nodes;
}

static uint64_t run(long depth) {
    return walk(uts_root(depth));
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
