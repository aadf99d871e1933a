/* Finds the numbers of columns that bring boxes nearest to a pleasant shape. */
#include "cli/plan_layout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_output.h"

enum { MIN_PAGE_WIDTH = 700, MAX_TABLE_NODES = 32, MIN_CELL_WIDTH = 66, BOLD_CHARACTER = 9, SMALL_CHARACTER = 7 };

struct counts {
    unsigned cells, groups; /* largest numbers: cores in a group, groups in a node */
};

unsigned wf_layout_core_end(const weft_plan *plan, unsigned first) {
    unsigned count;
    const weft_plan_worker *workers = weft_plan_workers(plan, &count);
    unsigned end = first + 1;
    while (end < count && workers[first].core >= 0 && workers[end].core == workers[first].core &&
           workers[end].node == workers[first].node)
        end++;
    return end;
}

static unsigned cells_between(const weft_plan *plan, unsigned first, unsigned end) {
    unsigned cells = 0;
    for (; first < end; first = wf_layout_core_end(plan, first))
        cells++;
    return cells;
}

static struct counts count_boxes(const weft_plan *plan) {
    struct counts most = {0, 0};
    unsigned node_count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &node_count);
    for (unsigned i = 0; i < node_count; i++) {
        unsigned groups = 0, end_of_node = nodes[i].first_worker + nodes[i].worker_count;
        for (unsigned first = nodes[i].first_worker, end; first < end_of_node; first = end, groups++) {
            end = wf_plan_cache_end(plan, first);
            unsigned cells = cells_between(plan, first, end);
            most.cells = cells > most.cells ? cells : most.cells;
        }
        most.groups = groups > most.groups ? groups : most.groups;
    }
    return most;
}

/* Columns for `count` boxes so that the whole is about `ratio` times as wide as high. */
static int pick_columns(unsigned count, int width, int height, double ratio) {
    int best = 1;
    double best_error = 0;
    for (unsigned columns = 1; columns <= count; columns++) {
        unsigned rows = (count + columns - 1) / columns;
        double shape = (double)columns * width / ((double)rows * height);
        double error = shape > ratio ? shape / ratio : ratio / shape;
        error *= 1 + 4.0 * (double)(rows * columns - count) / count; /* holes in the grid are ugly */
        if (columns == 1 || error < best_error) {
            best_error = error;
            best = (int)columns;
        }
    }
    return best;
}

static int rows_of(unsigned count, int columns) {
    return (int)((count + (unsigned)columns - 1) / (unsigned)columns);
}

static int span(int count, int size) {
    return count * size + (count - 1) * WF_GAP;
}

int wf_layout_owner(const weft_plan *plan, const weft_plan_memory_node *memory) {
    unsigned count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    for (unsigned i = 0; memory->nearest_count == 1 && i < count; i++)
        if (nodes[i].os_index == memory->nearest[0])
            return (int)i;
    return -1;
}

/* How many memory-only nodes hang below one node at most, and how many belong to several nodes. */
static void count_memory(struct wf_layout *layout, const weft_plan *plan) {
    unsigned count;
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(plan, &count);
    for (unsigned node = 0; node < layout->node_count; node++) {
        unsigned here = 0;
        for (unsigned i = 0; i < count; i++)
            here += wf_layout_owner(plan, &memory[i]) == (int)node;
        layout->attached_rows = here > layout->attached_rows ? here : layout->attached_rows;
    }
    for (unsigned i = 0; i < count; i++)
        layout->shared_count += wf_layout_owner(plan, &memory[i]) < 0;
}

/* Width of the core whose words are the longest. */
static int widest_cell(const weft_plan *plan) {
    unsigned count;
    weft_plan_workers(plan, &count);
    int width = MIN_CELL_WIDTH;
    for (unsigned first = 0, end; first < count; first = end) {
        end = wf_layout_core_end(plan, first);
        char *pus = wf_text_pus(plan, first, end - first);
        int name = end - first == 1 ? snprintf(NULL, 0, "w%u", first) : snprintf(NULL, 0, "w%u-%u", first, end - 1);
        int words = SMALL_CHARACTER * (int)(strlen("PU ") + (pus ? strlen(pus) : 0)) + WF_PADDING;
        free(pus);
        name = BOLD_CHARACTER * name + WF_PADDING;
        width = name > width ? name : width;
        width = words > width ? words : width;
    }
    return width;
}

