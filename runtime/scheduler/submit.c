/* Submitted tasks: records from their making to their end. */
#include "base/status.h"
#include "scheduler/group.h"
#include "scheduler/join.h"
#include "scheduler/placed.h"
#include "scheduler/search.h"

/* A record, not counted as anybody's work yet. `node`: where it is to lie. NULL: no memory. */
static struct wf_task_record *make_record(weft_pool *pool, unsigned node, weft_task_fn fn, void *arg, weft_group *group) {
    struct wf_worker *self = wf_self_in(pool);
    struct wf_node *home = pool->nodes[node];
    struct wf_record_pool *origin = self ? &self->records : &home->records;
    struct wf_task_record *record;
    if (self) {
        record = wf_record_alloc(origin);
    } else {
        pthread_mutex_lock(&home->record_lock);
        record = wf_record_alloc(origin);
        pthread_mutex_unlock(&home->record_lock);
    }
    if (!record)
        return NULL;
    record->fn = fn;
    record->arg = arg;
    record->group = group;
    record->group_next = record->group_prev = NULL;
    record->origin = origin;
    record->node = node;
    return record;
}

/* Put a record where workers find it, and wake one. A worker keeps work for its own node in its own queue, where others steal
 * it; all else goes through the node's inbox. */
static void hand_over(weft_pool *pool, struct wf_task_record *record, unsigned node, uint32_t holders) {
    struct wf_worker *self = wf_self_in(pool);
    if (self && self->node == node && wf_ready_queue_room(&self->ready)) {
        wf_store(&record->state, holders * WF_RECORD_HOLDER, WF_RELEASE);
        wf_ready_queue_put(&self->ready, record);
        wf_offer_own(self);
    } else {
        wf_inbox_put(&pool->nodes[node]->inbox, record, holders);
        wf_pool_offer(pool, node);
    }
}

void wf_record_drop(struct wf_task_record *record) {
    /* acq_rel: the other side's accesses come before the record's next life */
    if (wf_fetch_sub(&record->state, WF_RECORD_HOLDER, WF_ACQ_REL) >= 2 * WF_RECORD_HOLDER)
        return;
    struct wf_record_pool *origin = record->origin;
    wf_record_free(origin, record, wf_self && origin == &wf_self->records);
}

void wf_record_run(struct wf_worker *worker, struct wf_task_record *record) {
    weft_group *group = record->group;
    uint32_t node = record->node;
    wf_deque_new_epoch(&worker->deque);
    if (node & WF_NODE_PLACED)
        wf_placed_run(worker, (node & WF_NODE_INDEX) + 1, record);
    else
        wf_run_call(worker, record->fn, record->arg, NULL, group);
    wf_deque_new_epoch(&worker->deque);
    if (group)
        wf_group_end(group);
    if (node & WF_NODE_INSIDE)
        wf_pool_leave(worker->pool);
    else
        wf_pool_release(worker->pool, node & WF_NODE_INDEX);
}

void wf_record_run_queued(struct wf_worker *worker, struct wf_task_record *record) {
    bool mine = true;
    if (record->group) {
        mine = !(wf_fetch_or(&record->state, WF_RECORD_CLAIMED, WF_ACQ_REL) & WF_RECORD_CLAIMED);
        if (mine)
            wf_group_unlist(record->group, record);
    }
    if (mine)
        wf_record_run(worker, record);
    wf_record_drop(record);
}

static weft_status check_submit(weft_pool *pool, weft_task_fn fn, const weft_submit_options *options) {
    if (!pool || !fn)
        return wf_fail(WEFT_EINVAL, "weft_submit() needs a pool and a function, got NULL");
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    if (!options->placed && options->node)
        return wf_fail(WEFT_EINVAL, "weft_submit_options.node is %u but placed is not set: set both, or none", options->node);
    if (options->node >= pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u does not exist: use 0 to %u", options->node, pool->node_count - 1);
    if (options->group && options->group->pool != pool)
        return wf_fail(WEFT_EINVAL, "the group belongs to another pool: create one for this pool");
    return WEFT_OK;
}

/* The call counts in the group until the task is listed, so that the group cannot end before. */
static void submit_in_group(weft_pool *pool, struct wf_task_record *record, unsigned node) {
    weft_group *group = record->group;
    wf_group_add(group);
    wf_group_add(group);
    hand_over(pool, record, node, 2);
    wf_group_list(group, record);
    wf_group_end(group);
}

weft_status weft_submit(weft_pool *pool, weft_task_fn fn, void *arg, const weft_submit_options *options) {
    weft_submit_options known = {WEFT_SUBMIT_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_submit_options");
    if (status || (status = check_submit(pool, fn, &known)))
        return status;
    unsigned node = known.placed ? known.node : wf_pool_near(pool);
    if ((status = wf_pool_admit(pool, node)))
        return status;
    struct wf_task_record *record = make_record(pool, node, fn, arg, known.group);
    if (!record) {
        wf_pool_release(pool, node);
        return wf_fail(WEFT_ENOMEM, "no memory for one more submitted task on node %u", node);
    }
    record->node |= known.placed ? WF_NODE_PLACED : 0;
    if (known.group)
        submit_in_group(pool, record, node);
    else
        hand_over(pool, record, node, 1);
    return WEFT_OK;
}

weft_status wf_submit_inside(struct wf_worker *worker, uint32_t node, weft_task_fn fn, void *arg, weft_group *group) {
    struct wf_task_record *record = make_record(worker->pool, worker->node, fn, arg, group);
    if (!record)
        return wf_fail(WEFT_ENOMEM, "no memory for one more task of worker %u", worker->id);
    record->node = node | WF_NODE_INSIDE;
    wf_pool_enter(worker->pool);
    submit_in_group(worker->pool, record, node & WF_NODE_INDEX);
    return WEFT_OK;
}
