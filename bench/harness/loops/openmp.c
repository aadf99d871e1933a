#include "harness/loops/loop.h"

static bool run_static(struct loop *loop) {
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < loop->n; i++)
        loop_item(loop, i);
    return true;
}

static bool run_dynamic(struct loop *loop) {
#pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < loop->n; i++)
        loop_item(loop, i);
    return true;
}

static bool run_guided(struct loop *loop) {
#pragma omp parallel for schedule(guided)
    for (size_t i = 0; i < loop->n; i++)
        loop_item(loop, i);
    return true;
}

const struct loop_way loop_ways[] = {
    {"static", run_static, false}, {"dynamic", run_dynamic, false}, {"guided", run_guided, false}, {0}};
