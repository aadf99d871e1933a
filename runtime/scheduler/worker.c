/*
 * The life of a worker: set itself up on its node, work, sleep, end. The creator waits until all have reported.
 */
#include "scheduler/worker.h"

#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "machine/binding.h"
#include "scheduler/pool.h"
#include "scheduler/search.h"

_Thread_local struct wf_worker *wf_self __attribute__((tls_model("initial-exec")));

/* Address space, not memory: a million waiting tasks of each worker, four million from outside on each node. */
#define WORKER_RECORDS_BYTES ((size_t)64 << 20)
#define NODE_RECORDS_BYTES ((size_t)256 << 20)

static size_t round_up(size_t bytes, size_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

/* A refusal is no failure: the first touch by a bound thread decides then. The effective state tells. */
static void bind_near(weft_pool *pool, unsigned node, void *start, size_t bytes) {
    int target = weft_plan_nodes(pool->plan, NULL)[node].memory_node;
    weft_status status = wf_bind_memory(pool->plan, start, bytes, target, false);
    uint32_t none = WEFT_OK;
    if (status)
        wf_cas(&pool->memory_status, &none, (uint32_t)status, WF_RELAXED, WF_RELAXED); /* ordered by `started` */
}

/* Address space on this worker's node: bound where the system allows it, touched by the caller in any case. */
static weft_status reserve_near(weft_pool *pool, unsigned node, size_t bytes, struct wf_area *area) {
    weft_status status = wf_area_reserve(area, bytes, WEFT_PAGES_BASE);
    if (!status)
        bind_near(pool, node, area->start, area->bytes);
    return status;
}

struct wf_record_home {
    weft_pool *pool;
    unsigned node;
};

static weft_status bind_records(void *argument, void *start, size_t bytes) {
    const struct wf_record_home *home = argument;
    bind_near(home->pool, home->node, start, bytes);
    return WEFT_OK;
}

static weft_status reserve_records(weft_pool *pool, unsigned node, struct wf_record_pool *records, size_t bytes) {
    struct wf_record_home home = {pool, node};
    return wf_record_pool_init(records, sizeof(struct wf_task_record), bytes, bind_records, &home);
}

static void classify_victims(struct wf_worker *worker) {
    unsigned rank = 0;
    for (unsigned g = 0; g < worker->planned->group_count; g++) {
        const weft_victim_group *group = &worker->planned->groups[g];
        bool remote = group->kind == WEFT_VICTIM_REMOTE;
        for (unsigned i = 0; i < group->worker_count; i++)
            worker->classes[group->workers[i]] = (uint8_t)(remote ? 2 + rank : (unsigned)group->kind);
        if (remote && rank + 1 < WEFT_REMOTE_CLASSES)
            rank++;
    }
}

/* What a node knows of itself and the others: its first worker looks for victims in the order of distance, by id within a
 * distance, and ids are sorted by node. */
static void order_others(weft_pool *pool, struct wf_node *node) {
    const weft_plan_worker *workers = weft_plan_workers(pool->plan, NULL);
    const weft_plan_node *home = &weft_plan_nodes(pool->plan, NULL)[node->index];
    const weft_plan_worker *first = &workers[home->first_worker];
    unsigned count = 0, rank = 0;
    for (unsigned g = 0; g < first->group_count; g++) {
        const weft_victim_group *group = &first->groups[g];
        if (group->kind != WEFT_VICTIM_REMOTE)
            continue;
        for (unsigned i = 0; i < group->worker_count; i++) {
            unsigned other = workers[group->workers[i]].node;
            if (!i || other != workers[group->workers[i - 1]].node)
                node->others[count++] = (struct wf_other_node){other, rank};
        }
        rank++;
    }
    wf_parking_init(&node->parking, home->first_worker, home->worker_count);
}

/* The node's part, made by its first worker so that it lies there. */
static weft_status set_up_node(weft_pool *pool, unsigned index) {
    size_t others = round_up(sizeof(struct wf_node), WF_LINE);
    struct wf_area area;
    weft_status status = reserve_near(pool, index, others + pool->node_count * sizeof(struct wf_other_node), &area);
    if (status)
        return status;
    struct wf_node *node = area.start;
    if ((status = reserve_records(pool, index, &node->records, NODE_RECORDS_BYTES))) {
        wf_area_release(&area);
        return status;
    }
    node->area = area;
    node->index = index;
    node->others = (struct wf_other_node *)(void *)((char *)area.start + others);
    order_others(pool, node);
    wf_store(&node->memory_node, (uint32_t)weft_plan_nodes(pool->plan, NULL)[index].memory_node, WF_RELAXED);
    wf_inbox_init(&node->inbox);
    pthread_mutex_init(&node->record_lock, NULL);
    pool->nodes[index] = node;
    return WEFT_OK;
}

static weft_status set_up_worker(weft_pool *pool, unsigned id, struct wf_worker **made) {
    const weft_plan_worker *planned = &weft_plan_workers(pool->plan, NULL)[id];
    size_t classes = round_up(sizeof(struct wf_worker), WF_LINE);
    size_t slots = round_up(classes + pool->worker_count, WF_LINE);
    uint32_t capacity = pool->settings.deque_slots, room = capacity + WF_DEQUE_OVERFLOW;
    struct wf_area area;
    weft_status status = reserve_near(pool, planned->node, slots + (room + 1) * sizeof(weft_slot), &area);
    if (status)
        return status;
    struct wf_worker *worker = area.start; /* zeroed by the kernel, touched here */
    worker->area = area;
    worker->pool = pool;
    worker->planned = planned;
    worker->id = worker->last_victim = id;
    worker->tid = (pid_t)syscall(SYS_gettid);
    worker->node = planned->node;
    worker->random = wf_now_ns() ^ ((uint64_t)id << 32);
    worker->classes = (uint8_t *)area.start + classes;
    classify_victims(worker);
    wf_deque_init(&worker->deque, (weft_slot *)(void *)((char *)area.start + slots), capacity, room);
    if ((status = reserve_records(pool, planned->node, &worker->records, WORKER_RECORDS_BYTES))) {
        wf_area_release(&area);
        return status;
    }
    *made = worker;
    return WEFT_OK;
}

void wf_worker_release(struct wf_worker *worker) {
    wf_record_pool_destroy(&worker->records);
    struct wf_area area = worker->area;
    wf_area_release(&area);
}

void wf_node_release(struct wf_node *node) {
    wf_record_pool_destroy(&node->records);
    pthread_mutex_destroy(&node->record_lock);
    struct wf_area area = node->area;
    wf_area_release(&area);
}

/* Tell the creator, and wait until all have told: nobody may look at a worker that is not there yet. */
static void report_start(weft_pool *pool, weft_status status) {
    uint32_t none = WEFT_OK;
    if (status && wf_cas(&pool->start_status, &none, (uint32_t)status, WF_RELAXED, WF_RELAXED)) /* ordered by `started` */
        snprintf(pool->start_detail, sizeof pool->start_detail, "%s", weft_error_detail());
    wf_fetch_add(&pool->started, 1, WF_ACQ_REL); /* release: the worker; acquire: the others, for the last one */
    wf_futex_wake(&pool->started, 1);
    while (!wf_load(&pool->go, WF_ACQUIRE)) /* pairs with the creator's release */
        wf_futex_wait(&pool->go, 0);
}

/* Sleep until there may be work. The caller counts as a searcher before and after. */
static void sleep_idle(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    struct wf_parking *parking = wf_parking_of(worker);
    wf_count(&worker->counters.parks, 1); /* from here to TOKEN the worker may be a caller's, see seat.h */
    wf_park_announce(parking, worker->id);
    bool stay = wf_load(&pool->stop, WF_SEQ_CST) || wf_search_would_find(worker, true);
    if (stay && wf_park_claim(parking, worker->id)) {
        wf_search_begin(parking);
        wf_count(&worker->counters.parks, (uint64_t)-1);
        worker->thorough = true;
        return;
    }
    wf_signal_take(&worker->token, WF_SIGNAL_TOKEN);
    wf_count(&worker->counters.wakes, 1);
    worker->thorough = false;
    wf_search_encourage(worker);
    wf_broadcast_wake_more(worker);
}

static bool rests(const struct wf_worker *worker) {
    /* acquire: what is looked at afterwards is looked at after wf_pool_retire() */
    return wf_load(&worker->pool->resting[worker->id / 64], WF_ACQUIRE) & UINT64_C(1) << worker->id % 64;
}

/* Sleep until HINT unless there is a reason not to; the same pairing as for a worker that waits inside a task. */
static void sleep_resting(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    uint64_t bit = UINT64_C(1) << worker->id % 64;
    wf_atomic_u64 *word = &pool->waiting[worker->id / 64];
    wf_fetch_or(word, bit, WF_SEQ_CST);
    if (rests(worker) && !wf_load(&pool->stop, WF_ACQUIRE) && !wf_broadcast_any(worker, false)) {
        wf_count(&worker->counters.parks, 1);
        wf_signal_take(&worker->signal, WF_SIGNAL_HINT);
        wf_count(&worker->counters.wakes, 1);
    }
    wf_fetch_and(word, ~bit, WF_RELAXED); /* a late HINT for it is harmless */
}

/* What is left for a worker that rests; false: it rests no more, or the pool stops. */
static bool find_leftover(struct wf_worker *worker, struct wf_found *found) {
    worker->thorough = false;
    wf_search_pass_on(worker); /* somebody may have relied on this one */
    while (rests(worker) && !wf_load(&worker->pool->stop, WF_ACQUIRE)) {
        if (wf_search_leftover(worker, found))
            return true;
        sleep_resting(worker);
    }
    return false;
}

/* Look for work until there is some; false: the worker is to rest, or the pool stops. */
static bool find_any(struct wf_worker *worker, struct wf_found *found) {
    weft_pool *pool = worker->pool;
    if (wf_search_lingering(worker, found) || wf_search_own(worker, found))
        return true;
    struct wf_parking *parking = wf_parking_of(worker);
    wf_search_begin(parking);
    uint64_t deadline = 0;
    while (!wf_search(worker, found)) {
        if (wf_load(&pool->stop, WF_ACQUIRE) || rests(worker)) {
            wf_search_end(parking);
            return false;
        }
        uint64_t now = wf_now_ns();
        if (!deadline)
            deadline = now + wf_load(&pool->spin_ns, WF_RELAXED);
        if (now >= deadline || wf_load(&worker->give_way, WF_RELAXED)) {
            wf_store(&worker->give_way, 0, WF_RELAXED);
            sleep_idle(worker);
            deadline = 0;
            continue;
        }
        for (unsigned i = 0; i < 8; i++)
            wf_cpu_relax();
    }
    worker->thorough = false;
    /* the last searcher: offers made meanwhile relied on it, and are visible now if nobody has taken them */
    if (wf_search_end(parking))
        wf_search_pass_on(worker);
    return true;
}

/* The next piece of work; false: the pool stops. */
static bool find_work(struct wf_worker *worker, struct wf_found *found) {
    do {
        if (rests(worker) ? find_leftover(worker, found) : find_any(worker, found))
            return true;
    } while (!wf_load(&worker->pool->stop, WF_ACQUIRE));
    return false;
}

void wf_worker_name(const struct wf_worker *worker, int os_node, pthread_t thread) {
    char name[16]; /* the kernel's limit */
    snprintf(name, sizeof name, "weft:n%dw%u", os_node, worker->id);
    pthread_setname_np(thread, name);
}

void *wf_worker_main(void *argument) {
    struct wf_worker_start start = *(struct wf_worker_start *)argument;
    weft_pool *pool = start.pool;
    struct wf_worker *worker = NULL;
    unsigned node = weft_plan_workers(pool->plan, NULL)[start.id].node;
    weft_status status = WEFT_OK;
    if (weft_plan_nodes(pool->plan, NULL)[node].first_worker == start.id)
        status = set_up_node(pool, node);
    if (!status)
        status = set_up_worker(pool, start.id, &worker);
    pool->workers[start.id] = worker;
    report_start(pool, status);
    if (wf_load(&pool->stop, WF_ACQUIRE))
        return NULL; /* another one failed; the creator releases what there is */
    wf_self = worker;
    wf_worker_name(worker, weft_plan_nodes(pool->plan, NULL)[node].os_index, pthread_self());
    for (struct wf_found found = {0}; find_work(worker, &found); found.kind = WF_FOUND_NOTHING)
        wf_run_found(worker, &found);
    return NULL;
}