static void size_boxes(struct wf_layout *layout, const weft_plan *plan) {
    struct counts most = count_boxes(plan);
    layout->cell_width = widest_cell(plan);
    layout->cell_columns = pick_columns(most.cells, layout->cell_width, WF_CELL_HEIGHT, 2.6);
    layout->group_width = span(layout->cell_columns, layout->cell_width) + 2 * WF_PADDING;
    layout->group_height =
        span(rows_of(most.cells, layout->cell_columns), WF_CELL_HEIGHT) + 2 * WF_PADDING + WF_GROUP_TITLE - WF_GAP;
    layout->group_columns = pick_columns(most.groups, layout->group_width, layout->group_height, 1.6);
    layout->node_width = span(layout->group_columns, layout->group_width) + 2 * WF_PADDING;
    if (layout->node_width < 230)
        layout->node_width = 230;
    layout->node_height = span(rows_of(most.groups, layout->group_columns), layout->group_height) + WF_PADDING + WF_NODE_TITLE;
}

void wf_layout_make(struct wf_layout *layout, const weft_plan *plan, int header_height, int legend_height) {
    *layout = (struct wf_layout){0};
    weft_plan_nodes(plan, &layout->node_count);
    count_memory(layout, plan);
    size_boxes(layout, plan);
    layout->pitch_y = layout->node_height + (int)layout->attached_rows * (WF_MEMORY_HEIGHT + WF_GAP) + 2 * WF_PADDING;
    layout->node_columns = pick_columns(layout->node_count, layout->node_width, layout->pitch_y, 1.7);
    layout->table = layout->node_count > 1 && layout->node_count <= MAX_TABLE_NODES;

    int width = layout->node_columns * (layout->node_width + 2 * WF_PADDING) + 2 * WF_PADDING;
    int table_width = layout->table ? ((int)layout->node_count + 2) * WF_TABLE_CELL + 4 * WF_PADDING : 0;
    width = width > table_width ? width : table_width;
    layout->page_width = width > MIN_PAGE_WIDTH ? width : MIN_PAGE_WIDTH;
    layout->nodes_y = header_height;
    layout->shared_y = layout->nodes_y + rows_of(layout->node_count, layout->node_columns) * layout->pitch_y;
    layout->table_y = layout->shared_y + (int)layout->shared_count * (WF_MEMORY_HEIGHT + WF_GAP) + WF_PADDING;
    layout->legend_y = layout->table_y + (layout->table ? ((int)layout->node_count + 2) * WF_TABLE_ROW + 3 * WF_PADDING : 0);
    layout->page_height = layout->legend_y + legend_height;
}

struct wf_box wf_layout_node(const struct wf_layout *layout, unsigned node) {
    int column = (int)node % layout->node_columns, row = (int)node / layout->node_columns;
    return (struct wf_box){2 * WF_PADDING + column * (layout->node_width + 2 * WF_PADDING),
                           layout->nodes_y + row * layout->pitch_y, layout->node_width, layout->node_height};
}

struct wf_box wf_layout_group(const struct wf_layout *layout, struct wf_box node, unsigned group) {
    int column = (int)group % layout->group_columns, row = (int)group / layout->group_columns;
    return (struct wf_box){node.x + WF_PADDING + column * (layout->group_width + WF_GAP),
                           node.y + WF_NODE_TITLE + row * (layout->group_height + WF_GAP), layout->group_width,
                           layout->group_height};
}

struct wf_box wf_layout_cell(const struct wf_layout *layout, struct wf_box group, unsigned cell) {
    int column = (int)cell % layout->cell_columns, row = (int)cell / layout->cell_columns;
    return (struct wf_box){group.x + WF_PADDING + column * (layout->cell_width + WF_GAP),
                           group.y + WF_GROUP_TITLE + WF_PADDING - WF_GAP + row * (WF_CELL_HEIGHT + WF_GAP), layout->cell_width,
                           WF_CELL_HEIGHT};
}
