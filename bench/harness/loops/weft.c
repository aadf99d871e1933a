#include "harness/peers/weft.h"
#include "harness/loops/loop.h"

static void body(void *loop, weft_range items) {
    for (size_t i = items.first; i < items.last; i++)
        loop_item(loop, i);
}

static bool run_default(struct loop *loop) {
    return peer_ok(weft_for(peer_pool, loop->n, body, loop, NULL));
}

static bool run_static(struct loop *loop) {
    static const weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    return peer_ok(weft_for(peer_pool, loop->n, body, loop, &options));
}

const struct loop_way loop_ways[] = {
    {"default", run_default, false},
    {"static", run_static, false},
    {"default, from a task", run_default, true},
    {"static, from a task", run_static, true},
    {0},
};
