/* Submitted tasks: records from their making to their end. */
#include "base/status.h"
#include "scheduler/group.h"
#include "scheduler/join.h"

struct wf_task_record *wf_record_make(weft_pool *pool, unsigned node, weft_task_fn fn, void *arg, weft_group *group) {
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
    record->group_next = NULL;
    record->origin = origin;
    record->node = node;
    wf_store(&record->claimed, 0, WF_RELAXED); /* handed over with `holders` */
    return record;
}

/* A worker keeps work for its own node in its own queue, where others steal it; all else goes through the inbox. */
void wf_record_submit(weft_pool *pool, struct wf_task_record *record, uint32_t holders) {
    struct wf_worker *self = wf_self_in(pool);
    unsigned node = record->node; /* the record may be gone once it can be found */
    if (self && self->node == node && wf_ready_queue_room(&self->ready)) {
        wf_store(&record->holders, holders, WF_RELEASE);
        wf_ready_queue_put(&self->ready, record);
    } else {
        wf_inbox_put(&pool->nodes[node]->inbox, record, holders);
    }
    wf_pool_offer(pool, node);
}

void wf_record_drop(struct wf_task_record *record) {
    /* acq_rel: the other side's accesses come before the record's next life */
    if (wf_fetch_sub(&record->holders, 1, WF_ACQ_REL) != 1)
        return;
    struct wf_record_pool *origin = record->origin;
    wf_record_free(origin, record, wf_self && origin == &wf_self->records);
}

bool wf_record_run(struct wf_worker *worker, struct wf_task_record *record) {
    if (record->group && wf_exchange(&record->claimed, 1, WF_ACQ_REL))
        return false;
    weft_group *group = record->group;
    unsigned node = record->node;
    wf_deque_new_epoch(&worker->deque);
    wf_run_call(worker, record->fn, record->arg, group);
    wf_deque_new_epoch(&worker->deque);
    if (group)
        wf_group_end(group);
    wf_pool_release(worker->pool, node);
    return true;
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

weft_status weft_submit(weft_pool *pool, weft_task_fn fn, void *arg, const weft_submit_options *options) {
    weft_submit_options known = {WEFT_SUBMIT_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_submit_options");
    if (status || (status = check_submit(pool, fn, &known)))
        return status;
    unsigned node = known.placed ? known.node : wf_pool_near(pool);
    if ((status = wf_pool_admit(pool, node)))
        return status;
    struct wf_task_record *record = wf_record_make(pool, node, fn, arg, known.group);
    if (!record) {
        wf_pool_release(pool, node);
        return wf_fail(WEFT_ENOMEM, "no memory for one more submitted task on node %u", node);
    }
    if (!known.group) {
        wf_record_submit(pool, record, 1);
        return WEFT_OK;
    }
    wf_group_add(known.group);
    wf_group_add(known.group); /* this call's own: the group cannot end before the task is listed */
    wf_record_submit(pool, record, 2);
    wf_group_list(known.group, record);
    wf_group_end(known.group);
    return WEFT_OK;
}
