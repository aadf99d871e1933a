/* Creating and destroying pools. The creator's thread makes the workers; destroy may run on any thread outside the pool. */
#include "scheduler/pool.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "machine/binding.h"
#include "machine/plan_bounds.h"
#include "memory/node_cache.h"
#include "scheduler/node_memory.h"
#include "scheduler/replan.h"
#include "scheduler/start.h"
#include "scheduler/submit.h"
#include "scheduler/waiters.h"
#include "scheduler/watch.h"

/* Pools whose workers are pinned to their cores by default; another one would put its workers on the same cores. */
static wf_atomic_u32 core_pinned_pools;

/* What pools of this process have measured of their wakes, for the next one. Relaxed: a start value. */
static wf_atomic_u64 last_wake_ns;

/* Forks on the way from the first process to this one. Changes only in a child that has one thread. */
static uint32_t forks;

static void enter_child(void) {
    forks++;
    wf_self = NULL; /* the fork may have been called inside a task */
    wf_caches_enter_child();
}

__attribute__((constructor)) static void survive_fork(void) {
    pthread_atfork(NULL, NULL, enter_child);
}

bool wf_pool_is_foreign(const weft_pool *pool) {
    return pool->process != forks;
}

weft_status wf_pool_check(const weft_pool *pool) {
    if (WF_LIKELY(pool->process == forks))
        return WEFT_OK;
    return wf_fail(WEFT_EFORK, "the pool was made before fork(): its workers are in the parent process, create a pool here");
}

static void release_pool(weft_pool *pool) {
    wf_pool_release_memory(pool);
    for (unsigned i = 0; pool->workers && i < pool->worker_count; i++)
        if (pool->workers[i])
            wf_worker_release(pool->workers[i]);
    for (unsigned i = 0; pool->nodes && i < pool->node_count; i++)
        if (pool->nodes[i])
            wf_node_release(pool->nodes[i]);
    wf_area_release(&pool->space);
    for (unsigned i = 0; pool->stacks && i < pool->worker_count; i++)
        wf_stack_release(&pool->stacks[i]);
    wf_replan_release(pool);
    free(pool->stacks);
    free((void *)pool->cpus);
    free(pool->workers);
    free(pool->nodes);
    free(pool->threads);
    free(pool->starts);
    weft_plan_destroy(pool->plan);
    free(pool);
}

/* A pool whose threads have ended, or never ran. */
static void abandon_pool(weft_pool *pool) {
    if (pool->core_pinned)
        wf_fetch_sub(&core_pinned_pools, 1, WF_RELAXED);
    release_pool(pool);
}

bool wf_pool_claim_cores(weft_pool *pool) {
    if (!pool->core_pinned) {
        pool->core_pinned = !wf_fetch_add(&core_pinned_pools, 1, WF_RELAXED);
        if (!pool->core_pinned)
            wf_fetch_sub(&core_pinned_pools, 1, WF_RELAXED);
    }
    return pool->core_pinned;
}

/* A pool without threads. Takes over the plan. */
static weft_status allocate_pool(weft_pool **made, const struct wf_settings *settings, weft_plan *plan) {
    size_t bytes = (sizeof(weft_pool) + WF_LINE - 1) / WF_LINE * WF_LINE;
    weft_pool *pool = aligned_alloc(WF_LINE, bytes);
    if (!pool) {
        weft_plan_destroy(plan);
        return wf_fail(WEFT_ENOMEM, "no memory for a pool (%zu bytes)", bytes);
    }
    memset(pool, 0, bytes);
    pool->plan = plan;
    pool->settings = *settings;
    pool->own_stacks = settings->stack_bytes;
    pool->help_any = settings->help_any;
    pool->submit_limit = settings->submit_limit;
    pool->process = forks;
    weft_plan_workers(plan, &pool->worker_count);
    weft_plan_nodes(plan, &pool->node_count);
    pool->workers = calloc(pool->worker_count, sizeof *pool->workers);
    pool->nodes = calloc(pool->node_count, sizeof *pool->nodes);
    pool->threads = calloc(pool->worker_count, sizeof *pool->threads);
    pool->stacks = calloc(pool->worker_count, sizeof *pool->stacks);
    pool->starts = calloc(pool->worker_count, sizeof *pool->starts);
    pool->cpus = calloc(pool->worker_count, sizeof *pool->cpus);
    pool->placed = wf_plan_places_memory(plan);
    wf_store(&pool->spin_ns, settings->spin_ns, WF_RELAXED);
    wf_store(&pool->wake_ns, wf_load(&last_wake_ns, WF_RELAXED), WF_RELAXED);
    pool->spin_measured = !settings->spin_asked_by;
    if (!pool->cpus || !pool->workers || !pool->nodes || !pool->threads || !pool->stacks || !pool->starts) {
        release_pool(pool);
        return wf_fail(WEFT_ENOMEM, "no memory for the tables of a pool");
    }
    *made = pool;
    return WEFT_OK;
}

