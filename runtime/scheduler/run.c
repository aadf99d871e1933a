/* Running one task and waiting for it, from any thread. */
#include "base/status.h"
#include "scheduler/join.h"
#include "scheduler/seat.h"

#define RUN_DONE 1u
#define RUN_WAITING 2u

/* On the caller's stack, until DONE is set. */
struct run {
    weft_task_fn fn;         /* I */
    void *arg;               /* I */
    wf_atomic_u32 state;     /* A: DONE set by the worker, WAITING by the caller */
    struct wf_signal signal; /* the caller's; touched by the worker only if WAITING was set before DONE */
};

static void run_there(void *arg) {
    struct run *run = arg;
    run->fn(run->arg);
    weft_sync(); /* what it spawned has ended as well */
    /* acq_rel: the task's writes are visible to the caller */
    if (wf_fetch_or(&run->state, RUN_DONE, WF_ACQ_REL) & RUN_WAITING)
        wf_signal_set(&run->signal, WF_SIGNAL_HINT);
}

/* As a worker that sleeps, on the caller's stack; false: the pool has stacks of a size of its own, or no worker sleeps nearby. */
static bool run_seated(weft_pool *pool, weft_task_fn fn, void *arg) {
    struct wf_seat seat;
    if (pool->own_stacks || !wf_seat_take(pool, &seat))
        return false;
    wf_run_call(seat.worker, fn, arg, &seat.frame, NULL);
    wf_seat_leave(&seat);
    return true;
}

static weft_status submit_and_wait(weft_pool *pool, weft_task_fn fn, void *arg) {
    struct run run = {.fn = fn, .arg = arg};
    weft_status status = weft_submit(pool, run_there, &run, NULL);
    if (status)
        return status;
    /* Once WAITING is set on a task that has not ended its end sets HINT, and the signal must live until then. */
    if (!(wf_fetch_or(&run.state, RUN_WAITING, WF_ACQ_REL) & RUN_DONE))
        wf_signal_take(&run.signal, WF_SIGNAL_HINT);
    return WEFT_OK;
}

static weft_status run_outside(weft_pool *pool, weft_task_fn fn, void *arg) {
    unsigned node = wf_pool_near(pool);
    weft_status status = wf_pool_admit(pool, node);
    if (status)
        return status;
    bool done = run_seated(pool, fn, arg);
    wf_pool_release(pool, node);
    return done ? WEFT_OK : submit_and_wait(pool, fn, arg);
}

weft_status weft_run(weft_pool *pool, weft_task_fn fn, void *arg) {
    if (!pool || !fn)
        return wf_fail(WEFT_EINVAL, "weft_run() needs a pool and a function, got NULL");
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    struct wf_worker *self = wf_self_in(pool);
    if (!self || !self->frame)
        return run_outside(pool, fn, arg);
    wf_run_call(self, fn, arg, self->frame, NULL);
    return WEFT_OK;
}

/* A typed task that begins on a worker. */
struct root {
    weft_root_fn fn;
    void *arg;
};

static void call_root(struct wf_deque *deque, weft_root_fn fn, void *arg) {
    fn(&deque->face, wf_deque_settle(deque), arg);
}

static void run_root(void *arg) {
    const struct root *root = arg;
    call_root(&wf_self->deque, root->fn, root->arg);
}

weft_status weft_run_root(weft_pool *pool, weft_root_fn fn, void *arg) {
    struct wf_worker *self = wf_self;
    if (WF_UNLIKELY(!self || self->pool != pool || !self->frame))
        return weft_run(pool, run_root, &(struct root){fn, arg});
    call_root(&self->deque, fn, arg);
    return WEFT_OK;
}
