/*
 * Pictures of graphs: DOT for Graphviz, and SVG with a layout of its own. Both only read the graph, also one that has a cycle.
 *
 * The layout is in layers (Sugiyama et al. 1981): a node lies one below the lowest of its predecessors, those of a layer are ordered by
 * the mean place of their predecessors, and edges are drawn straight through. Nodes that wait for each other are cut where they were added
 * first; what then leads upwards is drawn all the same.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parallel/graph.h"

#define LETTER 8 /* pixels: of a name's letter, around a name, between boxes, from a layer to the next */
#define MARGIN 12
#define GAP 16
#define HEIGHT 28
#define STEP 72
#define BOW 160 /* aside, of edges that do not lead from one layer to the next */

static weft_status finish(FILE *file) {
    return fflush(file) || ferror(file) ? wf_fail(WEFT_EIO, "the graph could not be written: %s", strerror(errno)) : WEFT_OK;
}

static weft_status check(const weft_graph *graph, const FILE *file, const char *call) {
    return graph && file ? WEFT_OK : wf_fail(WEFT_EINVAL, "%s() needs a graph and a file, got NULL", call);
}

/* A name between quotation marks of DOT. */
static void write_quoted(FILE *file, const char *name) {
    for (; *name; name++) {
        if (*name == '"' || *name == '\\')
            fputc('\\', file);
        fputs(*name == '\n' ? "\\n" : (char[]){*name, 0}, file);
    }
}

static void write_escaped(FILE *file, const char *name) {
    for (; *name; name++)
        if (*name == '&' || *name == '<' || *name == '>' || *name == '"' || (unsigned char)*name < ' ')
            fprintf(file, "&#%u;", (unsigned char)*name < ' ' ? ' ' : (unsigned char)*name);
        else
            fputc(*name, file);
}

/* Which successor of its choice each edge leads to; edges are in that order. */
static uint32_t next_number(uint32_t *numbers, const struct wf_graph_edge *edge) {
    return numbers[edge->before]++;
}

weft_status weft_graph_write_dot(const weft_graph *graph, FILE *file) {
    weft_status status = check(graph, file, "weft_graph_write_dot");
    if (status)
        return status;
    char name[WF_GRAPH_NAME_BYTES];
    uint32_t *numbers = calloc(graph->node_count + 1, sizeof *numbers);
    if (!numbers)
        return wf_fail(WEFT_ENOMEM, "no memory to write a graph of %zu nodes", graph->node_count);
    fputs("digraph graph_of_tasks {\n    node [shape=box];\n", file);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        const struct wf_graph_node *node = &graph->nodes[i];
        fprintf(file, "    n%u [label=\"", i);
        write_quoted(file, wf_graph_name(graph, i, name, sizeof name));
        if (node->home)
            fprintf(file, "\\nnode %u", node->home - 1);
        fprintf(file, "\"%s%s];\n", node->chooses ? ", shape=diamond" : "",
                node->level == 0   ? ", style=bold"
                : node->level == 2 ? ", style=dotted"
                                   : "");
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct wf_graph_edge *edge = &graph->edges[i];
        fprintf(file, "    n%u -> n%u", edge->before, edge->after);
        if (graph->nodes[edge->before].chooses)
            fprintf(file, " [style=dashed, label=\"%u\"]", next_number(numbers, edge));
        fputs(";\n", file);
    }
    fputs("}\n", file);
    free(numbers);
    return finish(file);
}

/* Neighbours of each node beside each other: those of node i are [begin[i], begin[i + 1]). */
struct neighbours {
    uint32_t *begin, *nodes;
};

struct layout {
    struct neighbours after, before;
    uint32_t *layer; /* by node */
    uint32_t *order; /* nodes as they are laid out: layer by layer, from left to right */
    uint32_t *left;  /* by node: predecessors that are not laid out */
    int *x;          /* by node: its middle */
    double *pull;    /* by node: the mean place of its predecessors */
    int width, layers;
};

static bool allocate_neighbours(struct neighbours *made, size_t nodes, size_t edges) {
    made->begin = calloc(nodes + 2, sizeof *made->begin);
    made->nodes = calloc(edges + 1, sizeof *made->nodes);
    return made->begin && made->nodes;
}

static bool allocate(struct layout *made, size_t nodes, size_t edges) {
    made->layer = calloc(nodes + 1, sizeof *made->layer);
    made->order = calloc(nodes + 1, sizeof *made->order);
    made->left = calloc(nodes + 1, sizeof *made->left);
    made->x = calloc(nodes + 1, sizeof *made->x);
    made->pull = calloc(nodes + 1, sizeof *made->pull);
    return allocate_neighbours(&made->after, nodes, edges) && allocate_neighbours(&made->before, nodes, edges) && made->layer &&
           made->order && made->left && made->x && made->pull;
}

