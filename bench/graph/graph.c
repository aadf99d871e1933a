/* Measures a peer on each graph. Every node counts its runs, in a cell of its own. */
#include "graph/graph.h"

#include "harness/bench.h"
#include "harness/peers/start.h"

#define NODES 10000u
#define PREDECESSORS 3u
#define WINDOW 500u /* how far back a random predecessor may be */
#define EDGES (PREDECESSORS * NODES)
#define SPIN_STEPS 500u

static uint32_t cells[NODES], runs;
static uint32_t steps; /* of a node's work */
static struct graph_edge edges[EDGES];

static void work(uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        __asm__ volatile("" : "+r"(i));
}

void graph_node(size_t index) {
    cells[index]++;
    if (steps)
        work(steps);
}

static size_t chain(void) {
    for (uint32_t i = 0; i + 1 < NODES; i++)
        edges[i] = (struct graph_edge){i, i + 1};
    return NODES - 1;
}

/* One before all others, and one after them. */
static size_t wide(void) {
    size_t count = 0;
    for (uint32_t i = 1; i + 1 < NODES; i++) {
        edges[count++] = (struct graph_edge){0, i};
        edges[count++] = (struct graph_edge){i, NODES - 1};
    }
    return count;
}

/* One to three predecessors each, of those added shortly before. */
static size_t random_edges(void) {
    size_t count = 0;
    uint32_t state = 1;
    for (uint32_t i = 1; i < NODES; i++) {
        uint32_t window = i < WINDOW ? i : WINDOW;
        state = state * 1664525 + 1013904223;
        for (uint32_t predecessors = 1 + (state >> 16) % PREDECESSORS; predecessors; predecessors--) {
            state = state * 1664525 + 1013904223;
            edges[count++] = (struct graph_edge){i - 1 - (state >> 8) % window, i};
        }
    }
    return count;
}

static bool run(void *unused) {
    (void)unused;
    runs++;
    return graph_run();
}

static bool check(void *unused) {
    (void)unused;
    for (size_t i = 0; i < NODES; i++)
        if (cells[i] != runs)
            return false;
    return true;
}

static void measure_shape(const char *row, size_t count, uint32_t spin) {
    const struct graph_shape shape = {row, NODES, count, edges};
    for (size_t i = 0; i < NODES; i++)
        cells[i] = 0;
    runs = 0;
    steps = spin;
    if (!graph_build(&shape)) {
        bench_fail(row, "", "the graph could not be built");
        return;
    }
    bench_measure(&(struct bench_row){.row = row, .way = "", .units = NODES, .run = run, .check = check});
    graph_release();
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    measure_shape("chain", chain(), 0);
    measure_shape("wide", wide(), 0);
    measure_shape("random", random_edges(), 0);
    measure_shape("random, nodes with work", random_edges(), SPIN_STEPS);
    if (!peer_stop())
        return 1;
    return bench_end();
}
