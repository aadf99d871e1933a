/*
 * From edges to what a run reads: the successors of each node beside each other, the nodes to begin with. Nodes that wait for each
 * other are found by taking away, again and again, those that wait for nobody (Kahn 1962): what is left holds a cycle.
 */
#include "parallel/graph_compile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CYCLE_TEXT_BYTES 384u

/* What is made anew; becomes the graph's when all of it is there. */
struct compiled {
    uint32_t *successors, *roots;
    wf_atomic_u32 *waits;
    uint32_t *order; /* nodes as they are taken away; later, a cycle */
    uint32_t *left;  /* by node: predecessors that are not taken away; later, one predecessor of each node that is left */
};

static bool allocate(struct compiled *made, size_t nodes, size_t edges) {
    made->successors = malloc((edges + 1) * sizeof *made->successors);
    made->roots = malloc(nodes * sizeof *made->roots);
    made->waits = malloc(nodes * sizeof *made->waits);
    made->order = malloc(nodes * sizeof *made->order);
    made->left = malloc(nodes * sizeof *made->left);
    return made->successors && made->roots && made->waits && made->order && made->left;
}

/* Degrees, and each node's part of the successors; `end` is where the next one goes until all are there. */
static void count_edges(weft_graph *graph) {
    for (size_t i = 0; i < graph->node_count; i++) {
        struct wf_graph_node *node = &graph->nodes[i];
        node->preceded = node->begin = node->end = 0;
        node->chosen = false;
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        struct wf_graph_node *before = &graph->nodes[graph->edges[i].before], *after = &graph->nodes[graph->edges[i].after];
        before->end++;
        after->preceded += !before->chooses;
        after->chosen |= before->chooses;
    }
    uint32_t sum = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        uint32_t count = graph->nodes[i].end;
        graph->nodes[i].begin = graph->nodes[i].end = sum;
        sum += count;
    }
}

static void list_successors(weft_graph *graph, uint32_t *successors) {
    count_edges(graph);
    for (size_t i = 0; i < graph->edge_count; i++)
        successors[graph->nodes[graph->edges[i].before].end++] = graph->edges[i].after;
}

/* The roots, those of high priority first. */
static uint32_t list_roots(weft_graph *graph, uint32_t *roots) {
    uint32_t count = 0;
    for (unsigned level = 0; level < WF_GRAPH_LEVELS; level++)
        for (size_t i = 0; i < graph->node_count; i++) {
            const struct wf_graph_node *node = &graph->nodes[i];
            if (node->level == level && !node->preceded && !node->chosen)
                roots[count++] = (uint32_t)i;
        }
    return count;
}

/* How many nodes can be taken away; choices hold nobody up. */
static uint32_t take_away(const weft_graph *graph, struct compiled *made) {
    uint32_t taken = 0;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        made->left[i] = graph->nodes[i].preceded;
        if (!made->left[i])
            made->order[taken++] = i;
    }
    for (uint32_t i = 0; i < taken; i++) {
        const struct wf_graph_node *node = &graph->nodes[made->order[i]];
        for (uint32_t s = node->begin; s < node->end && !node->chooses; s++)
            if (!--made->left[made->successors[s]])
                made->order[taken++] = made->successors[s];
    }
    return taken;
}

/* Every node that is left has a predecessor that is left. Walk back along these: who is met again is on a cycle, which is put
 * into order[], last node first. Returns its length. */
static uint32_t find_cycle(const weft_graph *graph, struct compiled *made) {
    uint32_t *left = made->left, node = WF_GRAPH_NONE, length = 0;
    for (uint32_t i = 0; i < graph->node_count; i++)
        if (!left[i])
            left[i] = WF_GRAPH_NONE; /* taken away */
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct wf_graph_edge *edge = &graph->edges[i];
        if (left[edge->before] == WF_GRAPH_NONE || left[edge->after] == WF_GRAPH_NONE || graph->nodes[edge->before].chooses)
            continue;
        left[edge->after] = edge->before;
        node = edge->after;
    }
    for (size_t i = 0; i < graph->node_count; i++)
        node = left[node];
    uint32_t least = node;
    for (uint32_t other = left[node]; other != node; other = left[other])
        least = other < least ? other : least;
    node = least; /* begin and end with the one that was added first */
    do {
        node = left[node];
        made->order[length++] = node;
    } while (node != least);
    return length;
}

