#include "harness/loops/loop.h"

static bool run(struct loop *loop) {
    for (size_t i = 0; i < loop->n; i++)
        loop_item(loop, i);
    return true;
}

const struct loop_way loop_ways[] = {{"", run, false}, {0}};
