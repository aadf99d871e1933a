/* Taking and giving back room for submitted tasks. The protocol stands in room.h. */
#include "scheduler/room.h"

#include "base/status.h"
#include "scheduler/pool.h"
#include "scheduler/waiters.h"

static bool fits(uint64_t state, size_t count, unsigned limit) {
    return state / WF_ROOM_ONE + count <= limit;
}

/* Take room, or leave a mark (0: none). Without text: WEFT_EAGAIN, WEFT_ECLOSED. */
static weft_status take_or_mark(struct wf_room *room, size_t count, unsigned limit, uint64_t mark) {
    uint64_t state = wf_load(&room->state, WF_RELAXED), next;
    do {
        if (state & WF_ROOM_CLOSED)
            return WEFT_ECLOSED;
        next = fits(state, count, limit) ? state + count * WF_ROOM_ONE : state | mark;
    } while (!wf_cas(&room->state, &state, next, WF_RELAXED, WF_RELAXED)); /* also if nothing changes: the newest must be full */
    return next >= state + WF_ROOM_ONE ? WEFT_OK : WEFT_EAGAIN;
}

struct room_wait {
    struct wf_room *room;
    size_t count;
    unsigned limit;
};

static bool may_go_on(void *what) {
    const struct room_wait *wait = what;
    uint64_t state = wf_load(&wait->room->state, WF_RELAXED);
    return state & WF_ROOM_CLOSED || fits(state, wait->count, wait->limit);
}

static WF_COLD weft_status wait_for_room(const weft_pool *pool, struct room_wait *wait) {
    weft_status status = WEFT_EAGAIN;
    if (wf_spin(wf_load(&pool->spin_ns, WF_RELAXED), may_go_on, wait))
        status = take_or_mark(wait->room, wait->count, wait->limit, 0);
    if (status != WEFT_EAGAIN)
        return status;
    struct wf_signal signal = {0};
    struct wf_waiter waiter = {.key = wait->room, .signal = &signal};
    wf_waiters_add(&waiter);
    while ((status = take_or_mark(wait->room, wait->count, wait->limit, WF_ROOM_SLEEPER)) == WEFT_EAGAIN)
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    wf_waiters_remove(&waiter);
    return status;
}

weft_status wf_room_take(weft_pool *pool, unsigned node, size_t count, weft_full full) {
    struct room_wait wait = {&pool->nodes[node]->room, count, pool->submit_limit};
    if (full == WEFT_FULL_BLOCK && wf_self_in(pool)) {
        wf_fetch_add(&wait.room->state, count * WF_ROOM_ONE, WF_RELAXED);
        return WEFT_OK;
    }
    if (count > wait.limit)
        return wf_fail(WEFT_EINVAL, "a batch of %zu tasks never fits into weft_pool_options.submit_limit, which is %u", count,
                       wait.limit);
    weft_status status = take_or_mark(wait.room, count, wait.limit, 0);
    if (status == WEFT_EAGAIN && full == WEFT_FULL_BLOCK)
        status = wait_for_room(pool, &wait);
    if (status == WEFT_EAGAIN)
        return wf_fail(status, "node %u has no room for %zu more tasks until others end: weft_pool_options.submit_limit is %u",
                       node, count, wait.limit);
    return status ? wf_fail(status, "the pool is being destroyed and takes no more work") : WEFT_OK;
}

void wf_room_give(weft_pool *pool, unsigned node, size_t count) {
    struct wf_room *room = &pool->nodes[node]->room;
    if (WF_LIKELY(!(wf_fetch_sub(&room->state, count * WF_ROOM_ONE, WF_RELAXED) & WF_ROOM_SLEEPER)))
        return;
    wf_fetch_and(&room->state, ~WF_ROOM_SLEEPER, WF_RELAXED);
    wf_waiters_wake(room);
}

void wf_room_close(weft_pool *pool, unsigned node) {
    struct wf_room *room = &pool->nodes[node]->room;
    wf_fetch_or(&room->state, WF_ROOM_CLOSED, WF_RELAXED);
    wf_waiters_wake(room);
}
