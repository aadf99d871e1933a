/* Waiting for futures, inside tasks and outside. A task helps: it runs the function of the future, or of one that it depends on. */
#include "base/status.h"
#include "parallel/future.h"
#include "scheduler/join.h"
#include "scheduler/waiters.h"

#define NESTED_MOST 1000u /* futures of several below each other that a waiting task looks through */

/* The function may begin: what it follows is done. */
static bool may_begin(weft_future *future) {
    if (future->kind == WF_FUTURE_ASYNC)
        return true;
    if (future->kind != WF_FUTURE_THEN)
        return false;
    weft_future *source = wf_future_source(future, 0);
    bool done = source && wf_future_is_done(source); /* NULL: it is settled, so the claim fails */
    weft_future_release(source);
    return done;
}

static weft_future *find(weft_future *top, unsigned depth);

/* Among the sources of one that has several. */
static weft_future *find_in_sources(weft_future *future, unsigned depth) {
    weft_future *found = NULL;
    for (size_t i = wf_load(&future->first, WF_RELAXED); i < future->link_count && !found; i++) {
        weft_future *source = wf_future_source(future, i);
        if (!source)
            return NULL;
        if (!wf_future_is_done(source))
            found = find(source, depth + 1);
        else if (i == wf_load(&future->first, WF_RELAXED))
            wf_store(&future->first, (uint32_t)i + 1, WF_RELAXED);
        weft_future_release(source);
    }
    return found;
}

/* Claim `top`, or one that it depends on, whose function nobody has begun and may begin now; with a reference. NULL: there is none. */
static weft_future *find(weft_future *top, unsigned depth) {
    weft_future *next = NULL;
    for (weft_future *at = weft_future_retain(top); at; at = next) {
        next = NULL;
        if (may_begin(at)) {
            if (wf_future_claim(at))
                return at;
        } else if (at->kind == WF_FUTURE_THEN) {
            next = wf_future_source(at, 0);
        } else if (at->link_count && depth < NESTED_MOST) {
            weft_future *found = find_in_sources(at, depth);
            if (found) {
                weft_future_release(at);
                return found;
            }
        }
        weft_future_release(at);
    }
    return NULL;
}

struct future_wait {
    weft_future *future;
    struct wf_waiter waiter;
};

static bool wait_ready(void *what) {
    return wf_future_is_done(((const struct future_wait *)what)->future);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    weft_future *found = find(((struct future_wait *)what)->future, 0);
    if (!found)
        return false;
    wf_run_call(worker, wf_future_run, found, worker->frame, NULL);
    weft_future_release(found);
    return true;
}

static bool wait_announce(struct wf_worker *worker, void *what) {
    struct future_wait *wait = what;
    wait->waiter = (struct wf_waiter){.key = &worker->pool->future_waiters, .signal = &worker->signal};
    wf_waiters_add(&wait->waiter);
    wf_fetch_add(&worker->pool->future_waiters, 1, WF_SEQ_CST);
    return wait_ready(what);
}

static void wait_retract(struct wf_worker *worker, void *what) {
    wf_waiters_remove(&((struct future_wait *)what)->waiter);
    wf_fetch_sub(&worker->pool->future_waiters, 1, WF_RELAXED); /* late is harmless: others wake in vain */
}

/* False: the deadline has passed. */
static bool wait_inside(struct wf_worker *worker, weft_future *future, uint64_t end_ns) {
    struct future_wait wait = {.future = future};
    wf_sync(worker);
    return wf_wait_for(worker, &(struct wf_wait){.ready = wait_ready,
                                                 .help = wait_help,
                                                 .announce = wait_announce,
                                                 .retract = wait_retract,
                                                 .what = &wait,
                                                 .end_ns = end_ns});
}

static bool wait_outside(weft_future *future, uint64_t end_ns) {
    struct future_wait wait = {.future = future};
    if (wf_spin(wf_load(&future->pool->spin_ns, WF_RELAXED), wait_ready, &wait))
        return true;
    struct wf_signal signal = {0};
    wait.waiter = (struct wf_waiter){.key = future, .signal = &signal};
    wf_waiters_add(&wait.waiter);
    bool done, late = false;
    while (!(done = wf_fetch_or(&future->state, WF_FUTURE_SLEEPER, WF_ACQ_REL) & WF_FUTURE_DONE) && !late)
        late = !wf_signal_take_until(&signal, WF_SIGNAL_HINT, end_ns);
    wf_waiters_remove(&wait.waiter);
    return done;
}

/* Whether the running task is the future's function, or its descendant. */
static bool inside(const struct wf_worker *worker, const weft_future *future) {
    const struct wf_frame *own = wf_load(&future->frame, WF_RELAXED);
    for (const struct wf_frame *frame = worker->frame; frame && own; frame = frame->parent)
        if (frame == own)
            return true;
    return false;
}

static weft_status result_of(const weft_future *future, void **value) {
    if (future->status)
        return wf_fail(future->status, "%s",
                       future->text ? future->text : "the future's function, or who set it, gave this status");
    if (value)
        *value = future->value;
    return WEFT_OK;
}

static weft_status wait(weft_future *future, uint64_t end_ns, void **value) {
    if (!future)
        return wf_fail(WEFT_EINVAL, "waiting for a future needs one, got NULL");
    if (wf_future_is_done(future))
        return result_of(future, value);
    weft_status status = wf_pool_check(future->pool);
    if (status)
        return status;
    struct wf_worker *worker = wf_self_in(future->pool);
    if (worker && inside(worker, future))
        return wf_fail(WEFT_EDEADLK, "the future was waited for inside its own function: it would wait for itself");
    if (end_ns && wf_now_ns() >= end_ns)
        return wf_fail(WEFT_ETIMEDOUT, "the future is not done, and the deadline has passed");
    bool done = worker && worker->frame ? wait_inside(worker, future, end_ns) : wait_outside(future, end_ns);
    return done ? result_of(future, value) : wf_fail(WEFT_ETIMEDOUT, "the future was not done by the deadline");
}

weft_status weft_future_wait(weft_future *future, void **value) {
    return wait(future, 0, value);
}

weft_status weft_future_wait_until(weft_future *future, uint64_t deadline_ns, void **value) {
    return wait(future, deadline_ns ? deadline_ns : 1, value);
}
