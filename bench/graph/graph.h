/*
 * Graphs of 10,000 nodes, built once and run again and again. graph.c says which; each other file is one peer's way to run them.
 */
#ifndef BENCH_GRAPH_GRAPH_H
#define BENCH_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct graph_edge {
    uint32_t before, after;
};

/* Nodes are numbered in an order that the edges allow. */
struct graph_shape {
    const char *row;
    size_t nodes, edges;
    const struct graph_edge *edge;
};

/* What a node does, once per run. Threads: any. */
void graph_node(size_t index);

/* Of the peer; one graph at a time. False: it failed. */
bool graph_build(const struct graph_shape *shape);
bool graph_run(void);
void graph_release(void);

#ifdef __cplusplus
}
#endif
#endif
