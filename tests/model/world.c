/* The pool's and the workers' files are included as they are, for what they keep to themselves. */
#include "world.h"

#include "internal.h"

#include "scheduler/pool.c"
#include "scheduler/worker.c"

#define SLOTS 8u
#define RECORDS 8u
#define RECORD_BYTES ((sizeof(struct wf_task_record) + WF_LINE - 1) / WF_LINE * WF_LINE)

weft_pool world_pool;

static struct wf_worker workers[WORLD_WORKERS], *worker_table[WORLD_WORKERS];
static struct wf_node home, *node_table[1] = {&home};
static struct wf_slot slots[WORLD_WORKERS][SLOTS];
static pthread_t thread_numbers[WORLD_WORKERS];
static uint8_t classes[WORLD_WORKERS];
static _Alignas(WF_LINE) unsigned char records[WORLD_WORKERS + 1][RECORDS * RECORD_BYTES];
static weft_plan *plans[WORLD_WORKERS + 1];

void world_begin(void) {
    for (unsigned count = 1; count <= WORLD_WORKERS; count++)
        if (weft_plan_create(&plans[count],
                             &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = "node:1 core:2 pu:1", .workers = count})) {
            fprintf(stderr, "no plan: %s\n", weft_error_detail());
            exit(1);
        }
    explore_local((void **)(void *)&wf_self);
}

static void set_up_records(struct wf_record_pool *pool, unsigned char *bytes) {
    memset(bytes, 0, sizeof records[0]);
    *pool = (struct wf_record_pool){.record_bytes = RECORD_BYTES,
                                    .fresh = (char *)bytes,
                                    .populated = (char *)bytes + sizeof records[0],
                                    .area = {.start = bytes, .bytes = sizeof records[0]}};
    __cds_wfs_init(&pool->remote);
}

static void make_worker(unsigned id) {
    struct wf_worker *worker = worker_table[id] = &workers[id];
    memset(worker, 0, sizeof *worker);
    memset(slots[id], 0, sizeof slots[id]);
    worker->pool = &world_pool;
    worker->planned = &weft_plan_workers(world_pool.plan, NULL)[id];
    worker->id = worker->last_victim = id;
    worker->random = id + 1;
    worker->classes = classes;
    wf_deque_init(&worker->deque, slots[id], SLOTS);
    set_up_records(&worker->records, records[id]);
    thread_numbers[id] = (pthread_t)id;
}

void world_set_up(unsigned count) {
    memset(&world_pool, 0, sizeof world_pool);
    memset(&home, 0, sizeof home);
    world_pool.plan = plans[count];
    world_pool.settings.deque_slots = SLOTS;
    world_pool.worker_count = count;
    world_pool.node_count = 1;
    world_pool.workers = worker_table;
    world_pool.nodes = node_table;
    world_pool.threads = thread_numbers;
    wf_inbox_init(&home.inbox);
    set_up_records(&home.records, records[WORLD_WORKERS]);
    for (unsigned id = 0; id < count; id++)
        make_worker(id);
}

void world_work(void) {
    struct wf_worker *worker = wf_self = world_pool.workers[explore_self()];
    for (struct wf_found found = {0}; find_work(worker, &found); found.kind = WF_FOUND_NOTHING)
        wf_run_found(worker, &found);
}

void world_end(void) {
    EXPLORE_CHECK(!weft_pool_close(&world_pool));
    end_workers(&world_pool);
}

void world_destroy(void) {
    world_end();
    explore_plain(&world_pool, sizeof world_pool, true);
    explore_plain(&home, sizeof home, true);
    explore_plain(workers, sizeof workers[0], true);
}
