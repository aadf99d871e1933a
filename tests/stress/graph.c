/*
 * Random graphs on pools of several shapes, run from outside, from tasks, and by start and wait, several at a time; some nodes are
 * placed, some have priorities, some choose, some spawn, some fail. Conservation: a node of a run that ended well ran once,
 * after all its predecessors, whose plain writes it reads; after a failure or a cancellation, at most once.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define NODES_MOST 600u
#define BEFORE 3u
#define ACTORS 3u

struct cell {
    const struct net *net;
    uint64_t run; /* plain: the last run it ran in */
    const struct cell *before[BEFORE];
    unsigned kind;
};

struct net {
    weft_pool *pool;
    weft_graph *graph;
    uint64_t run; /* plain: number of the current run; written before it begins */
    unsigned nodes;
    bool fails;
    _Atomic(unsigned) left;
    struct cell cells[NODES_MOST];
};

static void child(void *arg) {
    atomic_fetch_sub_explicit(&((struct net *)arg)->left, 1, memory_order_relaxed);
}

static weft_status visit(void *arg) {
    struct cell *cell = arg;
    struct net *net = (struct net *)(uintptr_t)cell->net;
    CHECK(cell->run < net->run); /* once */
    for (unsigned i = 0; i < BEFORE && cell->before[i]; i++)
        CHECK(cell->before[i]->run == net->run);
    cell->run = net->run;
    if (cell->kind == 1) {
        atomic_fetch_add_explicit(&net->left, 2, memory_order_relaxed);
        CHECK(!weft_spawn(child, net) && !weft_spawn(child, net));
    }
    if (cell->kind == 2 && net->fails)
        return WEFT_EIO;
    if (cell->kind == 3 && net->fails)
        CHECK(!weft_graph_cancel(net->graph));
    return WEFT_OK;
}

/* On to the next node, which only it leads to. */
static weft_status choose(void *arg, uint32_t *successor) {
    *successor = 0;
    return visit(arg);
}

static void make_net(struct net *net, weft_pool *pool, uint64_t *random) {
    CHECK(!weft_graph_create(&net->graph, pool));
    net->pool = pool;
    net->nodes = 2 + wf_rng_below(random, NODES_MOST - 2);
    unsigned window = 1 + wf_rng_below(random, net->nodes);
    bool ranked = wf_rng_below(random, 2), wide = wf_rng_below(random, 3) == 0;
    bool chosen = false;
    for (unsigned i = 0; i < net->nodes; i++) {
        struct cell *cell = &net->cells[i];
        *cell = (struct cell){.net = net, .kind = wf_rng_below(random, 100)};
        weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT};
        options.placed = wf_rng_below(random, 20) == 0;
        options.node = options.placed ? wf_rng_below(random, weft_pool_nodes(pool)) : 0;
        options.priority = ranked ? (weft_graph_priority)wf_rng_below(random, 3) : WEFT_GRAPH_NORMAL;
        bool chooses = wf_rng_below(random, 10) == 0 && i + 1 < net->nodes && !chosen;
        CHECK(chooses ? !weft_graph_add_choice(net->graph, NULL, choose, cell, &options)
                      : !weft_graph_add(net->graph, NULL, visit, cell, &options));
        unsigned reach = i < window ? i : window;
        for (unsigned k = reach && !chosen ? wf_rng_below(random, BEFORE + 1) : 0; k-- > 0;) {
            unsigned before = wide ? 0 : i - 1 - wf_rng_below(random, reach);
            if (net->cells[before].kind == 1000)
                before = 0; /* a choice has one successor, the next node */
            if (before == 0 && net->cells[0].kind == 1000)
                break;
            cell->before[k] = &net->cells[before];
            CHECK(!weft_graph_precede(net->graph, before, i));
        }
        for (unsigned k = 1; k < BEFORE; k++) /* without gaps */
            if (!cell->before[0]) {
                cell->before[0] = cell->before[k];
                cell->before[k] = NULL;
            }
        if (chosen) {
            CHECK(!weft_graph_precede(net->graph, i - 1, i));
            cell->before[0] = &net->cells[i - 1];
        }
        chosen = chooses;
        if (chooses)
            cell->kind = 1000;
    }
}

static void run_task(void *arg) {
    struct net *net = arg;
    CHECK(weft_graph_run(net->graph) == WEFT_OK);
}

static void run_net(struct net *net, uint64_t *random) {
    net->run++;
    net->fails = wf_rng_below(random, 4) == 0;
    weft_status status = WEFT_OK;
    if (net->fails) {
        status = weft_graph_run(net->graph);
        CHECK(status == WEFT_OK || status == WEFT_EIO || status == WEFT_ECANCELED);
    } else if (wf_rng_below(random, 3) == 0) {
        CHECK(!weft_run(net->pool, run_task, net));
    } else if (wf_rng_below(random, 2)) {
        CHECK(!weft_graph_start(net->graph) && !weft_graph_wait(net->graph));
    } else {
        CHECK(!weft_graph_run(net->graph));
    }
    CHECK(net->left == 0);
    for (unsigned i = 0; i < net->nodes && !status; i++)
        CHECK(net->cells[i].run == net->run);
}

struct actor {
    weft_pool *pool;
    uint64_t random, runs;
};

static void *act(void *arg) {
    struct actor *actor = arg;
    struct net *net = malloc(sizeof *net);
    CHECK(net);
    for (uint64_t i = 0; i < actor->runs;) {
        memset(net, 0, sizeof *net);
        make_net(net, actor->pool, &actor->random);
        for (unsigned k = 0; k < 20; k++, i++)
            run_net(net, &actor->random);
        CHECK(!weft_graph_destroy(net->graph));
    }
    free(net);
    return NULL;
}

static void on_pool(const weft_pool_options *options, uint64_t *random) {
    struct actor actors[ACTORS];
    pthread_t threads[ACTORS];
    weft_pool *pool;
    CHECK(!weft_pool_create(&pool, options));
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){pool, wf_rng_next(random), stress_scale(600)};
        CHECK(!pthread_create(&threads[i], NULL, act, &actors[i]));
    }
    for (unsigned i = 0; i < ACTORS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    uint64_t random = stress_seed();
    const char *const topologies[] = {"core:1 pu:1", "core:2 pu:1", "node:2 core:2 pu:1"};
    for (unsigned i = 0; i < 3; i++) {
        on_pool(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topologies[i]}, &random);
        on_pool(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topologies[i], .spin_us = WEFT_SPIN_NONE,
                                     .help = WEFT_HELP_ANY, .deque_slots = 64},
                &random);
    }
    return 0;
}
