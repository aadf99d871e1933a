/*
 * The memory of workers and nodes. Where memory has several nodes, each part is a mapping of its own, told its node and touched
 * first by the thread it belongs to (start.h). Elsewhere the structs come from the C library's heap, which has touched its memory
 * before (mapping and unmapping one page costs as much there as starting a thread), and all address space for tasks and records is
 * one mapping.
 */
#include "scheduler/worker.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/status.h"
#include "machine/binding.h"
#include "scheduler/group.h"
#include "scheduler/pool.h"

/* Address space, not memory: a million waiting tasks of each worker, four million from outside on each node. */
#define WORKER_RECORDS_BYTES ((size_t)64 << 20)
#define NODE_CHUNKS_BYTES ((size_t)128 << 20)

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

static size_t whole_pages(size_t bytes) {
    return round_up(bytes, wf_page_bytes());
}

/* Address space of a worker's deque. */
static size_t slots_bytes(const weft_pool *pool) {
    return whole_pages((pool->settings.deque_slots + WF_DEQUE_OVERFLOW + 1) * sizeof(weft_slot));
}

weft_status wf_setup_reserve(weft_pool *pool) {
    size_t bytes = pool->node_count * NODE_CHUNKS_BYTES + pool->worker_count * (WORKER_RECORDS_BYTES + slots_bytes(pool));
    return wf_area_reserve(&pool->space, bytes, WEFT_PAGES_BASE);
}

/* Address space on a node (whole pages): bound where the system allows it, touched by the caller in any case. */
static weft_status reserve_near(weft_pool *pool, unsigned node, size_t bytes, struct wf_area *area) {
    if (pool->space.start) {
        wf_area_take(&pool->space, &pool->space_taken, bytes, area);
        return WEFT_OK;
    }
    weft_status status = wf_area_reserve(area, bytes, WEFT_PAGES_BASE);
    if (!status)
        bind_near(pool, node, area->start, area->bytes);
    return status;
}

/* Zeroed memory on a node, *area its mapping, if it has one. */
static weft_status allocate_near(weft_pool *pool, unsigned node, size_t bytes, struct wf_area *area, void **memory) {
    *area = (struct wf_area){0};
    if (pool->placed) {
        weft_status status = reserve_near(pool, node, whole_pages(bytes), area);
        *memory = area->start;
        return status;
    }
    bytes = round_up(bytes, WF_LINE);
    *memory = aligned_alloc(WF_LINE, bytes);
    if (!*memory)
        return wf_fail(WEFT_ENOMEM, "no memory for a worker or node (%zu bytes)", bytes);
    memset(*memory, 0, bytes);
    return WEFT_OK;
}

/* The area is a copy: the one inside the memory goes with it. */
static void release_near(void *memory, struct wf_area area) {
    if (area.start)
        wf_area_release(&area);
    else
        free(memory);
}

static weft_status reserve_records(weft_pool *pool, unsigned node, struct wf_record_pool *records, size_t each, size_t bytes) {
    struct wf_area area;
    weft_status status = reserve_near(pool, node, bytes, &area);
    if (!status)
        wf_record_pool_init_in(records, each, &area);
    return status;
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

weft_status wf_node_make(weft_pool *pool, unsigned index) {
    size_t others = round_up(sizeof(struct wf_node), WF_LINE);
    struct wf_area area;
    void *memory;
    weft_status status = allocate_near(pool, index, others + pool->node_count * sizeof(struct wf_other_node), &area, &memory);
    if (status)
        return status;
    struct wf_node *node = memory;
    if ((status = reserve_records(pool, index, &node->inbox.chunks, sizeof(struct wf_chunk), NODE_CHUNKS_BYTES))) {
        release_near(memory, area);
        return status;
    }
    node->area = area;
    node->index = index;
    node->others = (struct wf_other_node *)(void *)((char *)memory + others);
    order_others(pool, node);
    wf_store(&node->memory_node, (uint32_t)weft_plan_nodes(pool->plan, NULL)[index].memory_node, WF_RELAXED);
    wf_inbox_init(&node->inbox);
    wf_scratch_home_init(&node->scratch);
    pool->nodes[index] = node;
    return WEFT_OK;
}

/* The worker's address space: for its deque and its records. */
static weft_status reserve_for(weft_pool *pool, struct wf_worker *worker) {
    weft_status status = reserve_near(pool, worker->node, slots_bytes(pool), &worker->slots);
    if (status)
        return status;
    uint32_t capacity = pool->settings.deque_slots;
    wf_deque_init(&worker->deque, worker->slots.start, capacity, capacity + WF_DEQUE_OVERFLOW);
    if (pool->worker_count > 1)
        wf_deque_ask(&worker->deque,
                     WF_DEQUE_ANYWAY); /* as everybody does who goes to sleep: the others do so from the beginning */
    if ((status = reserve_records(pool, worker->node, &worker->records, sizeof(struct wf_task_record), WORKER_RECORDS_BYTES)))
        wf_area_release(&worker->slots);
    return status;
}

weft_status wf_worker_make(weft_pool *pool, unsigned id) {
    const weft_plan_worker *planned = &weft_plan_workers(pool->plan, NULL)[id];
    size_t classes = round_up(sizeof(struct wf_worker), WF_LINE);
    struct wf_area area;
    void *memory;
    weft_status status = allocate_near(pool, planned->node, classes + pool->worker_count, &area, &memory);
    if (status)
        return status;
    struct wf_worker *worker = memory;
    worker->area = area;
    worker->pool = pool;
    worker->planned = planned;
    worker->id = worker->last_victim = id;
    worker->node = planned->node;
    worker->random = wf_now_ns() ^ ((uint64_t)id << 32);
    worker->classes = (uint8_t *)memory + classes;
    classify_victims(worker);
    if ((status = reserve_for(pool, worker)))
        release_near(memory, area);
    else
        pool->workers[id] = worker;
    return status;
}

void wf_worker_release(struct wf_worker *worker) {
    wf_record_pool_destroy(&worker->records);
    wf_area_release(&worker->slots);
    release_near(worker, worker->area);
}

void wf_node_release(struct wf_node *node) {
    wf_record_pool_destroy(&node->inbox.chunks);
    pthread_mutex_destroy(&node->inbox.chunk_lock);
    wf_scratch_home_destroy(&node->scratch);
    release_near(node, node->area);
}