static weft_status fail_cycle(const weft_graph *graph, struct compiled *made) {
    char text[CYCLE_TEXT_BYTES], name[WF_GRAPH_NAME_BYTES];
    uint32_t length = find_cycle(graph, made);
    size_t used = (size_t)snprintf(text, sizeof text, "%s", wf_graph_name(graph, made->order[length - 1], name, sizeof name));
    for (uint32_t i = length; i-- > 0;) {
        uint32_t next = made->order[i ? i - 1 : length - 1];
        wf_graph_name(graph, next, name, sizeof name);
        if (used + 2 * (sizeof name + sizeof " -> ") > sizeof text && i) { /* keep room for the end */
            used += (size_t)snprintf(text + used, sizeof text - used, " -> ...");
            i = 1;
            continue;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, " -> %s", name);
    }
    return wf_fail(WEFT_EINVAL, "nodes of the graph wait for each other: %s (%u nodes). Take one of these edges out", text,
                   length);
}

static weft_status compile(weft_graph *graph, struct compiled *made) {
    if (!allocate(made, graph->node_count, graph->edge_count))
        return wf_fail(WEFT_ENOMEM, "no memory to compile a graph of %zu nodes and %zu edges", graph->node_count,
                       graph->edge_count);
    if (!graph->lanes) {
        size_t bytes = weft_pool_workers(graph->pool) * sizeof *graph->lanes;
        graph->lanes = aligned_alloc(WF_LINE, bytes);
        if (!graph->lanes)
            return wf_fail(WEFT_ENOMEM, "no memory for what %u workers hold of a graph", weft_pool_workers(graph->pool));
        memset(graph->lanes, 0, bytes);
    }
    list_successors(graph, made->successors);
    if (take_away(graph, made) < graph->node_count)
        return fail_cycle(graph, made);
    uint32_t roots = list_roots(graph, made->roots);
    if (!roots)
        return wf_fail(WEFT_EINVAL,
                       "no node of the graph can begin: each has a predecessor or waits for a choice. Add one that does not");
    graph->root_count = roots;
    return WEFT_OK;
}

static void describe(weft_graph *graph) {
    graph->chooses = false;
    graph->first_level = WF_GRAPH_LEVELS - 1;
    graph->last_level = 0;
    for (size_t i = 0; i < graph->node_count; i++) {
        const struct wf_graph_node *node = &graph->nodes[i];
        graph->chooses |= node->chooses;
        graph->first_level = node->level < graph->first_level ? node->level : graph->first_level;
        graph->last_level = node->level > graph->last_level ? node->level : graph->last_level;
    }
}

/* The graph's own become what is given back. */
static void exchange(weft_graph *graph, struct compiled *made) {
    struct compiled old = {.successors = graph->successors, .roots = graph->roots, .waits = graph->waits};
    graph->successors = made->successors;
    graph->roots = made->roots;
    graph->waits = made->waits;
    made->successors = old.successors;
    made->roots = old.roots;
    made->waits = old.waits;
}

weft_status wf_graph_compile(weft_graph *graph) {
    if (graph->compiled || !graph->node_count)
        return WEFT_OK;
    struct compiled made = {0};
    weft_status status = compile(graph, &made);
    if (!status) {
        exchange(graph, &made);
        describe(graph);
        graph->compiled = graph->dirty = true;
        wf_store(&graph->brief, 0, WF_RELAXED); /* nobody runs */
    }
    free(made.successors);
    free(made.roots);
    free(made.waits);
    free(made.order);
    free(made.left);
    return status;
}

weft_status weft_graph_compile(weft_graph *graph) {
    if (!graph)
        return wf_fail(WEFT_EINVAL, "weft_graph_compile() needs a graph, got NULL");
    if (wf_graph_runs(graph))
        return wf_fail(WEFT_EINVAL, "weft_graph_compile() was called while the graph runs: wait for it first");
    return wf_graph_compile(graph);
}
