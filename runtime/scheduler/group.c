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

/* L: forget the oldest listed task. */
static void unlist_first(weft_group *group) {
    struct wf_task_record *record = group->first;
    group->first = record->group_next;
    if (!group->first)
        group->last = NULL;
    wf_record_drop(record);
}

/* L: drop listed tasks that somebody has begun. */
static void drop_claimed(weft_group *group) {
    while (group->first && wf_load(&group->first->claimed, WF_RELAXED)) /* a late look keeps it a little longer */
        unlist_first(group);
}

void wf_group_list(struct weft_group *group, struct wf_task_record *record) {
    pthread_mutex_lock(&group->lock);
    drop_claimed(group);
    if (group->last)
        group->last->group_next = record;
    else
        group->first = record;
    group->last = record;
    pthread_mutex_unlock(&group->lock);
    if (wf_load(&group->state, WF_SEQ_CST) & WF_GROUP_SLEEPER)
        wf_waiters_wake(group);
}

void wf_group_end(struct weft_group *group) {
    if (wf_fetch_sub(&group->state, WF_GROUP_ONE, WF_ACQ_REL) == (WF_GROUP_ONE | WF_GROUP_SLEEPER))
        wf_waiters_wake(group); /* by address: the group may be gone */
}

static void run_in_group(struct wf_worker *worker, struct wf_slot *slot) {
    weft_group *group = slot->group;
    slot->call.fn(slot->arg);
    wf_sync_to(worker, worker->frame->base);
    wf_group_end(group);
}

static weft_status spawn_on(struct wf_worker *worker, weft_group *group, weft_task_fn fn, void *arg) {
    struct wf_slot *slot = wf_spawn_slot(worker);
    if (WF_UNLIKELY(!slot)) {
        wf_count(&worker->counters.overflows, 1);
        wf_run_call(worker, fn, arg, group);
        return WEFT_OK;
    }
    wf_group_add(group);
    slot->run = run_in_group;
    slot->call.fn = fn;
    slot->arg = arg;
    slot->group = group;
    wf_spawned(worker);
    return WEFT_OK;
}

weft_status weft_group_spawn(weft_group *group, weft_task_fn fn, void *arg) {
    if (!group || !fn)
        return wf_fail(WEFT_EINVAL, "weft_group_spawn() needs a group and a function, got NULL");
    struct wf_worker *worker = wf_self_in(group->pool);
    if (worker && worker->frame)
        return spawn_on(worker, group, fn, arg);
    return weft_submit(group->pool, fn, arg, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .group = group});
}

static bool group_ready(void *what) {
    weft_group *group = what;
    return wf_load(&group->state, WF_ACQUIRE) < WF_GROUP_ONE; /* pairs with wf_group_end() */
}

/* Run the oldest listed task that nobody has begun. */
static bool group_help(struct wf_worker *worker, void *what) {
    weft_group *group = what;
    pthread_mutex_lock(&group->lock);
    drop_claimed(group);
    struct wf_task_record *record = group->first;
    if (record) { /* take over the list's hold */
        group->first = record->group_next;
        if (!group->first)
            group->last = NULL;
    }
    pthread_mutex_unlock(&group->lock);
    if (!record)
        return false;
    wf_record_run(worker, record);
    wf_record_drop(record);
    return true;
}

struct group_wait {
    weft_group *group;
    struct wf_waiter waiter;
};

static bool wait_ready(void *what) {
    return group_ready(((struct group_wait *)what)->group);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    return group_help(worker, ((struct group_wait *)what)->group);
}

static bool wait_announce(struct wf_worker *worker, void *what) {
    struct group_wait *wait = what;
    wait->waiter = (struct wf_waiter){.key = wait->group, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    return wf_fetch_or(&wait->group->state, WF_GROUP_SLEEPER, WF_SEQ_CST) < WF_GROUP_ONE;
}

static void wait_retract(struct wf_worker *worker, void *what) {
    (void)worker;
    wf_waiters_remove(&((struct group_wait *)what)->waiter);
}

static void wait_on_worker(struct wf_worker *worker, weft_group *group) {
    wf_sync_to(worker, worker->frame->base);
    if (group_ready(group))
        return;
    struct group_wait wait = {.group = group};
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

static bool inside(const struct wf_worker *worker, const weft_group *group) {
    for (const struct wf_frame *frame = worker->frame; frame; frame = frame->outer)
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
    if (worker && worker->frame)
        wait_on_worker(worker, group);
    else if (!group_ready(group))
        wait_outside(group);
    uint64_t idle = WF_GROUP_SLEEPER; /* nobody is left to wake; a new sleeper sets it again */
    wf_cas(&group->state, &idle, 0, WF_RELAXED, WF_RELAXED);
    pthread_mutex_lock(&group->lock);
    drop_claimed(group);
    pthread_mutex_unlock(&group->lock);
    return WEFT_OK;
}

weft_status weft_group_destroy(weft_group *group) {
    if (!group)
        return WEFT_OK;
    if (!group_ready(group))
        return wf_fail(WEFT_EINVAL, "%llu tasks of the group have not ended: wait for it first",
                       (unsigned long long)(wf_load(&group->state, WF_RELAXED) / WF_GROUP_ONE));
    while (group->first)
        unlist_first(group);
    pthread_mutex_destroy(&group->lock);
    free(group);
    return WEFT_OK;
}
