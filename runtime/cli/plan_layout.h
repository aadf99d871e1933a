/*
 * Sizes and places for the picture of a plan: cores in cache groups, cache groups in nodes, nodes on the page.
 * Every node has the same size, so that the picture reads as a grid. Pixels.
 */
#ifndef WF_CLI_PLAN_LAYOUT_H
#define WF_CLI_PLAN_LAYOUT_H

#include "cli/svg.h"
#include "weft/plan.h"

enum {
    WF_CELL_HEIGHT = 38,
    WF_GAP = 6,
    WF_PADDING = 10,
    WF_GROUP_TITLE = 16,
    WF_NODE_TITLE = 48,
    WF_MEMORY_HEIGHT = 42,
    WF_TABLE_CELL = 44,
    WF_TABLE_ROW = 24,
    WF_LINE_HEIGHT = 20
};

struct wf_layout {
    int cell_columns, group_columns, node_columns;
    int cell_width; /* fits the longest words */
    int group_width, group_height;
    int node_width, node_height; /* without attached memory */
    int pitch_y;                 /* from one row of nodes to the next */
    int page_width;
    int nodes_y, shared_y, table_y, legend_y, page_height;
    unsigned node_count, attached_rows, shared_count;
    bool table;
};

/* header_height: what stands above the nodes; legend_height: below everything. */
void wf_layout_make(struct wf_layout *layout, const weft_plan *plan, int header_height, int legend_height);

/* Node number `node` of the plan; group number `group` of a node; core number `cell` of a group. */
struct wf_box wf_layout_node(const struct wf_layout *layout, unsigned node);
struct wf_box wf_layout_group(const struct wf_layout *layout, struct wf_box node, unsigned group);
struct wf_box wf_layout_cell(const struct wf_layout *layout, struct wf_box group, unsigned cell);

/* Index of the only node that this memory is nearest to, -1 if there are several. */
int wf_layout_owner(const weft_plan *plan, const weft_plan_memory_node *memory);

/* One behind the last worker on the core of worker `first`. */
unsigned wf_layout_core_end(const weft_plan *plan, unsigned first);

#endif
