/* Filling groups, and waiting for them on workers and on other threads. */
#include "scheduler/group.h"

#include <stdlib.h>

#include "base/status.h"
#include "scheduler/join.h"
#include "scheduler/waiters.h"

weft_status weft_group_create(weft_group **out, weft_pool *pool) {
    if (!out || !pool)
        return wf_fail(WEFT_EINVAL, "weft_group_create() needs a place for the group and a pool, got NULL");
    weft_group *group = calloc(1, sizeof *group);
    if (!group)
        return wf_fail(WEFT_ENOMEM, "no memory for a group");
    group->pool = pool;
    pthread_mutex_init(&group->lock, NULL);
    *out = group;
    return WEFT_OK;
}

/* L: take a record out of the list. */
static void unlink_record(weft_group *group, struct wf_task_record *record) {
    *(record->group_prev ? &record->group_prev->group_next : &group->first) = record->group_next;
    *(record->group_next ? &record->group_next->group_prev : &group->last) = record->group_prev;
    record->group_next = record->group_prev = NULL;
}

/* L */
static bool is_listed(const weft_group *group, const struct wf_task_record *record) {
    return group->first == record || record->group_prev;
}

void wf_group_list(struct weft_group *group, struct wf_task_record *record) {
    pthread_mutex_lock(&group->lock);
    bool begun = wf_load(&record->state, WF_ACQUIRE) & WF_RECORD_CLAIMED; /* wf_group_unlist() comes after or found nothing */
    if (!begun) {
        record->group_prev = group->last;
        *(group->last ? &group->last->group_next : &group->first) = record;
        group->last = record;
    }
    pthread_mutex_unlock(&group->lock);
    if (begun)
        wf_record_drop(record);
    else if (wf_load(&group->state, WF_SEQ_CST) & WF_GROUP_SLEEPER)
        wf_waiters_wake(group);
}

void wf_group_unlist(struct weft_group *group, struct wf_task_record *record) {
    pthread_mutex_lock(&group->lock);
    bool listed = is_listed(group, record);
    if (listed)
        unlink_record(group, record);
    pthread_mutex_unlock(&group->lock);
    if (listed)
        wf_record_drop(record); /* the list's hold; else the lister gives it up */
}

void wf_group_end(struct weft_group *group) {
    if (wf_fetch_sub(&group->state, WF_GROUP_ONE, WF_ACQ_REL) == (WF_GROUP_ONE | WF_GROUP_SLEEPER))
        wf_waiters_wake(group); /* by address: the group may be gone */
}

weft_status weft_group_spawn(weft_group *group, weft_task_fn fn, void *arg) {
    if (!group || !fn)
        return wf_fail(WEFT_EINVAL, "weft_group_spawn() needs a group and a function, got NULL");
    struct wf_worker *worker = wf_self_in(group->pool);
    if (worker && worker->frame)
        return wf_submit_inside(worker, worker->node, fn, arg, group);
    return weft_submit(group->pool, fn, arg, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .group = group});
}

static bool group_ready(void *what) {
    weft_group *group = what;
    return wf_load(&group->state, WF_ACQUIRE) < WF_GROUP_ONE; /* pairs with wf_group_end() */
}

struct group_wait {
    weft_group *group;
    bool patient; /* placed tasks are left to their nodes while somebody is idle there */
    struct wf_waiter waiter;
};

/* L: whether a listed task is the waiter's to claim. If it is claimed already, the side of the queue has it and waits for the lock. */
static bool claim(struct wf_task_record *record, const struct group_wait *wait) {
    if (wait->patient && (record->node & WF_NODE_PLACED) &&
        wf_park_idle(&wait->group->pool->nodes[record->node & WF_NODE_INDEX]->parking))
        return false;
    return !(wf_fetch_or(&record->state, WF_RECORD_CLAIMED, WF_ACQ_REL) & WF_RECORD_CLAIMED);
}

/* Claim the newest listed task that nobody has begun: what was added last is nearest in the caches. */
static struct wf_task_record *claim_listed(const struct group_wait *wait) {
    weft_group *group = wait->group;
    pthread_mutex_lock(&group->lock);
    struct wf_task_record *record = group->last;
    while (record && !claim(record, wait))
        record = record->group_prev;
    if (record)
        unlink_record(group, record);
    pthread_mutex_unlock(&group->lock);
    return record;
}

static bool wait_ready(void *what) {
    return group_ready(((struct group_wait *)what)->group);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    struct wf_task_record *record = claim_listed(what);
    if (!record)
        return false;
    wf_record_run(worker, record);
    wf_record_drop(record);
    return true;
}

static bool wait_announce(struct wf_worker *worker, void *what) {
    struct group_wait *wait = what;
    wait->patient = false; /* nobody sleeps for a task that it could run */
    wait->waiter = (struct wf_waiter){.key = wait->group, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    return wf_fetch_or(&wait->group->state, WF_GROUP_SLEEPER, WF_SEQ_CST) < WF_GROUP_ONE;
}

static void wait_retract(struct wf_worker *worker, void *what) {
    (void)worker;
    wf_waiters_remove(&((struct group_wait *)what)->waiter);
}

void wf_group_join(struct wf_worker *worker, weft_group *group) {
    struct group_wait wait = {.group = group, .patient = group->parent};
    if (!group_ready(group))
        wf_wait_for(worker, &(struct wf_wait){wait_ready, wait_help, wait_announce, wait_retract, &wait});
}

static void wait_outside(weft_group *group) {
    struct wf_signal signal = {0};
    struct wf_waiter waiter = {.key = group, .signal = &signal};
    wf_waiters_add(&waiter);
    while (wf_fetch_or(&group->state, WF_GROUP_SLEEPER, WF_ACQ_REL) >= WF_GROUP_ONE)
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    wf_waiters_remove(&waiter);
}

/* Whether the running task, or one that waits for it, counts in the group. */
static bool inside(const struct wf_worker *worker, const weft_group *group) {
    for (const struct wf_frame *frame = worker->frame; frame; frame = frame->parent)
        if (frame->group == group)
            return true;
    return false;
}

weft_status weft_group_wait(weft_group *group) {
    if (!group)
        return wf_fail(WEFT_EINVAL, "weft_group_wait() needs a group, got NULL");
    weft_status status = wf_pool_check(group->pool);
    if (status)
        return status;
    struct wf_worker *worker = wf_self_in(group->pool);
    if (worker && worker->frame && inside(worker, group))
        return wf_fail(WEFT_EDEADLK, "weft_group_wait() was called inside a task of the group: it would wait for itself");
    if (worker && worker->frame) {
        wf_sync(worker);
        wf_group_join(worker, group);
    } else if (!group_ready(group)) {
        wait_outside(group);
    }
    uint64_t idle = WF_GROUP_SLEEPER; /* nobody is left to wake; a new sleeper sets it again */
    wf_cas(&group->state, &idle, 0, WF_RELAXED, WF_RELAXED);
    return WEFT_OK;
}

weft_status weft_group_destroy(weft_group *group) {
    if (!group)
        return WEFT_OK;
    if (!group_ready(group))
        return wf_fail(WEFT_EINVAL, "%llu tasks of the group have not ended: wait for it first",
                       (unsigned long long)(wf_load(&group->state, WF_RELAXED) / WF_GROUP_ONE));
    pthread_mutex_destroy(&group->lock);
    free(group);
    return WEFT_OK;
}
