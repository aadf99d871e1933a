#include "graph/graph.h"

static size_t nodes;

bool graph_build(const struct graph_shape *shape) {
    nodes = shape->nodes;
    return true;
}

bool graph_run(void) {
    for (size_t i = 0; i < nodes; i++)
        graph_node(i);
    return true;
}

void graph_release(void) {}
