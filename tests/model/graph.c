/*
 * Runs of graphs on two workers: begun outside, or inside a task that waits. Each node looks whether its predecessors have run, by
 * plain reads. The graph is destroyed at once after its run, so that a runner that still touches it is seen.
 */
#include "weft/graph.h"

#include "scheduler/group.h"
#include "world.h"

#define NODES 8u

static weft_graph *graph;
static unsigned ran[NODES];
static unsigned cell_of[NODES];
static uint32_t before[NODES]; /* masks of predecessors */
static wf_atomic_u32 released;

static weft_status visit(void *arg) {
    unsigned node = *(const unsigned *)arg;
    for (unsigned i = 0; i < NODES; i++)
        EXPLORE_CHECK(!(before[node] >> i & 1) || ran[i] == ran[node] + 1);
    ran[node]++;
    return WEFT_OK;
}

static void add(weft_graph_fn fn, unsigned node, uint32_t mask, const weft_graph_node_options *options) {
    cell_of[node] = node;
    before[node] = mask;
    EXPLORE_CHECK(!weft_graph_add(graph, NULL, fn, &cell_of[node], options));
    for (unsigned i = 0; i < node; i++)
        if (mask >> i & 1)
            EXPLORE_CHECK(!weft_graph_precede(graph, i, node));
}

static void set_up(unsigned workers) {
    world_set_up(workers);
    released = 0;
    for (unsigned i = 0; i < NODES; i++)
        ran[i] = before[i] = 0;
    EXPLORE_CHECK(!weft_graph_create(&graph, &world_pool));
}

/* One before six, of which one is kept, four fit into the ring and one does not, and one after them. */
static void set_up_fan(void) {
    set_up(2);
    add(visit, 0, 0, NULL);
    for (unsigned i = 1; i < 7; i++)
        add(visit, i, 1, NULL);
    add(visit, 7, 0x7e, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

static void check_fan(void) {
    for (unsigned i = 0; i < NODES; i++)
        EXPLORE_CHECK(ran[i] == 1);
}

static void end(void) {
    EXPLORE_CHECK(!weft_graph_destroy(graph));
    world_end();
}

static void start_and_wait(void) {
    EXPLORE_CHECK(!weft_graph_start(graph));
    EXPLORE_CHECK(!weft_graph_wait(graph));
    end();
}

static void run_task(void *arg) {
    (void)arg;
    EXPLORE_CHECK(!weft_graph_run(graph));
    EXPLORE_CHECK(!weft_graph_destroy(graph));
}

static void run_inside(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, run_task, NULL, NULL));
    world_end();
}

/* Two nodes, one of which waits by other means until the other has run: it must not hide behind it. */
static weft_status hold(void *arg) {
    while (!wf_load(&released, WF_ACQUIRE))
        wf_futex_wait(&released, 0);
    return visit(arg);
}

static weft_status release(void *arg) {
    weft_status status = visit(arg);
    wf_store(&released, 1, WF_RELEASE);
    wf_futex_wake(&released, EXPLORE_THREADS);
    return status;
}

static void set_up_hidden(void) {
    set_up(2);
    add(hold, 0, 0, NULL);
    add(release, 1, 0, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

/* The same after a node of which both become ready, of which the first is kept. */
static void set_up_hidden_later(void) {
    set_up(2);
    add(visit, 0, 0, NULL);
    add(hold, 1, 1, NULL);
    add(release, 2, 1, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

/* And while somebody searches, who has been invited to another node. */
static void set_up_hidden_again(void) {
    set_up(2);
    add(visit, 0, 0, NULL);
    add(visit, 1, 0, NULL);
    add(hold, 2, 1, NULL);
    add(release, 3, 1, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

/* Tasks that wait for the run's end by other means must not keep it from ending, although they come before an invitation. */
static void wait_for_end(void *arg) {
    (void)arg;
    while (!wf_load(&released, WF_ACQUIRE))
        wf_futex_wait(&released, 0);
}

static weft_status submit_waiters(void *arg) {
    for (unsigned i = 0; i < 2; i++)
        EXPLORE_CHECK(!weft_submit(&world_pool, wait_for_end, NULL, NULL));
    return visit(arg);
}

static void set_up_blocked(void) {
    set_up(2);
    add(submit_waiters, 0, 0, NULL);
    for (unsigned i = 1; i < 3; i++)
        add(visit, i, 1, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

static void start_blocked(void) {
    EXPLORE_CHECK(!weft_graph_start(graph));
    EXPLORE_CHECK(!weft_graph_wait(graph));
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1 && ran[2] == 1);
    wf_store(&released, 1, WF_RELEASE);
    wf_futex_wake(&released, EXPLORE_THREADS);
    end();
}

/* Placed apart; the failure leaves nothing of the run behind. */
static weft_status fail(void *arg) {
    (void)visit(arg);
    return wf_load(&released, WF_RELAXED) ? WEFT_OK : WEFT_EIO;
}

static void set_up_failing(void) {
    const weft_graph_node_options there = {WEFT_GRAPH_NODE_OPTIONS_INIT, .placed = true, .node = 1};
    set_up(2);
    EXPLORE_CHECK(!weft_graph_destroy(graph));
    world_set_up_apart();
    EXPLORE_CHECK(!weft_graph_create(&graph, &world_pool));
    add(visit, 0, 0, NULL);
    add(fail, 1, 1, &there);
    add(visit, 2, 1, NULL);
    add(visit, 3, 6, NULL);
    EXPLORE_CHECK(!weft_graph_compile(graph));
}

static void start_failing(void) {
    EXPLORE_CHECK(!weft_graph_start(graph));
    EXPLORE_CHECK(weft_graph_wait(graph) == WEFT_EIO);
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1 && !ran[3]);
    for (unsigned i = 0; i < NODES; i++)
        ran[i] = 0;
    wf_store(&released, 1, WF_RELAXED);
    EXPLORE_CHECK(!weft_graph_start(graph));
    EXPLORE_CHECK(!weft_graph_wait(graph));
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1 && ran[2] == 1 && ran[3] == 1);
    end();
}

static const struct explore_case cases[] = {
    {.name = "graph/fan",
     .set_up = set_up_fan,
     .threads = {world_work, world_work, start_and_wait},
     .check = check_fan,
     .schedules = 12},
    {.name = "graph/inside",
     .set_up = set_up_fan,
     .threads = {world_work, world_work, run_inside},
     .check = check_fan,
     .schedules = 12},
    {.name = "graph/hidden", .set_up = set_up_hidden, .threads = {world_work, world_work, start_and_wait}, .schedules = 12},
    {.name = "graph/hidden_later",
     .set_up = set_up_hidden_later,
     .threads = {world_work, world_work, start_and_wait},
     .schedules = 12},
    {.name = "graph/hidden_again",
     .set_up = set_up_hidden_again,
     .threads = {world_work, world_work, start_and_wait},
     .schedules = 12},
    {.name = "graph/blocked", .set_up = set_up_blocked, .threads = {world_work, world_work, start_blocked}, .schedules = 12},
    {.name = "graph/failing", .set_up = set_up_failing, .threads = {world_work, world_work, start_failing}, .schedules = 12},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
