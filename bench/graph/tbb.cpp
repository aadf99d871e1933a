#include "harness/peers/tbb.h"

#include <memory>
#include <vector>

#include "graph/graph.h"

namespace {

using node = tbb::flow::continue_node<tbb::flow::continue_msg>;

std::unique_ptr<tbb::flow::graph> graph;
std::vector<std::unique_ptr<node>> nodes;
std::vector<node *> roots;

} // namespace

bool graph_build(const graph_shape *shape) {
    peer_arena().execute([] { graph = std::make_unique<tbb::flow::graph>(); });
    std::vector<bool> preceded(shape->nodes);
    for (size_t i = 0; i < shape->nodes; i++)
        nodes.push_back(std::make_unique<node>(*graph, [i](tbb::flow::continue_msg) { graph_node(i); }));
    for (size_t i = 0; i < shape->edges; i++) {
        tbb::flow::make_edge(*nodes[shape->edge[i].before], *nodes[shape->edge[i].after]);
        preceded[shape->edge[i].after] = true;
    }
    for (size_t i = 0; i < shape->nodes; i++)
        if (!preceded[i])
            roots.push_back(nodes[i].get());
    return true;
}

bool graph_run() {
    peer_arena().execute([] {
        for (node *root : roots)
            root->try_put(tbb::flow::continue_msg());
        graph->wait_for_all();
    });
    return true;
}

void graph_release() {
    roots.clear();
    nodes.clear();
    graph.reset();
}