static void release(struct layout *made) {
    void *const parts[] = {made->after.begin, made->after.nodes, made->before.begin, made->before.nodes, made->layer, made->order,
                           made->left,        made->x,           made->pull};
    for (size_t i = 0; i < WF_ARRAY_LENGTH(parts); i++)
        free(parts[i]);
}

static void list(const weft_graph *graph, struct neighbours *made, bool backwards) {
    uint32_t *begin = made->begin + 1; /* where the next one of node i goes; afterwards begin[i] is the end of i */
    for (size_t i = 0; i < graph->edge_count; i++)
        begin[(backwards ? graph->edges[i].after : graph->edges[i].before) + 1]++;
    for (size_t i = 1; i <= graph->node_count; i++)
        begin[i] += begin[i - 1];
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct wf_graph_edge *edge = &graph->edges[i];
        made->nodes[begin[backwards ? edge->after : edge->before]++] = backwards ? edge->before : edge->after;
    }
}

/* Each node below its predecessors; where none is left without, the first that is left. `x` says meanwhile who is laid out. */
static void choose_layers(const weft_graph *graph, struct layout *layout) {
    uint32_t taken = 0, forced = 0, nodes = (uint32_t)graph->node_count;
    for (uint32_t i = 0; i < nodes; i++) {
        layout->left[i] = layout->before.begin[i + 1] - layout->before.begin[i];
        if (!layout->left[i])
            layout->order[taken++] = i;
    }
    for (uint32_t i = 0; i < nodes; i++) {
        if (i == taken) {
            while (layout->x[forced] || !layout->left[forced])
                forced++;
            layout->left[forced] = 0;
            layout->order[taken++] = forced;
        }
        uint32_t node = layout->order[i];
        layout->x[node] = 1;
        for (uint32_t k = layout->after.begin[node]; k < layout->after.begin[node + 1]; k++) {
            uint32_t after = layout->after.nodes[k];
            if (!layout->left[after])
                continue; /* it lies already */
            if (layout->layer[after] < layout->layer[node] + 1)
                layout->layer[after] = layout->layer[node] + 1;
            if (!--layout->left[after])
                layout->order[taken++] = after;
        }
    }
}

static int width_of(const weft_graph *graph, uint32_t node) {
    char name[WF_GRAPH_NAME_BYTES];
    return LETTER * snprintf(NULL, 0, "%s", wf_graph_name(graph, node, name, sizeof name)) + 2 * MARGIN;
}

static int by_layer(const void *a, const void *b, void *layout) {
    uint32_t one = ((const struct layout *)layout)->layer[*(const uint32_t *)a];
    uint32_t other = ((const struct layout *)layout)->layer[*(const uint32_t *)b];
    return one != other ? (one > other) - (one < other) : (*(const uint32_t *)a > *(const uint32_t *)b) * 2 - 1;
}

static int by_pull(const void *a, const void *b, void *layout) {
    double one = ((const struct layout *)layout)->pull[*(const uint32_t *)a];
    double other = ((const struct layout *)layout)->pull[*(const uint32_t *)b];
    return one != other ? (one > other) - (one < other) : (*(const uint32_t *)a > *(const uint32_t *)b) * 2 - 1;
}

/* Order a layer, `count` nodes from `nodes` on, by its predecessors, and put it from left to right around the middle. */
static void place_layer(const weft_graph *graph, struct layout *layout, uint32_t *nodes, uint32_t count) {
    int width = -GAP;
    for (uint32_t i = 0; i < count; i++) {
        double sum = 0;
        uint32_t node = nodes[i], begin = layout->before.begin[node], end = layout->before.begin[node + 1], above = 0;
        for (uint32_t k = begin; k < end; k++)
            if (layout->layer[layout->before.nodes[k]] < layout->layer[node]) {
                sum += layout->x[layout->before.nodes[k]];
                above++;
            }
        layout->pull[node] = above ? sum / above : 0;
        width += width_of(graph, node) + GAP;
    }
    qsort_r(nodes, count, sizeof *nodes, by_pull, layout);
    layout->width = width > layout->width ? width : layout->width;
    for (uint32_t i = 0, left = 0; i < count; i++) {
        int own = width_of(graph, nodes[i]);
        layout->x[nodes[i]] = (int)left + own / 2 - width / 2; /* the middle of the picture is 0 */
        left += (uint32_t)(own + GAP);
    }
}

