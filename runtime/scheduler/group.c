/* Filling groups, and waiting for them on workers and on other threads. */
#include "scheduler/group.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "scheduler/join.h"
#include "scheduler/submit.h"
#include "scheduler/waiters.h"

weft_status weft_group_create(weft_group **out, weft_pool *pool) {
    if (!out || !pool)
        return wf_fail(WEFT_EINVAL, "weft_group_create() needs a place for the group and a pool, got NULL");
    weft_group *group = aligned_alloc(WF_LINE, sizeof *group);
    if (!group)
        return wf_fail(WEFT_ENOMEM, "no memory for a group");
    memset(group, 0, sizeof *group);
    group->pool = pool;
    pthread_mutex_init(&group->lock, NULL);
    *out = group;
    return WEFT_OK;
}

/* L: take a record out of the list; its neighbours are read before it may be gone. */
static void unlink_between(weft_group *group, struct wf_task_record *previous, struct wf_task_record *next) {
    *(previous ? &previous->group_next : &group->first) = next;
    *(next ? &next->group_prev : &group->last) = previous;
}

void wf_group_list(struct weft_group *group, struct wf_task_record *record) {
    pthread_mutex_lock(&group->lock);
    record->group_next = NULL;
    record->group_prev = group->last;
    *(group->last ? &group->last->group_next : &group->first) = record;
    group->last = record;
    /* relaxed: the sleeper takes the lock after it has set the bit */
    bool wake = wf_load(&group->state, WF_RELAXED) & WF_GROUP_SLEEPER;
    pthread_mutex_unlock(&group->lock);
    if (wake)
        wf_waiters_wake(group); /* by address: the group may be gone */
}

static bool claim(struct wf_task_record *record) {
    return !wf_exchange(&record->claimed, 1, WF_ACQ_REL);
}

bool wf_group_claim(struct wf_task_record *record) {
    if (!claim(record))
        return false;
    weft_group *group = record->task.group;
    pthread_mutex_lock(&group->lock);
    unlink_between(group, record->group_prev, record->group_next);
    pthread_mutex_unlock(&group->lock);
    return true;
}

bool wf_group_end(struct weft_group *group, uint64_t count) {
    uint64_t ended = count * WF_GROUP_ONE, before = wf_fetch_sub(&group->state, ended, WF_ACQ_REL);
    if (before == (ended | WF_GROUP_SLEEPER))
        wf_waiters_wake(group); /* by address: the group may be gone */
    return before - ended >= WF_GROUP_ONE;
}

