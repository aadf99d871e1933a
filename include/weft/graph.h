/*
 * Task graphs: functions and what must come before what, built once and run many times.
 *
 *     weft_graph *graph;
 *     weft_graph_node decode, resize, write;
 *     weft_graph_create(&graph, pool);
 *     weft_graph_add(graph, &decode, decode_image, image, &(weft_graph_node_options){WEFT_GRAPH_NODE_OPTIONS_INIT, .name = "decode"});
 *     weft_graph_add(graph, &resize, resize_image, image, NULL);
 *     weft_graph_add(graph, &write, write_image, image, NULL);
 *     weft_graph_precede(graph, decode, resize);
 *     weft_graph_precede(graph, resize, write);
 *     for (...)
 *         status = weft_graph_run(graph);
 *     weft_graph_destroy(graph);
 *
 * A run begins all nodes without predecessors. Each other node begins once all its predecessors have ended; it sees all their writes.
 * A node that returns anything but WEFT_OK stops the run: nodes that have not begun are left out, and the run returns that status.
 *
 * Choices. A node that is added by weft_graph_add_choice() says at its end which one of its successors comes next: that one begins at
 * once, whatever other predecessors it has, and nothing begins if it says none. So edges out of a choice count as no predecessors for
 * the others, and may lead back: a loop is a choice whose successor comes before it. A node that only choices lead to does not
 * begin by itself. It is for the program to see that no node begins again while it still runs. (Idea: condition tasks of Taskflow, Huang
 * et al., IEEE TPDS 2022.)
 *
 * Inside a node's function everything works that works inside a task: spawn and sync, loops, groups, other graphs. What it spawned has
 * ended before its successors begin.
 */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H

#include <stdio.h>

#include "weft/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_graph weft_graph;

/** A node, by its number: the first that is added to a graph is 0. */
typedef uint32_t weft_graph_node;

/** What a node does. Anything but WEFT_OK stops the run. */
typedef weft_status (*weft_graph_fn)(void *arg);

/** For *successor of a weft_graph_choice_fn: no successor. It is that already when the function is called. */
#define WEFT_GRAPH_NO_SUCCESSOR UINT32_MAX

/** What a choice does: sets *successor to the number of the successor that comes next, in the order of weft_graph_precede(), from 0. */
typedef weft_status (*weft_graph_choice_fn)(void *arg, uint32_t *successor);

/** Which of the nodes that are ready begins first on a worker: a hint, as other workers may have others. */
typedef enum weft_graph_priority { WEFT_GRAPH_NORMAL = 0, WEFT_GRAPH_HIGH = 1, WEFT_GRAPH_LOW = 2 } weft_graph_priority;

/** Options of weft_graph_add(). Zero means the default of each field. Start from WEFT_GRAPH_NODE_OPTIONS_INIT. */
typedef struct weft_graph_node_options {
    size_t size;      /**< sizeof this struct as the caller knows it */
    const char *name; /**< for error texts and pictures; copied; NULL: "node 7" */
    weft_graph_priority priority;
    bool placed;   /**< prefer `node`: it is offered there first, and is at home there (weft_spawn_at()) */
    unsigned node; /**< in [0, weft_pool_nodes(pool)); only with placed */
} weft_graph_node_options;

#define WEFT_GRAPH_NODE_OPTIONS_INIT .size = sizeof(weft_graph_node_options)

/**
 * Make an empty graph for a pool. Destroy it before the pool.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL graph or pool; WEFT_ENOMEM.
 *
 * Threads: any. Allocates.
 */
WEFT_API weft_status weft_graph_create(weft_graph **graph, weft_pool *pool);

/**
 * Add a node.
 *
 * @param node     [out] its number; NULL: not wanted.
 * @param options  NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: NULL graph or fn, unusable option, or the graph runs; WEFT_ENOMEM.
 *
 * Threads: one at a time for each graph, and not during a run. Allocates.
 */
WEFT_API weft_status weft_graph_add(weft_graph *graph, weft_graph_node *node, weft_graph_fn fn, void *arg,
                                    const weft_graph_node_options *options);

