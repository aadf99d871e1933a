/* Submitted tasks from their making to their end. The protocol stands in submit.h. */
#include "scheduler/submit.h"

#include <time.h>

#include "base/clock.h"
#include "base/status.h"
#include "scheduler/group.h"
#include "scheduler/join.h"
#include "scheduler/placed.h"
#include "scheduler/search.h"
#include "scheduler/waiters.h"

#define NAP_NS 1000000

/* Only the worker itself writes its counts. Seq_cst: see wf_tasks_idle() and wf_tasks_refuse(). */
static void add_to_count(wf_atomic_u64 *count, uint64_t amount) {
    wf_store(count, wf_load(count, WF_RELAXED) + amount, WF_SEQ_CST);
}

/* Offer a task to the workers of a node: in the own queue, where others steal it, or the node's backlog. */
static weft_status place(struct wf_worker *worker, unsigned node, const struct wf_task *task) {
    if (worker->node == node && wf_ready_queue_room(&worker->ready)) {
        wf_ready_queue_put(&worker->ready, task);
        wf_offer_own(worker);
        return WEFT_OK;
    }
    weft_status status = wf_inbox_put_backlog(&worker->pool->nodes[node]->inbox, task);
    if (!status)
        wf_pool_offer(worker->pool, node);
    return status;
}

static struct wf_task_record *make_record(struct wf_worker *worker, const struct wf_task *task) {
    struct wf_task_record *record = wf_record_alloc(&worker->records);
    if (record)
        *record = (struct wf_task_record){.task = *task, .origin = &worker->records};
    return record;
}

static void free_record(struct wf_worker *worker, struct wf_task_record *record) {
    struct wf_record_pool *origin = record->origin;
    wf_record_free(origin, record, origin == &worker->records);
}

/* Counts in the pool from before it can be found. */
static weft_status submit_plain(struct wf_worker *worker, unsigned node, const struct wf_task *task) {
    add_to_count(&worker->made, 1);
    weft_status status = place(worker, node, task);
    if (status)
        add_to_count(&worker->made, (uint64_t)-1);
    return status;
}

static weft_status submit_in_group(struct wf_worker *worker, unsigned node, const struct wf_task *task) {
    struct wf_task_record *record = make_record(worker, task);
    if (!record)
        return WEFT_ENOMEM;
    add_to_count(&worker->made, 1);
    wf_group_add(task->group, 1);
    wf_group_list(task->group, record);
    weft_status status = place(worker, node, &(struct wf_task){.arg = record, .group = task->group});
    if (!status)
        return WEFT_OK;
    bool mine = wf_group_claim(record); /* else it runs already, or has */
    free_record(worker, record);
    if (!mine)
        return WEFT_OK;
    wf_group_end(task->group, 1);
    add_to_count(&worker->made, (uint64_t)-1);
    return status;
}

weft_status wf_submit_inside(struct wf_worker *worker, const struct wf_task *task) {
    unsigned node = task->home ? task->home - 1 : worker->node;
    if (submit_in_group(worker, node, task))
        return wf_fail(WEFT_ENOMEM, "no memory for one more task of worker %u", worker->id);
    return WEFT_OK;
}

bool wf_tasks_tell_now(struct wf_worker *worker) {
    uint32_t count = worker->ended_count;
    worker->ended_count = 0;
    bool more = worker->ended_group && wf_group_end(worker->ended_group, count);
    add_to_count(&worker->ended, count);
    return more;
}

void wf_tasks_idle(struct wf_worker *worker) {
    wf_tasks_tell(worker);
    if (WF_UNLIKELY(wf_load(&worker->pool->closed, WF_SEQ_CST)))
        wf_waiters_wake(&worker->pool->closed);
}

bool wf_task_claim_record(struct wf_worker *worker, struct wf_task *task) {
    struct wf_task_record *record = task->arg;
    bool mine = wf_group_claim(record);
    *task = record->task;
    free_record(worker, record);
    return mine;
}

void wf_task_run(struct wf_worker *worker, const struct wf_task *running) {
    struct wf_task task = *running;
    wf_tasks_tell_but(worker, task.group);
    bool nested = worker->frame; /* else nobody can be in the middle of a look at this worker's subtree, see deque.h */
    if (nested)
        wf_deque_new_epoch(&worker->deque);
    if (task.home)
        wf_placed_run(worker, &task);
    else
        wf_run_call(worker, task.fn, task.arg, NULL, task.group);
    if (nested)
        wf_deque_new_epoch(&worker->deque);
    worker->ended_group = task.group; /* what ran inside is told */
    worker->ended_count++;
    if (WF_UNLIKELY(task.room))
        wf_room_give(worker->pool, task.room - 1, 1);
}

