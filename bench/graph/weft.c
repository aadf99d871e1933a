#include "harness/peers/weft.h"
#include "graph/graph.h"

static weft_graph *graph;

static weft_status node(void *arg) {
    graph_node((size_t)arg);
    return WEFT_OK;
}

bool graph_build(const struct graph_shape *shape) {
    bool made = peer_ok(weft_graph_create(&graph, peer_pool));
    for (size_t i = 0; made && i < shape->nodes; i++)
        made = peer_ok(weft_graph_add(graph, NULL, node, (void *)i, NULL));
    for (size_t i = 0; made && i < shape->edges; i++)
        made = peer_ok(weft_graph_precede(graph, shape->edge[i].before, shape->edge[i].after));
    return made;
}

bool graph_run(void) {
    return peer_ok(weft_graph_run(graph));
}

void graph_release(void) {
    weft_graph_destroy(graph);
}
