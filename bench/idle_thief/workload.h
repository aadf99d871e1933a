/* One child after the other, each ended before the next is spawned: an idle worker beside has nothing worth taking. */
#ifndef BENCH_IDLE_THIEF_WORKLOAD_H
#define BENCH_IDLE_THIEF_WORKLOAD_H

#include "harness/fork_join.h"

/* What a child does: a few nanoseconds. */
static inline long idle_thief_leaf(long number) {
    return number * number + 1;
}

#endif
