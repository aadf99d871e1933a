/* The pool's and the workers' files are included as they are, for what they keep to themselves. */
#include "world.h"

#include "internal.h"

#include "scheduler/pool.c"
#include "scheduler/setup.c"
#include "scheduler/worker.c"

#define SLOTS 8u
#define RECORDS 8u
#define LINES(type) ((sizeof(type) + WF_LINE - 1) / WF_LINE * WF_LINE)

weft_pool world_pool;

static struct wf_worker workers[WORLD_WORKERS], *worker_table[WORLD_WORKERS];
static struct wf_node homes[WORLD_NODES], *node_table[WORLD_NODES] = {&homes[0], &homes[1]};
static weft_slot slots[WORLD_WORKERS][SLOTS + 1];
static pthread_t thread_numbers[WORLD_WORKERS];
static struct wf_worker_start starts[WORLD_WORKERS];
static uint8_t classes[WORLD_WORKERS][WORLD_WORKERS];
static _Alignas(WF_LINE) unsigned char records[WORLD_WORKERS][RECORDS * LINES(struct wf_task_record)];
static _Alignas(WF_LINE) unsigned char chunks[WORLD_NODES][RECORDS * LINES(struct wf_chunk)];
static wf_atomic_u32 cpus[WORLD_WORKERS];
static struct wf_other_node others[WORLD_NODES][WORLD_NODES];
static wf_atomic_u32 enders;
static weft_plan *plans[WORLD_WORKERS + 1], *plan_apart, *plan_uneven;

static void make_plan(weft_plan **plan, const weft_plan_options *options) {
    if (!weft_plan_create(plan, options))
        return;
    fprintf(stderr, "no plan: %s\n", weft_error_detail());
    exit(1);
}

void world_begin(void) {
    for (unsigned count = 1; count <= WORLD_WORKERS; count++)
        make_plan(&plans[count],
                  &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = "node:1 core:3 pu:1", .workers = count});
    make_plan(&plan_apart, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = "node:2 core:1 pu:1"});
    make_plan(&plan_uneven, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = "node:2 core:2 pu:1", .workers = 3});
    explore_local((void **)(void *)&wf_self);
}

static void set_up_records(struct wf_record_pool *pool, size_t each, unsigned char *memory) {
    size_t bytes = RECORDS * each;
    memset(memory, 0, bytes);
    *pool = (struct wf_record_pool){.record_bytes = each,
                                    .fresh = (char *)memory,
                                    .populated = (char *)memory + bytes,
                                    .area = {.start = memory, .bytes = bytes}};
    __cds_wfs_init(&pool->remote);
}

static void make_worker(unsigned id) {
    struct wf_worker *worker = worker_table[id] = &workers[id];
    memset(worker, 0, sizeof *worker);
    memset(slots[id], 0, sizeof slots[id]);
    worker->pool = &world_pool;
    worker->planned = &weft_plan_workers(world_pool.plan, NULL)[id];
    worker->id = worker->last_victim = id;
    worker->node = worker->planned->node;
    worker->random = id + 1;
    worker->classes = classes[id];
    classify_victims(worker);
    wf_deque_init(&worker->deque, slots[id], SLOTS, SLOTS);
    set_up_records(&worker->records, LINES(struct wf_task_record), records[id]);
    thread_numbers[id] = (pthread_t)id;
    cpus[id] = id;
    starts[id] = (struct wf_worker_start){.pool = &world_pool, .id = id, .begun = true};
}

static void set_up(weft_plan *plan) {
    memset(&world_pool, 0, sizeof world_pool);
    memset(homes, 0, sizeof homes);
    enders = 0;
    world_pool.plan = plan;
    world_pool.settings.deque_slots = SLOTS;
    weft_plan_workers(plan, &world_pool.worker_count);
    weft_plan_nodes(plan, &world_pool.node_count);
    world_pool.workers = worker_table;
    world_pool.nodes = node_table;
    world_pool.cpus = cpus;
    world_pool.threads = thread_numbers;
    world_pool.starts = starts;
    for (unsigned node = 0; node < world_pool.node_count; node++) {
        homes[node].index = node;
        homes[node].others = others[node];
        order_others(&world_pool, &homes[node]);
        wf_inbox_init(&homes[node].inbox);
        set_up_records(&homes[node].inbox.chunks, LINES(struct wf_chunk), chunks[node]);
    }
    for (unsigned id = 0; id < world_pool.worker_count; id++)
        make_worker(id);
}

void world_set_up(unsigned count) {
    set_up(plans[count]);
}

void world_set_up_apart(void) {
    set_up(plan_apart);
}

void world_set_up_uneven(void) {
    set_up(plan_uneven);
}

void world_park(void) {
    for (unsigned id = 0; id < world_pool.worker_count; id++) {
        starts[id].parked = true;
        wf_deque_ask(&workers[id].deque, WF_DEQUE_ANYWAY);
        wf_park_set(wf_parking_of(&workers[id]), id);
    }
}

void world_work(void) {
    work(&starts[explore_self()]);
}

void world_end(void) {
    EXPLORE_CHECK(!weft_pool_close(&world_pool));
    wf_pool_end_workers(&world_pool);
}

void world_end_if_last(void) {
    if (wf_fetch_add(&enders, 1, WF_RELAXED) == 1)
        world_end();
}

void world_retire_first(void) {
    wf_pool_retire(&world_pool, 0);
    world_end_if_last();
}

void world_swap(void) {
    wf_pool_rouse(&world_pool, 1);
    wf_pool_retire(&world_pool, 0);
    world_end_if_last();
}

void world_rest_second(void) {
    world_pool.resting[0] = 2;
}

void world_destroy(void) {
    world_end();
    explore_plain(&world_pool, sizeof world_pool, true);
    explore_plain(homes, sizeof homes, true);
    explore_plain(workers, sizeof workers[0], true);
}