/* The layout is the plan, or (grow) one with room for every core of the machine. */
static weft_status make_layout(const struct wf_settings *settings, weft_plan *plan, weft_plan **layout) {
    if (!settings->grow) {
        *layout = wf_plan_retain(plan);
        return WEFT_OK;
    }
    const weft_plan_options *options = wf_plan_options(plan);
    const weft_plan_options room = {WEFT_PLAN_OPTIONS_INIT, .topology = options->topology, .nodes = options->nodes,
                                    .smt = options->smt};
    const struct wf_plan_bounds bounds = {.whole = true, .again = plan, .most = WF_WORKERS_MAX};
    return wf_plan_create_bounded(layout, &room, &bounds);
}

/* A pool without threads, and what its workers are to be. Takes over the plan. */
static weft_status prepare_pool(weft_pool **made, const struct wf_settings *settings, weft_plan *plan) {
    weft_plan *layout = NULL;
    weft_pool *pool = NULL;
    weft_status status = make_layout(settings, plan, &layout);
    if (!status)
        status = allocate_pool(&pool, settings, layout);
    if (status) {
        weft_plan_destroy(plan);
        return status;
    }
    wf_settings_follow(&pool->settings, plan, pool);
    if ((status = wf_replan_begin(pool, plan)))
        abandon_pool(pool);
    else
        *made = pool;
    return status;
}

/* Strict mode: what was asked and not granted is a failure. With one node all memory is near whatever the policy. */
static weft_status check_strict(const weft_pool *pool) {
    if (!pool->settings.strict)
        return WEFT_OK;
    if (!weft_plan_get_limits(pool->plan)->this_system)
        return wf_fail(WEFT_ESTRICT, "strict: workers cannot be bound, the topology is not this machine's");
    weft_status refusal = (weft_status)wf_load(&pool->memory_status, WF_RELAXED); /* ordered by `started` */
    if (pool->node_count > 1 && refusal)
        return wf_fail(WEFT_ESTRICT, "strict: memory policies are refused (%s), placement would rest on first touch alone",
                       weft_status_name(refusal));
    return WEFT_OK;
}

weft_status weft_pool_create(weft_pool **out, const weft_pool_options *options) {
    struct wf_settings settings;
    weft_plan *plan = NULL;
    weft_pool *pool = NULL;
    if (!out)
        return wf_fail(WEFT_EINVAL, "weft_pool_create() needs a place for the pool, got NULL");
    weft_status status = wf_settings_resolve(options, &settings, &plan);
    if (status || (status = prepare_pool(&pool, &settings, plan)))
        return status;
    if ((status = wf_pool_start(pool))) {
        abandon_pool(pool);
        return status;
    }
    if ((status = check_strict(pool))) {
        weft_pool_destroy(pool);
        return status;
    }
    if (!settings.fixed && weft_plan_get_limits(pool->plan)->this_system)
        wf_watch_add(pool);
    *out = pool;
    return WEFT_OK;
}

weft_status wf_pool_admit(weft_pool *pool, unsigned node) {
    /* acq_rel: work that is admitted comes before the end that destroy waits for */
    if (WF_LIKELY(!(wf_fetch_add(&pool->nodes[node]->outstanding, 1, WF_ACQ_REL) & WF_CLOSED)))
        return WEFT_OK;
    wf_pool_release(pool, node);
    return wf_fail(WEFT_ECLOSED, "the pool is being destroyed and takes no more work");
}

void wf_pool_release(weft_pool *pool, unsigned node) {
    struct wf_node *home = pool->nodes[node];
    if (wf_fetch_sub(&home->outstanding, 1, WF_ACQ_REL) == (WF_CLOSED | 1))
        wf_waiters_wake(home);
}

