/* Building graphs. One thread at a time builds a graph, while it does not run. */
#include "parallel/graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scheduler/group.h"

#define ROOM_LEAST 16u

weft_status weft_graph_create(weft_graph **out, weft_pool *pool) {
    if (!out || !pool)
        return wf_fail(WEFT_EINVAL, "weft_graph_create() needs a place for the graph and a pool, got NULL");
    weft_graph *graph = aligned_alloc(WF_LINE, sizeof *graph);
    if (!graph)
        return wf_fail(WEFT_ENOMEM, "no memory for a graph");
    memset(graph, 0, sizeof *graph);
    weft_status status = weft_group_create(&graph->group, pool);
    if (status) {
        free(graph);
        return status;
    }
    graph->pool = pool;
    pthread_mutex_init(&graph->spill_lock, NULL);
    *out = graph;
    return WEFT_OK;
}

bool wf_graph_runs(const weft_graph *graph) {
    return wf_load(&graph->group->state, WF_ACQUIRE) >= WF_GROUP_ONE; /* pairs with wf_group_end() */
}

const char *wf_graph_name(const weft_graph *graph, uint32_t node, char *text, size_t bytes) {
    if (graph->names[node])
        snprintf(text, bytes, "%s", graph->names[node]);
    else
        snprintf(text, bytes, "node %u", node);
    return text;
}

static weft_status check_change(const weft_graph *graph, const char *call) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "%s() needs a graph, got NULL", call);
    return wf_graph_runs(graph) ? wf_fail(WEFT_EINVAL, "%s() was called while the graph runs: wait for it first", call) : WEFT_OK;
}

/* Room for one more item of `bytes`, on lines of its own. False: no memory, and all is as it was. */
static bool grow(void **items, size_t count, size_t *room, size_t bytes) {
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : ROOM_LEAST;
    void *grown = aligned_alloc(WF_LINE, (more * bytes + WF_LINE - 1) / WF_LINE * WF_LINE);
    if (!grown)
        return false;
    if (count)
        memcpy(grown, *items, count * bytes);
    free(*items);
    *items = grown;
    *room = more;
    return true;
}

static weft_status read_options(const weft_graph *graph, weft_graph_node_options *options, const weft_graph_node_options *given) {
    weft_status status = wf_options_copy(options, sizeof *options, given, "weft_graph_node_options");
    if (status)
        return status;
    if ((unsigned)options->priority > WEFT_GRAPH_LOW)
        return wf_fail(WEFT_EINVAL, "weft_graph_node_options.priority is %d: use WEFT_GRAPH_NORMAL, _HIGH or _LOW",
                       (int)options->priority);
    if (!options->placed && options->node)
        return wf_fail(WEFT_EINVAL, "weft_graph_node_options.node is %u but placed is not set: set both, or none", options->node);
    if (options->node >= weft_pool_nodes(graph->pool))
        return wf_fail(WEFT_EINVAL, "node %u does not exist: use 0 to %u", options->node, weft_pool_nodes(graph->pool) - 1);
    return WEFT_OK;
}

/* High, normal, low. */
static uint8_t level_of(weft_graph_priority priority) {
    return priority == WEFT_GRAPH_HIGH ? 0 : priority == WEFT_GRAPH_NORMAL ? 1 : 2;
}

static weft_status add(weft_graph *graph, weft_graph_node *out, struct wf_graph_node node, const weft_graph_node_options *given) {
    weft_graph_node_options options = {WEFT_GRAPH_NODE_OPTIONS_INIT};
    weft_status status = read_options(graph, &options, given);
    if (status)
        return status;
    size_t index = graph->node_count;
    if (index >= WF_GRAPH_NODES_MOST)
        return wf_fail(WEFT_EINVAL, "a graph holds %u nodes at most", WF_GRAPH_NODES_MOST);
    char *name = options.name ? strdup(options.name) : NULL;
    if ((options.name && !name) || !grow((void **)&graph->nodes, index, &graph->node_room, sizeof *graph->nodes) ||
        !grow((void **)&graph->names, index, &graph->name_room, sizeof *graph->names)) {
        free(name);
        return wf_fail(WEFT_ENOMEM, "no memory for one more node of a graph of %zu", index);
    }
    node.level = level_of(options.priority);
    node.home = options.placed ? options.node + 1 : 0;
    graph->nodes[index] = node;
    graph->names[index] = name;
    graph->node_count++;
    graph->compiled = false;
    if (out)
        *out = (uint32_t)index;
    return WEFT_OK;
}

weft_status weft_graph_add(weft_graph *graph, weft_graph_node *node, weft_graph_fn fn, void *arg,
                           const weft_graph_node_options *options) {
    weft_status status = check_change(graph, "weft_graph_add");
    if (status)
        return status;
    if (!fn)
        return wf_fail(WEFT_EINVAL, "weft_graph_add() needs a function, got NULL");
    return add(graph, node, (struct wf_graph_node){.fn.run = fn, .arg = arg, .graph = graph}, options);
}

weft_status weft_graph_add_choice(weft_graph *graph, weft_graph_node *node, weft_graph_choice_fn fn, void *arg,
                                  const weft_graph_node_options *options) {
    weft_status status = check_change(graph, "weft_graph_add_choice");
    if (status)
        return status;
    if (!fn)
        return wf_fail(WEFT_EINVAL, "weft_graph_add_choice() needs a function, got NULL");
    return add(graph, node, (struct wf_graph_node){.fn.choose = fn, .arg = arg, .chooses = true, .graph = graph}, options);
}

weft_status weft_graph_precede(weft_graph *graph, weft_graph_node before, weft_graph_node after) {
    weft_status status = check_change(graph, "weft_graph_precede");
    if (status)
        return status;
    if (before >= graph->node_count || after >= graph->node_count)
        return wf_fail(WEFT_EINVAL, "an edge from node %u to node %u leads outside the graph: it has %zu nodes, numbered from 0",
                       before, after, graph->node_count);
    if (graph->edge_count >= WF_GRAPH_NODES_MOST)
        return wf_fail(WEFT_EINVAL, "a graph holds %u edges at most", WF_GRAPH_NODES_MOST);
    if (!grow((void **)&graph->edges, graph->edge_count, &graph->edge_room, sizeof *graph->edges))
        return wf_fail(WEFT_ENOMEM, "no memory for one more edge of a graph of %zu", graph->edge_count);
    graph->edges[graph->edge_count++] = (struct wf_graph_edge){before, after};
    graph->compiled = false;
    return WEFT_OK;
}

weft_status weft_graph_destroy(weft_graph *graph) {
    if (!graph)
        return WEFT_OK;
    if (wf_graph_runs(graph))
        return wf_fail(WEFT_EINVAL, "the graph runs: wait for it first");
    weft_group_destroy(graph->group);
    pthread_mutex_destroy(&graph->spill_lock);
    for (size_t i = 0; i < graph->node_count; i++)
        free(graph->names[i]);
    free(graph->nodes);
    free(graph->names);
    free(graph->edges);
    free(graph->successors);
    free(graph->roots);
    free(graph->waits);
    free(graph->lanes);
    free(graph);
    return WEFT_OK;
}