weft_status weft_group_spawn(weft_group *group, weft_task_fn fn, void *arg) {
    if (!group || !fn)
        return wf_fail(WEFT_EINVAL, "weft_group_spawn() needs a group and a function, got NULL");
    struct wf_worker *worker = wf_self_in(group->pool);
    if (worker && worker->frame)
        return wf_submit_inside(worker, &(struct wf_task){.fn = fn, .arg = arg, .group = group});
    weft_status status = wf_pool_check(group->pool);
    return status ? status
                  : wf_submit(group->pool, wf_pool_near(group->pool), &(struct wf_task){.fn = fn, .arg = arg, .group = group},
                              WEFT_FULL_BLOCK);
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
static bool claim_for(const struct group_wait *wait, struct wf_task_record *record) {
    unsigned home = record->task.home;
    return !(wait->patient && home && wf_park_idle(&wait->group->pool->nodes[home - 1]->parking)) && claim(record);
}

/* Claim the newest listed task that nobody has begun: what was added last is nearest in the caches. */
static bool claim_listed(const struct group_wait *wait, struct wf_task *task) {
    weft_group *group = wait->group;
    pthread_mutex_lock(&group->lock);
    struct wf_task_record *record = group->last, *previous = NULL;
    for (; record; record = previous) {
        struct wf_task_record *next = record->group_next;
        previous = record->group_prev;
        *task = record->task;
        if (claim_for(wait, record)) {
            unlink_between(group, previous, next);
            break;
        }
    }
    pthread_mutex_unlock(&group->lock);
    return record;
}

static bool wait_ready(void *what) {
    return group_ready(((struct group_wait *)what)->group);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    struct wf_task task;
    if (!claim_listed(what, &task))
        return false;
    wf_task_run(worker, &task);
    wf_tasks_tell(worker); /* the caller waits for it */
    return true;
}

static bool wait_announce(struct wf_worker *worker, void *what) {
    struct group_wait *wait = what;
    wait->patient = false; /* nobody sleeps for a task that it could run */
    wait->waiter = (struct wf_waiter){.key = wait->group, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    wf_fetch_add(&worker->pool->group_waiters, 1, WF_SEQ_CST);
    if (wf_fetch_or(&wait->group->state, WF_GROUP_SLEEPER, WF_SEQ_CST) < WF_GROUP_ONE)
        return true;
    wf_tasks_list(worker);
    return false;
}

static void wait_retract(struct wf_worker *worker, void *what) {
    struct group_wait *wait = what;
    wf_waiters_remove(&wait->waiter);
    if (!group_ready(wait->group))
        wf_tasks_list(worker);                                 /* what it was woken for */
    wf_fetch_sub(&worker->pool->group_waiters, 1, WF_RELAXED); /* late is harmless: others list more than they must */
}

/* False: the end has come. */
static bool join_until(struct wf_worker *worker, weft_group *group, uint64_t end_ns) {
    struct group_wait wait = {.group = group, .patient = group->parent};
    return group_ready(group) || wf_wait_for(worker, &(struct wf_wait){.ready = wait_ready,
                                                                       .help = wait_help,
                                                                       .announce = wait_announce,
                                                                       .retract = wait_retract,
                                                                       .what = &wait,
                                                                       .end_ns = end_ns,
                                                                       .spins = group->parent ? WF_PLACED_PATIENCE : 1});
}

void wf_group_join(struct wf_worker *worker, weft_group *group) {
    join_until(worker, group, 0);
}

bool wf_group_help(struct wf_worker *worker, weft_group *group) {
    return wait_help(worker, &(struct group_wait){.group = group});
}

static bool wait_outside(weft_group *group, uint64_t end_ns) {
    if (wf_spin(wf_load(&group->pool->spin_ns, WF_RELAXED), group_ready, group))
        return true;
    bool waits, late = false;
    struct wf_signal signal = {0};
    struct wf_waiter waiter = {.key = group, .signal = &signal};
    wf_waiters_add(&waiter);
    while ((waits = wf_fetch_or(&group->state, WF_GROUP_SLEEPER, WF_ACQ_REL) >= WF_GROUP_ONE) && !late)
        late = !wf_signal_take_until(&signal, WF_SIGNAL_HINT, end_ns);
    wf_waiters_remove(&waiter);
    return !waits;
}

bool wf_group_inside(const struct wf_worker *worker, const weft_group *group) {
    for (const struct wf_frame *frame = worker->frame; frame; frame = frame->parent)
        if (frame->group == group)
            return true;
    return false;
}

/* end_ns 0: without an end. */
static weft_status wait_until(weft_group *group, uint64_t end_ns) {
    if (!group)
        return wf_fail(WEFT_EINVAL, "weft_group_wait() needs a group, got NULL");
    weft_status status = wf_pool_check(group->pool);
    if (status)
        return status;
    struct wf_worker *worker = wf_self_in(group->pool);
    if (worker && worker->frame && wf_group_inside(worker, group))
        return wf_fail(WEFT_EDEADLK, "weft_group_wait() was called inside a task of the group: it would wait for itself");
    bool ready = true;
    if (worker && worker->frame) {
        wf_sync(worker);
        ready = join_until(worker, group, end_ns);
    } else if (!group_ready(group)) {
        ready = wait_outside(group, end_ns);
    }
    uint64_t idle = WF_GROUP_SLEEPER; /* nobody is left to wake; a new sleeper sets it again */
    if (wf_load(&group->state, WF_RELAXED) == idle)
        wf_cas(&group->state, &idle, 0, WF_RELAXED, WF_RELAXED);
    return ready ? WEFT_OK : wf_fail(WEFT_ETIMEDOUT, "tasks of the group had not ended by the deadline");
}

weft_status weft_group_wait(weft_group *group) {
    return wait_until(group, 0);
}

weft_status weft_group_wait_until(weft_group *group, uint64_t deadline_ns) {
    return wait_until(group, deadline_ns ? deadline_ns : 1);
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