static void place(const weft_graph *graph, struct layout *layout) {
    uint32_t nodes = (uint32_t)graph->node_count;
    qsort_r(layout->order, nodes, sizeof *layout->order, by_layer, layout);
    for (uint32_t first = 0, last; first < nodes; first = last) {
        uint32_t layer = layout->layer[layout->order[first]];
        for (last = first; last < nodes && layout->layer[layout->order[last]] == layer; last++)
            ;
        place_layer(graph, layout, layout->order + first, last - first);
        layout->layers = (int)layer + 1;
    }
}

static int x_of(const struct layout *layout, uint32_t node) {
    return layout->x[node] + layout->width / 2 + MARGIN;
}

static int y_of(const struct layout *layout, uint32_t node) {
    return MARGIN + (int)layout->layer[node] * STEP;
}

static int bow_of(const struct layout *layout, const struct wf_graph_edge *edge) {
    return layout->layer[edge->after] == layout->layer[edge->before] + 1 ? 0 : BOW;
}

static void draw_edge(const weft_graph *graph, const struct layout *layout, const struct wf_graph_edge *edge, FILE *file) {
    int x0 = x_of(layout, edge->before), y0 = y_of(layout, edge->before) + HEIGHT, bow = bow_of(layout, edge);
    int x1 = x_of(layout, edge->after), y1 = y_of(layout, edge->after), bend = y1 > y0 ? (y1 - y0) / 2 : STEP;
    fprintf(file, "<path class=\"%s\" d=\"M %d %d C %d %d %d %d %d %d\" marker-end=\"url(#end)\"/>\n",
            graph->nodes[edge->before].chooses ? "weak" : "edge", x0, y0, x0 + bow, y0 + bend, x1 + bow, y1 - bend, x1, y1);
}

static void draw_node(const weft_graph *graph, const struct layout *layout, uint32_t node, FILE *file) {
    static const char *const classes[] = {"high", "normal", "low"};
    char name[WF_GRAPH_NAME_BYTES];
    int width = width_of(graph, node), x = x_of(layout, node), y = y_of(layout, node);
    fprintf(file, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"%d\"/>\n",
            classes[graph->nodes[node].level], x - width / 2, y, width, HEIGHT, graph->nodes[node].chooses ? HEIGHT / 2 : 4);
    fprintf(file, "<text x=\"%d\" y=\"%d\">", x, y + HEIGHT / 2 + LETTER / 2);
    write_escaped(file, wf_graph_name(graph, node, name, sizeof name));
    if (graph->nodes[node].home)
        fprintf(file, "<title>on node %u</title>", graph->nodes[node].home - 1);
    fputs("</text>\n", file);
}

static void draw(const weft_graph *graph, const struct layout *layout, FILE *file) {
    int bow = 0;
    for (size_t i = 0; i < graph->edge_count && !bow; i++)
        bow = bow_of(layout, &graph->edges[i]);
    int width = layout->width + bow + 2 * MARGIN, height = layout->layers * STEP - (STEP - HEIGHT) + 2 * MARGIN;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
            "<title>%zu nodes, %zu edges</title>\n"
            "<style>text { font: 13px monospace; text-anchor: middle } rect { fill: white; stroke: black } .high { stroke-width: "
            "2.5 } "
            ".low { stroke: gray } path { fill: none; stroke: black } .weak { stroke-dasharray: 5 4 }</style>\n"
            "<defs><marker id=\"end\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" "
            "orient=\"auto\">"
            "<path d=\"M 0 0 L 10 5 L 0 10 z\" style=\"fill: black\"/></marker></defs>\n",
            width, height, width, height, graph->node_count, graph->edge_count);
    for (size_t i = 0; i < graph->edge_count; i++)
        draw_edge(graph, layout, &graph->edges[i], file);
    for (uint32_t i = 0; i < graph->node_count; i++)
        draw_node(graph, layout, i, file);
    fputs("</svg>\n", file);
}

weft_status weft_graph_write_svg(const weft_graph *graph, FILE *file) {
    struct layout layout = {0};
    weft_status status = check(graph, file, "weft_graph_write_svg");
    if (status)
        return status;
    if (allocate(&layout, graph->node_count, graph->edge_count)) {
        list(graph, &layout.after, false);
        list(graph, &layout.before, true);
        choose_layers(graph, &layout);
        place(graph, &layout);
        draw(graph, &layout, file);
        status = finish(file);
    } else {
        status = wf_fail(WEFT_ENOMEM, "no memory to draw a graph of %zu nodes", graph->node_count);
    }
    release(&layout);
    return status;
}