/** The same for a choice. During a run, WEFT_EINVAL stops it if *successor is neither a successor nor WEFT_GRAPH_NO_SUCCESSOR. */
WEFT_API weft_status weft_graph_add_choice(weft_graph *graph, weft_graph_node *node, weft_graph_choice_fn fn, void *arg,
                                           const weft_graph_node_options *options);

/**
 * `after` begins once `before` has ended (or, if that is a choice: when it is chosen).
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL graph, no such node, or the graph runs; WEFT_ENOMEM.
 *
 * Threads, memory: as weft_graph_add().
 */
WEFT_API weft_status weft_graph_precede(weft_graph *graph, weft_graph_node before, weft_graph_node after);

/**
 * Check the graph and get it ready to run. The first run after a change does that by itself; after this, runs allocate nothing that
 * grows with the graph (a run that more workers join takes a record of 64 bytes of theirs for a while).
 *
 * @return WEFT_OK; WEFT_EINVAL: nodes wait for each other, and the text names them ("decode -> resize -> decode"), or every node
 *         waits for a choice, so that none could begin, or the graph runs; WEFT_ENOMEM.
 *
 * Threads: as weft_graph_add(). Allocates. Takes time in proportion to nodes and edges.
 */
WEFT_API weft_status weft_graph_compile(weft_graph *graph);

/**
 * Run the graph and wait for its end. Serial equivalent: call the functions of all nodes in an order that respects the edges.
 * An empty graph is WEFT_OK.
 *
 * @return WEFT_OK: every node has run (or was not chosen); what a node returned, and the text names that node; WEFT_ECANCELED:
 *         weft_graph_cancel(); WEFT_EAGAIN: the graph runs already; WEFT_EDEADLK: called inside a node of this graph;
 *         WEFT_EINVAL, WEFT_ENOMEM: as weft_graph_compile(); WEFT_ECLOSED, WEFT_EFORK: as weft_run().
 *
 * Threads: any; a caller outside the pool takes part where it can, as in weft_run(). Inside a task the worker runs nodes of this graph
 * meanwhile and nothing else. Blocks: yes. Orders: the caller's earlier writes are visible to all nodes, the nodes' writes to the caller.
 *
 * A node that has become ready runs on the worker that ended its last predecessor, unless others are idle and take it. Workers that
 * sleep are woken for a graph if its last run took longer than a wake does, or if it never ran.
 */
WEFT_API weft_status weft_graph_run(weft_graph *graph);

/**
 * Begin a run and return. weft_graph_wait() tells what it came to.
 *
 * @return WEFT_OK; else as weft_graph_run(), and nothing runs.
 *
 * Threads: any. Blocks: no longer than weft_submit().
 */
WEFT_API weft_status weft_graph_start(weft_graph *graph);

/**
 * Wait for the end of the run that weft_graph_start() began, as weft_group_wait() does.
 *
 * @return what weft_graph_run() returns; of the last run, again, if none was started since. WEFT_OK if there was none.
 *
 * Threads: any, several may wait; the next run begins when all have returned.
 */
WEFT_API weft_status weft_graph_wait(weft_graph *graph);

/**
 * Stop a run: nodes that have begun end, others do not begin. Nothing happens if the graph does not run.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL.
 *
 * Threads: any, also inside nodes. Blocks: no.
 */
WEFT_API weft_status weft_graph_cancel(weft_graph *graph);

/**
 * Write the graph as DOT text, for Graphviz, or as an SVG picture. Choices are diamonds (in SVG: round boxes), their edges dashed; a high
 * priority is bold, a low one dotted (gray). A graph with a cycle can be written too.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_ENOMEM; WEFT_EIO: the file could not be written.
 *
 * Threads: any, while nobody changes the graph. Allocates.
 */
WEFT_API weft_status weft_graph_write_dot(const weft_graph *graph, FILE *file);
WEFT_API weft_status weft_graph_write_svg(const weft_graph *graph, FILE *file);

/**
 * Release a graph. NULL is allowed.
 *
 * @return WEFT_OK; WEFT_EINVAL: it runs (nothing happens; wait first).
 *
 * Threads: any, when nobody else uses the graph.
 */
WEFT_API weft_status weft_graph_destroy(weft_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
