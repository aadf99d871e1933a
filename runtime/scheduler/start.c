/* Starting the threads of a pool's workers. See start.h. */
#include "scheduler/start.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "scheduler/replan.h"

void wf_start_signals(sigset_t *blocked) {
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    sigfillset(blocked);
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(faults); i++)
        sigdelset(blocked, faults[i]);
}

/* Attributes of worker `id`: its mask is set before it runs, signals are blocked, its stack is its own. */
static int fill_attributes(const weft_pool *pool, unsigned id, const struct wf_cpu_mask *mask, pthread_attr_t *attributes) {
    sigset_t blocked;
    wf_start_signals(&blocked);
    int error = pthread_attr_setsigmask_np(attributes, &blocked);
    if (!error)
        error = wf_stack_set(&pool->stacks[id], attributes);
    if (!error && mask)
        error = pthread_attr_setaffinity_np(attributes, mask->bytes, mask->set);
    return error;
}

static weft_status prepare_attributes(weft_pool *pool, unsigned id, bool bind, pthread_attr_t *attributes) {
    int error = pthread_attr_init(attributes);
    if (!error && (error = fill_attributes(pool, id, bind ? &pool->replan->places[id].mask : NULL, attributes)))
        pthread_attr_destroy(attributes);
    if (error == ENOMEM)
        return wf_fail(WEFT_ENOMEM, "no memory for the attributes of worker %u", id);
    return error ? wf_fail(WEFT_EINVAL, "the attributes of worker %u were refused: %s (stack of %zu bytes)", id, strerror(error),
                           pool->settings.stack_bytes)
                 : WEFT_OK;
}

static weft_status start_thread(weft_pool *pool, struct wf_worker_start *start, bool bind, int *error) {
    pthread_attr_t attributes;
    weft_status status = prepare_attributes(pool, start->id, bind, &attributes);
    if (status)
        return status;
    *error = pthread_create(&pool->threads[start->id], &attributes, wf_worker_main, start);
    pthread_attr_destroy(&attributes);
    return WEFT_OK;
}

/*
 * Start one worker, after `before` others. A mask that the system refuses (EINVAL: the cpuset has changed meanwhile; EPERM, ENOSYS: seccomp) is left
 * out and told. Too little memory and too many threads are no matter of masks.
 */
static weft_status start_worker(weft_pool *pool, struct wf_worker_start *start, unsigned before) {
    struct wf_place *place = &pool->replan->places[start->id];
    bool bind = place->mask.set;
    int error = 0;
    weft_status status = start_thread(pool, start, bind, &error);
    if (!status && error && error != EAGAIN && error != ENOMEM && bind) {
        place->refusal = error;
        if (pool->settings.strict)
            return wf_fail(WEFT_ESTRICT, "worker %u could not be bound to its CPUs: %s", start->id, strerror(error));
        status = start_thread(pool, start, false, &error);
    }
    start->begun = !status && !error;
    if (!status && error)
        return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM,
                       "thread %u of %u was refused: %s (see ulimit -u, pids.max, ulimit -v)", before + 1, pool->worker_count,
                       strerror(error));
    return status;
}

/* Before any thread runs: mapping memory and touching it on another thread wait for each other. */
static weft_status make_stacks(weft_pool *pool) {
    const weft_plan_worker *planned = weft_plan_workers(pool->plan, NULL);
    weft_status status = WEFT_OK;
    for (unsigned i = 0; !status && i < pool->worker_count; i++)
        status = wf_stack_make(&pool->stacks[i], pool->plan, planned[i].node, pool->settings.stack_bytes);
    return status;
}

/* On the creator's thread, where it does not matter who touches memory first. */
static weft_status make_all(weft_pool *pool) {
    weft_status status = wf_setup_reserve(pool);
    if (!weft_plan_get_limits(pool->plan)->this_system)
        wf_store(&pool->memory_status, WEFT_ENOTSUP, WF_RELAXED); /* nobody knows the pool yet */
    for (unsigned node = 0; !status && node < pool->node_count; node++)
        status = wf_node_make(pool, node);
    for (unsigned id = 0; !status && id < pool->worker_count; id++)
        status = wf_worker_make(pool, id);
    return status;
}

