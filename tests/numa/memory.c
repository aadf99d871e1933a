/*
 * What the scheduler owns lies on the node that uses it: workers with their deques, the nodes' inboxes, the record pools; scratch
 * arenas on the node that they were acquired for. Looks inside for the addresses only; where the pages are is asked from the kernel.
 */
#include "scheduler/pool.h"

#include <string.h>

#include "numa.h"

#define SPAWNS 2000
#define SUBMISSIONS 3000
#define DEEP 32768

/* Pages that are present, and of these the ones where they belong. */
static struct tally {
    const char *what;
    size_t present, home;
} workers = {"workers and deques", 0, 0}, inboxes = {"nodes and inboxes", 0, 0}, records = {"records of workers", 0, 0},
  node_records = {"tasks in inboxes", 0, 0}, stacks = {"stacks and TLS", 0, 0}, arenas = {"scratch arenas", 0, 0};

static bool several_nodes;

static void add(struct tally *tally, const void *start, size_t bytes, int home) {
    struct pages pages = pages_ask(start, bytes, NULL);
    CHECK(home >= 0 && home < MAX_NODES);
    tally->present += pages.present;
    tally->home += pages.on[home];
}

static void print(const struct tally *tally) {
    printf("%-19s %5zu of %5zu pages on their node\n", tally->what, tally->home, tally->present);
}

static void check(const struct tally *tally) {
    print(tally);
    CHECK(tally->present && tally->home == tally->present);
}

static void leaf(void *arg) {
    (void)arg;
}

static const char *stack_of[MAX_CPUS], *storage_of[MAX_CPUS];
static _Thread_local char storage;

/*
 * All of the stack that is present, from the guard to the thread's control block and storage at the top, which the creator has
 * written. With one node the C library makes it, and the page in use stands for it.
 */
static void add_stack(const weft_pool *pool, unsigned worker, int home) {
    const struct wf_stack *stack = &pool->stacks[worker];
    const char *start = stack->area.start;
    if (!start) {
        CHECK(!several_nodes);
        add(&stacks, stack_of[worker], 1, home);
        return;
    }
    CHECK(stack_of[worker] > start + stack->guard && stack_of[worker] < storage_of[worker]);
    CHECK(storage_of[worker] < start + stack->area.bytes);
    size_t before = stacks.present;
    add(&stacks, start, stack->area.bytes, home);
    CHECK(stacks.present - before >= DEEP / 4096);
}

/* Uses the worker's deque and its records, and tells where its stack and its thread-local storage are. */
static void use_worker(void *arg, weft_range range) {
    weft_pool *pool = arg;
    volatile char deep[DEEP];
    stack_of[weft_current_worker()] = (const char *)deep + DEEP / 2;
    storage_of[weft_current_worker()] = &storage;
    for (size_t byte = 0; byte < DEEP; byte += 1024)
        deep[byte] = 1;
    for (size_t i = range.first; i < range.last; i++) {
        for (unsigned spawn = 0; spawn < SPAWNS; spawn++)
            OK(weft_spawn(leaf, NULL));
        OK(weft_sync());
        weft_group *group;
        OK(weft_group_create(&group, pool));
        for (unsigned count = 0; count < SUBMISSIONS; count++)
            OK(weft_group_spawn(group, leaf, NULL));
        OK(weft_group_wait(group));
        OK(weft_group_destroy(group));
    }
}

/* Take 7 MiB from an arena, which has base and huge pages then, and look where they are. */
static void use_arena(weft_pool *pool, weft_scratch *scratch) {
    enum { PIECE = 7 << 10, PIECES = 1 << 10 };
    weft_scratch_usage usage;
    CHECK(scratch);
    char *first = weft_scratch_alloc(scratch, PIECE);
    for (unsigned i = 1; i < PIECES; i++)
        CHECK(memset(weft_scratch_alloc(scratch, PIECE), 1, PIECE) == first + (size_t)i * PIECE);
    OK(weft_scratch_get_usage(scratch, &usage));
    size_t before = arenas.present;
    add(&arenas, first, (size_t)PIECE * PIECES, os_node(pool, usage.node));
    CHECK(arenas.present - before >= (size_t)PIECE * PIECES / 4096 && usage.bound == several_nodes);
}

static weft_scratch *held[MAX_CPUS];

static void acquire_home(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        held[i] = weft_scratch_acquire(arg, WEFT_NODE_HOME);
}

static void release_home(void *arg, weft_range range) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        weft_scratch_release(held[i]);
}

/* This thread acquires arenas of every node, and fills those of the workers: policies decide. Then workers release and acquire. */
static void check_arenas(weft_pool *pool, const weft_for_options *fixed) {
    unsigned count = weft_pool_workers(pool);
    for (unsigned round = 0; round < 2; round++) {
        OK(weft_for(pool, count, acquire_home, pool, fixed));
        for (unsigned i = 0; i < count; i++)
            use_arena(pool, held[i]);
        OK(weft_for(pool, count, release_home, NULL, fixed));
        for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
            use_arena(pool, held[node] = weft_scratch_acquire(pool, node));
        OK(weft_for(pool, weft_pool_nodes(pool), release_home, NULL, fixed));
    }
    check(&arenas);
}

int main(void) {
    struct machine machine = machine_read();
    several_nodes = machine.nodes > 1;
    weft_pool *pool = start_pool();
    weft_for_options fixed = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096};
    unsigned count = weft_pool_workers(pool);
    OK(weft_for(pool, count, use_worker, pool, &fixed));
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
        for (unsigned i = 0; i < SUBMISSIONS; i++)
            OK(weft_submit(pool, leaf, NULL, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = node}));
    for (unsigned i = 0; i < count; i++) {
        const struct wf_worker *worker = pool->workers[i];
        int home = os_node(pool, worker->node);
        if (several_nodes)
            add(&workers, worker->area.start, worker->area.bytes, home);
        else
            add(&workers, worker, sizeof *worker, home); /* from the heap, and the deques with all others */
        add(&records, worker->records.area.start, worker->records.area.bytes, home);
        add_stack(pool, i, home);
    }
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        const struct wf_node *own = pool->nodes[node];
        if (several_nodes)
            add(&inboxes, own->area.start, own->area.bytes, os_node(pool, node));
        else
            add(&inboxes, own, sizeof *own, os_node(pool, node));
        add(&node_records, own->inbox.chunks.area.start, own->inbox.chunks.area.bytes, os_node(pool, node));
    }
    check(&workers);
    check(&inboxes);
    check(&records);
    check(&node_records);
    check(&stacks);
    check_arenas(pool, &fixed);
    OK(weft_pool_destroy(pool));
    return 0;
}
