#include "harness/peers/weft.h"
#include "harness/loops/loop.h"

static void body(void *loop, weft_range items) {
    for (size_t i = items.first; i < items.last; i++)
        loop_item(loop, i);
}

/* The pool is hot in the ways that say so. */
static bool be_hot(bool wanted) {
    static bool hot;
    if (hot == wanted)
        return true;
    hot = wanted;
    return peer_ok(hot ? weft_hot_begin(peer_pool, 0) : weft_hot_end(peer_pool));
}

static bool run(struct loop *loop, bool hot, weft_schedule schedule) {
    const weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = schedule};
    return be_hot(hot) && peer_ok(weft_for(peer_pool, loop->n, body, loop, &options));
}

static bool run_default(struct loop *loop) {
    return run(loop, false, WEFT_SCHEDULE_STEAL);
}

static bool run_static(struct loop *loop) {
    return run(loop, false, WEFT_SCHEDULE_STATIC);
}

static bool run_default_hot(struct loop *loop) {
    return run(loop, true, WEFT_SCHEDULE_STEAL);
}

static bool run_static_hot(struct loop *loop) {
    return run(loop, true, WEFT_SCHEDULE_STATIC);
}

const struct loop_way loop_ways[] = {
    {"default", run_default, false},
    {"static", run_static, false},
    {"default, from a task", run_default, true},
    {"static, from a task", run_static, true},
    {"default, hot", run_default_hot, false},
    {"static, hot", run_static_hot, false},
    {"static, hot, from a task", run_static_hot, true},
    {0},
};