bool wf_start_set_up(weft_pool *pool, unsigned id) {
    unsigned node = weft_plan_workers(pool->plan, NULL)[id].node;
    bool first = weft_plan_nodes(pool->plan, NULL)[node].first_worker == id;
    weft_status status = first ? wf_node_make(pool, node) : WEFT_OK;
    if (!status)
        status = wf_worker_make(pool, id);
    uint32_t none = WEFT_OK;
    if (status && wf_cas(&pool->start_status, &none, (uint32_t)status, WF_RELAXED, WF_RELAXED)) /* ordered by `started` */
        snprintf(pool->start_detail, sizeof pool->start_detail, "%s", weft_error_detail());
    wf_fetch_add(&pool->started, 1, WF_RELEASE); /* pairs with let_go() */
    wf_futex_wake(&pool->started, 1);
    while (!wf_load(&pool->go, WF_ACQUIRE)) /* pairs with let_go() */
        wf_futex_wait(&pool->go, 0);
    return !wf_load(&pool->stop, WF_RELAXED);
}

/* Nobody knows the pool yet, so the bits of all may be set before the first of them sleeps. */
static void park_all(weft_pool *pool) {
    for (unsigned id = 0; id < pool->worker_count; id++)
        if (pool->starts[id].parked) {
            wf_park_set(wf_parking_of(pool->workers[id]), id);
            wf_count(&pool->workers[id]->counters.parks, 1);
        }
}

/*
 * Wait until all that were started have made their parts, then let them go on, or end if anything has failed. `status` is that of
 * the creation of threads.
 */
static weft_status let_go(weft_pool *pool, unsigned begun, weft_status status) {
    uint32_t seen;
    while ((seen = wf_load(&pool->started, WF_ACQUIRE)) < begun) /* pairs with wf_start_set_up() */
        wf_futex_wait(&pool->started, seen);
    weft_status set_up = (weft_status)wf_load(&pool->start_status, WF_RELAXED);
    if (!status && set_up)
        status = wf_fail(set_up, "a worker could not set itself up on its node: %s", pool->start_detail);
    if (status)
        wf_store(&pool->stop, 1, WF_RELAXED); /* released by `go` */
    else
        park_all(pool);
    wf_store(&pool->go, 1, WF_RELEASE); /* pairs with wf_start_set_up() */
    wf_futex_wake(&pool->go, INT_MAX);
    for (unsigned id = 0; status && id < pool->worker_count; id++)
        if (pool->starts[id].begun)
            pthread_join(pool->threads[id], NULL);
    return status;
}

/* The worker after the one whose CPU the caller is on: that one comes last, since it cannot run before the caller sleeps. */
static unsigned first_to_start(const weft_pool *pool) {
    int cpu = sched_getcpu();
    for (unsigned id = 0; id < pool->worker_count; id++)
        if (cpu >= 0 && pool->replan->places[id].pu == (unsigned)cpu)
            return (id + 1) % pool->worker_count;
    return 0;
}

weft_status wf_pool_start(weft_pool *pool) {
    weft_status status = make_stacks(pool);
    if (!status && !pool->placed)
        status = make_all(pool);
    if (status)
        return status;
    for (unsigned id = 0; id < pool->worker_count; id++)
        pool->starts[id] = (struct wf_worker_start){.pool = pool, .id = id, .parked = pool->replan->places[id].role >= 0};
    if (!pool->placed)
        park_all(pool);
    unsigned begun = 0, first = first_to_start(pool);
    for (; !status && begun < pool->worker_count; begun += !status)
        status = start_worker(pool, &pool->starts[(first + begun) % pool->worker_count], begun);
    if (pool->placed)
        return let_go(pool, begun, status);
    if (status)
        wf_pool_end_workers(pool);
    return status;
}