/* Give a task that was taken from somewhere on `node` back to all there, in a form in which its group's waiters find it. */
static void keep(struct wf_worker *worker, unsigned node, const struct wf_task *task) {
    struct wf_task kept = *task;
    struct wf_task_record *record = task->fn && task->group ? make_record(worker, task) : NULL;
    if (record) {
        wf_group_list(task->group, record);
        kept.fn = NULL;
        kept.arg = record;
    }
    /* Each chunk of the backlog that is filled empties one of a lane: memory lacks only while others are about to free theirs. */
    while (place(worker, node, &kept))
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

static bool holds_unlisted(const struct wf_ready_queue *queue) {
    uint32_t first = wf_load(&queue->first, WF_RELAXED); /* an old one shows what is gone */
    uint32_t last = wf_load(&queue->last, WF_SEQ_CST);   /* pairs with wf_tasks_share() */
    for (; (int32_t)(last - first) > 0; first++) {
        struct wf_task task = wf_ready_queue_look(queue, first);
        if (task.fn && task.group)
            return true;
    }
    return false;
}

/* Once round a ready queue: what is behind its end by then was put by somebody who looks at group_waiters. */
static void list_queue(struct wf_worker *worker, struct wf_worker *other) {
    struct wf_task task;
    struct wf_ready_queue *queue = &other->ready;
    for (uint32_t left = WF_READY_CAPACITY; left && holds_unlisted(queue) && wf_ready_queue_take(queue, &task); left--)
        keep(worker, other->node, &task);
}

/* What lies in a lane now; waits for others that take from it, since they leave some. */
static void list_lane(struct wf_worker *worker, unsigned node, unsigned lane) {
    struct wf_task task;
    struct wf_inbox *inbox = &worker->pool->nodes[node]->inbox;
    for (uint64_t left = wf_lane_waiting(&inbox->lanes[lane]); left && wf_lane_has_work(&inbox->lanes[lane]);)
        if (wf_inbox_take_lane(inbox, lane, NULL, 0, &task)) {
            keep(worker, node, &task);
            left--;
        } else {
            wf_cpu_relax();
        }
}

void wf_tasks_list(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    for (unsigned i = 0; i < pool->node_count; i++)
        for (unsigned lane = 0; lane < WF_LANES; lane++)
            list_lane(worker, i, lane);
    for (unsigned i = 0; i < pool->worker_count; i++)
        list_queue(worker, pool->workers[i]);
}

void wf_tasks_share(struct wf_worker *worker, unsigned count) {
    if (!count)
        return;
    wf_ready_queue_publish(&worker->ready, count);
    if (WF_UNLIKELY(wf_load(&worker->pool->group_waiters, WF_SEQ_CST)))
        list_queue(worker, worker);
    wf_offer_own(worker);
}

/* Sums of both sides, those that end first; see the proof in submit.h. */
static bool all_have_ended(const weft_pool *pool) {
    uint64_t ended = 0, made = 0;
    for (unsigned i = 0; i < pool->worker_count; i++)
        ended += wf_load(&pool->workers[i]->ended, WF_SEQ_CST);
    for (unsigned i = 0; i < pool->node_count; i++)
        made += wf_inbox_accepted(&pool->nodes[i]->inbox);
    for (unsigned i = 0; i < pool->worker_count; i++)
        made += wf_load(&pool->workers[i]->made, WF_RELAXED); /* a task that has ended was made before */
    return made == ended;
}

void wf_tasks_refuse(weft_pool *pool) {
    wf_store(&pool->closed, 1, WF_SEQ_CST);
    for (unsigned i = 0; i < pool->node_count; i++)
        wf_inbox_close(&pool->nodes[i]->inbox);
    for (unsigned i = 0; pool->submit_limit && i < pool->node_count; i++)
        wf_room_close(pool, i);
}

void wf_tasks_drain(weft_pool *pool) {
    struct wf_signal signal = {0};
    struct wf_waiter waiter = {.key = &pool->closed, .signal = &signal};
    wf_waiters_add(&waiter);
    while (!all_have_ended(pool))
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    wf_waiters_remove(&waiter);
}

static weft_status read_options(weft_submit_options *options, const weft_submit_options *given) {
    weft_status status = wf_options_copy(options, sizeof *options, given, "weft_submit_options");
    if (!status && (unsigned)options->full > WEFT_FULL_REFUSE)
        return wf_fail(WEFT_EINVAL, "weft_submit_options.full is %d: use WEFT_FULL_BLOCK or WEFT_FULL_REFUSE",
                       (int)options->full);
    return status;
}

/* Reads the caller's options into *options. */
static weft_status check_submit(weft_pool *pool, weft_task_fn fn, const weft_submit_options *given,
                                weft_submit_options *options) {
    if (!pool || !fn)
        return wf_fail(WEFT_EINVAL, "submitting needs a pool and a function, got NULL");
    weft_status status = given ? read_options(options, given) : WEFT_OK;
    if (status || (status = wf_pool_check(pool)))
        return status;
    if (!options->placed && options->node)
        return wf_fail(WEFT_EINVAL, "weft_submit_options.node is %u but placed is not set: set both, or none", options->node);
    if (options->node >= pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u does not exist: use 0 to %u", options->node, pool->node_count - 1);
    if (options->group && options->group->pool != pool)
        return wf_fail(WEFT_EINVAL, "the group belongs to another pool: create one for this pool");
    return WEFT_OK;
}

static WF_COLD weft_status fail_submit(weft_status status, unsigned node) {
    if (status == WEFT_ECLOSED)
        return wf_fail(status, "the pool is being destroyed and takes no more work");
    return wf_fail(status, "no memory for one more submitted task on node %u", node);
}

/* Threads that submit at once begin with different lanes: by where their thread-local storage lies. */
static unsigned own_lane(void) {
    return (uint32_t)((uintptr_t)&wf_self >> 12) * 0x9e3779b1u >> 16;
}

static inline weft_status submit_outside(weft_pool *pool, unsigned node, const struct wf_task *task, void *const *args,
                                         size_t count) {
    if (task->group)
        wf_group_add(task->group, count);
    weft_status status = wf_inbox_put(&pool->nodes[node]->inbox, own_lane(), task, args, count);
    if (WF_UNLIKELY(status)) {
        if (task->group)
            wf_group_end(task->group, count);
        return fail_submit(status, node);
    }
    if (task->group && WF_UNLIKELY(wf_load(&pool->group_waiters, WF_SEQ_CST)))
        wf_waiters_wake(task->group); /* by address: the group may be gone */
    wf_pool_offer(pool, node);
    return WEFT_OK;
}

static weft_status submit_from_worker(struct wf_worker *worker, unsigned node, const struct wf_task *task) {
    /* relaxed: the caller's own task is not over, so the pool's end waits for what it submits, in any case */
    if (wf_load(&worker->pool->closed, WF_RELAXED))
        return fail_submit(WEFT_ECLOSED, node);
    weft_status status = task->group ? submit_in_group(worker, node, task) : submit_plain(worker, node, task);
    return status ? fail_submit(status, node) : WEFT_OK;
}

static inline weft_status submit_one(weft_pool *pool, unsigned node, const struct wf_task *task) {
    struct wf_worker *self = wf_self_in(pool);
    return self ? submit_from_worker(self, node, task) : submit_outside(pool, node, task, &task->arg, 1);
}

/* In a pool with a limit: once there is room, or not at all. `args` NULL: the task as it is. */
static WF_COLD weft_status submit_limited(weft_pool *pool, unsigned node, const struct wf_task *task, void *const *args,
                                          size_t count, weft_full full) {
    weft_status status = wf_room_take(pool, node, count, full);
    if (status)
        return status;
    struct wf_task counted = *task;
    counted.room = node + 1;
    status = args ? submit_outside(pool, node, &counted, args, count) : submit_one(pool, node, &counted);
    if (status)
        wf_room_give(pool, node, count);
    return status;
}

weft_status wf_submit(weft_pool *pool, unsigned node, const struct wf_task *task, weft_full full) {
    return WF_UNLIKELY(pool->submit_limit) ? submit_limited(pool, node, task, NULL, 1, full) : submit_one(pool, node, task);
}

weft_status wf_submit_always(weft_pool *pool, unsigned node, const struct wf_task *task) {
    return submit_one(pool, node, task);
}

weft_status weft_submit(weft_pool *pool, weft_task_fn fn, void *arg, const weft_submit_options *options) {
    weft_submit_options known = {WEFT_SUBMIT_OPTIONS_INIT};
    weft_status status = check_submit(pool, fn, options, &known);
    if (status)
        return status;
    unsigned node = known.placed ? known.node : wf_pool_near(pool);
    return wf_submit(pool, node, &(struct wf_task){fn, arg, known.group, known.placed ? node + 1 : 0, 0}, known.full);
}

/* A worker's tasks as well go through a lane, which takes all or none. */
weft_status weft_submit_batch(weft_pool *pool, weft_task_fn fn, void *const *args, size_t count,
                              const weft_submit_options *options) {
    weft_submit_options known = {WEFT_SUBMIT_OPTIONS_INIT};
    weft_status status = check_submit(pool, fn, options, &known);
    if (status || !count)
        return status;
    if (!args)
        return wf_fail(WEFT_EINVAL, "weft_submit_batch() needs %zu arguments, got NULL", count);
    unsigned node = known.placed ? known.node : wf_pool_near(pool);
    const struct wf_task task = {fn, NULL, known.group, known.placed ? node + 1 : 0, 0};
    return WF_UNLIKELY(pool->submit_limit) ? submit_limited(pool, node, &task, args, count, known.full)
                                           : submit_outside(pool, node, &task, args, count);
}
