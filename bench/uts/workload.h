/*
 * Unbalanced tree search: count the nodes of a tree that is known only by walking it. The number of a node's children is geometric
 * with mean 4, to a depth of 10, as in the tree T1 of the UTS benchmark (Olivier et al., LCPC 2006), with a cheaper random function.
 */
#ifndef BENCH_UTS_WORKLOAD_H
#define BENCH_UTS_WORKLOAD_H

#include <math.h>

#include "harness/fork_join.h"

#define UTS_MEAN 4.0
#define UTS_MOST 100

struct node {
    uint64_t state;
    long below; /* levels that may lie below it */
};

static inline uint64_t uts_mix(uint64_t x) { /* the output function of SplitMix64 */
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static inline struct node uts_root(long depth) {
    struct node root = {uts_mix(42), depth};
    return root;
}

static inline int uts_children(const struct node *node) {
    if (!node->below)
        return 0;
    double uniform = (double)(uts_mix(node->state) >> 11) * 0x1p-53;
    int children = (int)(log(1 - uniform) * (1 / log(1 - 1 / (1 + UTS_MEAN))));
    return children < UTS_MOST ? children : UTS_MOST;
}

static inline struct node uts_child(const struct node *node, int index) {
    struct node child = {uts_mix(node->state + (uint64_t)(index + 1) * UINT64_C(0x9e3779b97f4a7c15)), node->below - 1};
    return child;
}

#endif
