/* Spawning on nodes, and waiting for it. */
#include "scheduler/placed.h"

#include "base/status.h"
#include "scheduler/group.h"
#include "scheduler/join.h"
#include "scheduler/submit.h"

void wf_placed_sync(struct wf_worker *worker, struct wf_frame *frame) {
    wf_group_join(worker, frame->placed);
}

void wf_placed_end(struct wf_worker *worker, struct wf_frame *frame) {
    wf_placed_sync(worker, frame);
    weft_group_destroy(frame->placed);
    frame->placed = NULL;
}

static void run_in(struct wf_worker *worker, const struct wf_task *task, const struct wf_frame *parent) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, parent, task->group);
    frame.home = task->home;
    wf_count(&worker->counters.tasks, 1);
    task->fn(task->arg);
    wf_frame_leave(worker, &frame);
}

void wf_placed_run(struct wf_worker *worker, const struct wf_task *task) {
    run_in(worker, task, task->group ? task->group->parent : NULL);
}

/* The node of the nearest placed task that the running one is or descends from; else where it runs. */
static unsigned home_of(const struct wf_worker *worker) {
    const struct wf_frame *frame = worker->frame;
    while (frame && !frame->home)
        frame = frame->parent;
    return frame ? frame->home - 1 : worker->node;
}

static void run_at_home(weft_deque *deque, weft_slot *slot) {
    wf_worker_of(deque)->frame->home = (unsigned)slot->payload.plain.home;
    slot->payload.plain.fn(slot->payload.plain.arg);
}

/* On the worker's own node: a slot as for any child. False: the deque is full. */
static bool spawn_here(struct wf_worker *worker, weft_task_fn fn, void *arg) {
    weft_slot *slot = wf_spawn_slot(worker);
    if (!slot)
        return false;
    slot->run = run_at_home;
    slot->payload.plain.fn = fn;
    slot->payload.plain.arg = arg;
    slot->payload.plain.home = worker->node + 1;
    wf_spawned(worker, slot);
    return true;
}

/* The group of the running task's placed children; NULL: no memory. */
static weft_group *own_group(struct wf_worker *worker) {
    struct wf_frame *frame = worker->frame;
    if (!frame->placed && !weft_group_create(&frame->placed, worker->pool))
        frame->placed->parent = frame;
    return frame->placed;
}

static bool spawn_there(struct wf_worker *worker, unsigned node, weft_task_fn fn, void *arg) {
    weft_group *group = own_group(worker);
    return group && !wf_submit_inside(worker, &(struct wf_task){fn, arg, group, node + 1, 0});
}

weft_status weft_spawn_at(unsigned node, weft_task_fn fn, void *arg) {
    struct wf_worker *worker = wf_self;
    if (!worker || !worker->frame)
        return wf_fail(WEFT_EINVAL, "weft_spawn_at() needs a running task: call it on a worker, or use weft_submit()");
    if (!fn)
        return wf_fail(WEFT_EINVAL, "weft_spawn_at() needs a function, got NULL");
    if (node == WEFT_NODE_HOME)
        node = home_of(worker);
    if (node >= worker->pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u does not exist: use 0 to %u, or WEFT_NODE_HOME", node, worker->pool->node_count - 1);
    bool made = node == worker->node ? spawn_here(worker, fn, arg) : spawn_there(worker, node, fn, arg);
    if (WF_UNLIKELY(!made)) {
        wf_count(&worker->counters.overflows, 1);
        run_in(worker, &(struct wf_task){fn, arg, NULL, node + 1, 0}, worker->frame);
    }
    return WEFT_OK;
}