/* Set WF_CLOSED in a count, and wait until nothing else is left in it. */
static void close_and_drain(wf_atomic_u32 *count, const void *key) {
    struct wf_signal signal = {0};
    struct wf_waiter waiter = {.key = key, .signal = &signal};
    wf_waiters_add(&waiter);
    uint32_t left = wf_fetch_or(count, WF_CLOSED, WF_ACQ_REL);
    while (left & ~WF_CLOSED) {
        wf_signal_take(&signal, WF_SIGNAL_HINT);
        left = wf_load(count, WF_ACQUIRE);
    }
    wf_waiters_remove(&waiter);
}

weft_status weft_pool_close(weft_pool *pool) {
    if (!pool)
        return wf_fail(WEFT_EINVAL, "weft_pool_close() needs a pool, got NULL");
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    if (wf_self_in(pool))
        return wf_fail(WEFT_EDEADLK, "weft_pool_close() was called on one of the pool's own workers: call it on another thread");
    /* All before any is waited for: no node takes work while another drains. Relaxed: draining orders. */
    wf_tasks_refuse(pool);
    for (unsigned i = 0; i < pool->node_count; i++)
        wf_fetch_or(&pool->nodes[i]->outstanding, WF_CLOSED, WF_RELAXED);
    for (unsigned i = 0; i < pool->node_count; i++)
        close_and_drain(&pool->nodes[i]->outstanding, pool->nodes[i]);
    wf_tasks_drain(pool);
    return WEFT_OK;
}

void wf_pool_end_workers(weft_pool *pool) {
    wf_store(&pool->stop, 1, WF_SEQ_CST); /* pairs with sleep_idle() */
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (pool->workers[i] && !wf_pool_wake(pool, i))
            wf_signal_set(&pool->workers[i]->signal, WF_SIGNAL_HINT); /* it may rest */
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (pool->starts[i].begun)
            pthread_join(pool->threads[i], NULL);
}

weft_status weft_pool_destroy(weft_pool *pool) {
    if (!pool)
        return WEFT_OK;
    if (wf_self_in(pool))
        return wf_fail(WEFT_EDEADLK,
                       "weft_pool_destroy() was called on one of the pool's own workers: call it on another thread");
    if (pool->process != forks) { /* only the memory is here */
        release_pool(pool);
        return WEFT_OK;
    }
    weft_pool_close(pool);
    wf_watch_remove(pool);
    wf_pool_end_workers(pool);
    wf_store(&last_wake_ns, wf_load(&pool->wake_ns, WF_RELAXED), WF_RELAXED);
    abandon_pool(pool);
    return WEFT_OK;
}

void wf_pool_retire(weft_pool *pool, unsigned worker) {
    wf_fetch_or(&pool->resting[worker / 64], UINT64_C(1) << worker % 64, WF_SEQ_CST);
    wf_pool_wake(pool, worker);
}

void wf_pool_rouse(weft_pool *pool, unsigned worker) {
    wf_fetch_and(&pool->resting[worker / 64], ~(UINT64_C(1) << worker % 64), WF_RELAXED); /* released by HINT */
    wf_signal_set(&pool->workers[worker]->signal, WF_SIGNAL_HINT);
}

int wf_pool_memory_node(const weft_pool *pool, unsigned node) {
    return (int)wf_load(&pool->nodes[node]->memory_node, WF_RELAXED);
}

unsigned wf_pool_near(const weft_pool *pool) {
    const struct wf_worker *self = wf_self_in(pool);
    if (self)
        return self->node;
    int node = pool->node_count > 1 ? wf_plan_current_node(pool->plan) : 0;
    return node < 0 ? 0 : (unsigned)node;
}

unsigned weft_pool_workers(const weft_pool *pool) {
    return pool ? pool->worker_count : 0;
}

unsigned weft_pool_active(const weft_pool *pool) {
    wf_watch_stir();
    return pool ? wf_load(&pool->active, WF_RELAXED) : 0;
}

unsigned weft_pool_nodes(const weft_pool *pool) {
    return pool ? pool->node_count : 0;
}

const weft_plan *weft_pool_plan(const weft_pool *pool) {
    return pool ? pool->plan : NULL;
}

weft_pool *weft_current_pool(void) {
    return wf_self ? wf_self->pool : NULL;
}

int weft_current_worker(void) {
    return wf_self ? (int)wf_self->id : -1;
}

int weft_current_node(void) {
    return wf_self ? (int)wf_self->node : -1;
}
