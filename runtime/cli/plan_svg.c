/* The plan as a picture: nodes, cache groups, cores with their workers, memory without workers, distances, a legend. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_layout.h"
#include "cli/plan_output.h"
#include "cli/svg.h"

/* Paints its own light background, so that it reads the same on a dark page. */
static const char style[] =
    "\n"
    "text{font-family:sans-serif;fill:#1c2430;font-size:13px}"
    ".page{fill:#ffffff}"
    ".title{font-size:20px;font-weight:bold}"
    ".reason{font-size:14px}"
    ".heading{font-size:15px;font-weight:bold}"
    ".small{font-size:11px;fill:#47525f}"
    ".mid{text-anchor:middle}"
    ".worker{font-size:13px;font-weight:bold;text-anchor:middle}"
    ".pu{font-size:11px;fill:#47525f;text-anchor:middle}"
    ".node{fill:#e8eff9;stroke:#44679c;stroke-width:1.5}"
    ".cache{fill:#d3e7d6;stroke:#5b9167}"
    ".nocache{fill:none;stroke:none}"
    ".core{fill:#ffffff;stroke:#7b8794}"
    ".memory{fill:#fdf1d6;stroke:#b07c1c;stroke-dasharray:5 3;stroke-width:1.5}"
    ".near0{fill:#eef2f5}.near1{fill:#d6efd9}.near2{fill:#fbf3c4}.near3{fill:#fbdcae}.near4{fill:#f4bca6}\n";

enum { HEADER_LINE_CHARACTERS_PER_100 = 14, LEGEND_HEIGHT = 160, LEGEND_LINE = 26, DISTANCE_SHADES = 4 };

struct picture {
    struct wf_svg svg;
    struct wf_layout layout;
    const weft_plan *plan;
};

static unsigned worker_count(const weft_plan *plan) {
    unsigned count;
    weft_plan_workers(plan, &count);
    return count;
}

/* "w4" or "w4-5", and their PUs. */
static void draw_core(struct picture *picture, struct wf_box box, unsigned first, unsigned end) {
    int middle = box.x + box.width / 2;
    char *pus = wf_text_pus(picture->plan, first, end - first);
    wf_svg_box(&picture->svg, "core", box);
    if (end - first == 1)
        wf_svg_words(&picture->svg, "worker", middle, box.y + 16, "w%u", first);
    else
        wf_svg_words(&picture->svg, "worker", middle, box.y + 16, "w%u-%u", first, end - 1);
    wf_svg_words(&picture->svg, "pu", middle, box.y + 31, "PU %s", pus ? pus : "?");
    free(pus);
}

static void draw_group(struct picture *picture, struct wf_box box, unsigned first, unsigned end) {
    unsigned cell = 0;
    bool cache = weft_plan_workers(picture->plan, NULL)[first].cache >= 0;
    wf_svg_box(&picture->svg, cache ? "cache" : "nocache", box);
    wf_svg_words(&picture->svg, "small", box.x + WF_PADDING, box.y + 14, "%s",
                 !cache            ? ""
                 : box.width < 120 ? "cache"
                                   : "last-level cache");
    for (unsigned next; first < end; first = next, cell++) {
        next = wf_layout_core_end(picture->plan, first);
        draw_core(picture, wf_layout_cell(&picture->layout, box, cell), first, next < end ? next : end);
    }
}

static void draw_memory(struct picture *picture, const weft_plan_memory_node *memory, struct wf_box box) {
    wf_svg_box(&picture->svg, "memory", box);
    wf_svg_words(&picture->svg, "heading", box.x + WF_PADDING, box.y + 18, "node %d", memory->os_index);
    wf_svg_words(&picture->svg, "text", box.x + WF_PADDING + 84, box.y + 18, "%s %s",
                 wf_text_bytes(memory->local_memory, "unknown"), memory->subtype);
    char *nearest = wf_text_nodes(memory->nearest, memory->nearest_count);
    wf_svg_words(&picture->svg, "small", box.x + WF_PADDING, box.y + 34, "memory only, nearest to %s %s",
                 memory->nearest_count > 1 ? "nodes" : "node", nearest ? nearest : "?");
    free(nearest);
}

static void draw_node(struct picture *picture, unsigned index) {
    const weft_plan_node *node = &weft_plan_nodes(picture->plan, NULL)[index];
    struct wf_box box = wf_layout_node(&picture->layout, index);
    unsigned group = 0, end_of_node = node->first_worker + node->worker_count, memory_count;
    bool own = node->memory_node == node->os_index && node->memory_node >= 0;
    wf_svg_box(&picture->svg, "node", box);
    wf_svg_words(&picture->svg, "heading", box.x + WF_PADDING, box.y + 20, "node %s", wf_text_node(node->os_index));
    if (own)
        wf_svg_words(&picture->svg, "text", box.x + WF_PADDING, box.y + 38, "memory: %s",
                     wf_text_bytes(node->local_memory, "size unknown"));
    else if (node->memory_node >= 0)
        wf_svg_words(&picture->svg, "text", box.x + WF_PADDING, box.y + 38, "no memory: uses node %d", node->memory_node);
    else
        wf_svg_words(&picture->svg, "text", box.x + WF_PADDING, box.y + 38, "no memory of its own");
    for (unsigned first = node->first_worker, end; first < end_of_node; first = end, group++) {
        end = wf_plan_cache_end(picture->plan, first);
        draw_group(picture, wf_layout_group(&picture->layout, box, group), first, end);
    }
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(picture->plan, &memory_count);
    struct wf_box below = {box.x, box.y + box.height + WF_GAP, box.width, WF_MEMORY_HEIGHT};
    for (unsigned i = 0; i < memory_count; i++)
        if (wf_layout_owner(picture->plan, &memory[i]) == (int)index) {
            draw_memory(picture, &memory[i], below);
            below.y += WF_MEMORY_HEIGHT + WF_GAP;
        }
}

/* Memory that is near several nodes stands below them all. */
static void draw_shared_memory(struct picture *picture) {
    unsigned count;
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(picture->plan, &count);
    struct wf_box box = {2 * WF_PADDING, picture->layout.shared_y, picture->layout.page_width - 4 * WF_PADDING, WF_MEMORY_HEIGHT};
    for (unsigned i = 0; i < count; i++)
        if (wf_layout_owner(picture->plan, &memory[i]) < 0) {
            draw_memory(picture, &memory[i], box);
            box.y += WF_MEMORY_HEIGHT + WF_GAP;
        }
}

/* Rank of a distance among those seen from a node: 1 is the nearest. */
static unsigned distance_rank(const weft_plan *plan, unsigned from, uint64_t distance) {
    const weft_plan_worker *worker = &weft_plan_workers(plan, NULL)[weft_plan_nodes(plan, NULL)[from].first_worker];
    unsigned rank = 0;
    for (unsigned g = 0; g < worker->group_count; g++)
        if (worker->groups[g].kind == WEFT_VICTIM_REMOTE && worker->groups[g].distance <= distance)
            rank++;
    return rank > DISTANCE_SHADES ? DISTANCE_SHADES : rank;
}

static void draw_table_row(struct picture *picture, unsigned from, int x, int y) {
    const weft_plan_node *nodes = weft_plan_nodes(picture->plan, NULL);
    wf_svg_words(&picture->svg, "small", x, y + 16, "node %s", wf_text_node(nodes[from].os_index));
    for (unsigned to = 0; to < picture->layout.node_count; to++) {
        static const char *const shades[] = {"near0", "near1", "near2", "near3", "near4"};
        uint64_t distance = wf_plan_distance(picture->plan, from, to);
        struct wf_box cell = {x + ((int)to + 2) * WF_TABLE_CELL - 12, y, WF_TABLE_CELL - 2, WF_TABLE_ROW - 2};
        wf_svg_box(&picture->svg, shades[from == to ? 0 : distance_rank(picture->plan, from, distance)], cell);
        if (from == to)
            wf_svg_words(&picture->svg, "mid", cell.x + cell.width / 2, y + 16, "-");
        else
            wf_svg_words(&picture->svg, "mid", cell.x + cell.width / 2, y + 16, "%" PRIu64, distance);
    }
}

static void draw_table(struct picture *picture) {
    const weft_plan_node *nodes = weft_plan_nodes(picture->plan, NULL);
    static const char *const sources[] = {"", "as the firmware says", "by the tree of packages and caches", "measured, in ns"};
    int x = 2 * WF_PADDING, y = picture->layout.table_y + 16;
    wf_svg_words(&picture->svg, "heading", x, y, "How far nodes are from each other (%s)",
                 sources[weft_plan_distance_source(picture->plan)]);
    y += 8;
    for (unsigned to = 0; to < picture->layout.node_count; to++)
        wf_svg_words(&picture->svg, "small mid", x + ((int)to + 2) * WF_TABLE_CELL - 12 + WF_TABLE_CELL / 2, y + 14, "%s",
                     wf_text_node(nodes[to].os_index));
    for (unsigned from = 0; from < picture->layout.node_count; from++)
        draw_table_row(picture, from, x, y + WF_TABLE_ROW - 4 + (int)from * WF_TABLE_ROW);
}

static void draw_legend_line(struct picture *picture, int *y, const char *class_name, const char *text) {
    int x = 2 * WF_PADDING;
    wf_svg_box(&picture->svg, class_name, (struct wf_box){x, *y, 34, 18});
    wf_svg_words(&picture->svg, "text", x + 46, *y + 14, "%s", text);
    *y += LEGEND_LINE;
}

static void draw_legend(struct picture *picture) {
    int x = 2 * WF_PADDING, y = picture->layout.legend_y + 16;
    unsigned memory_count;
    weft_plan_memory_nodes(picture->plan, &memory_count);
    wf_svg_words(&picture->svg, "heading", x, y, "How to read this");
    y += 10;
    draw_legend_line(picture, &y, "node", "a NUMA node: cores and the memory next to them");
    draw_legend_line(picture, &y, "cache", "cores that share their last-level cache");
    draw_legend_line(picture, &y, "core", "a core: w3 is worker number 3, PU its processing unit as the system numbers it");
    if (memory_count)
        draw_legend_line(picture, &y, "memory", "a node with memory but without workers");
    wf_svg_words(&picture->svg, "text", x, y + 18, "An idle worker steals from its own cache group first, then from its node%s",
                 picture->layout.node_count > 1 ? "," : ".");
    if (picture->layout.node_count > 1)
        wf_svg_words(&picture->svg, "text", x, y + 38, "then from the other nodes, the nearest ones%s before the farther.",
                     picture->layout.table ? " (green in the table)" : "");
}

/* Words of the sentence on as many lines as the page's width needs; with svg NULL only counts. */
static int wrap(struct wf_svg *svg, const char *text, int page_width, int y) {
    size_t most = (size_t)(page_width * HEADER_LINE_CHARACTERS_PER_100 / 100), length = strlen(text);
    int lines = 0;
    while (length) {
        size_t take = length;
        if (take > most) {
            for (take = most; take > 0 && text[take] != ' ';)
                take--;
            for (take = take ? take : most; take > 1 && ((unsigned char)text[take] & 0xc0) == 0x80;)
                take--; /* not inside a character */
        }
        if (svg)
            wf_svg_words(svg, "reason", 2 * WF_PADDING, y + lines * WF_LINE_HEIGHT, "%.*s", (int)take, text);
        lines++;
        text += take;
        length -= take;
        while (*text == ' ') {
            text++;
            length--;
        }
    }
    return lines;
}

static void draw(struct picture *picture) {
    const weft_plan *plan = picture->plan;
    struct wf_layout *layout = &picture->layout;
    unsigned workers = worker_count(plan);
    char title[96];
    wf_layout_make(layout, plan, 0, LEGEND_HEIGHT); /* for its width */
    char *clean = wf_text_clean(weft_plan_get_limits(plan)->reason);
    const char *reason = clean ? clean : "";
    unsigned memory_count;
    weft_plan_memory_nodes(plan, &memory_count);
    int legend_height = LEGEND_HEIGHT + (memory_count ? LEGEND_LINE : 0) + (layout->node_count > 1 ? WF_LINE_HEIGHT : 0);
    wf_layout_make(layout, plan, 52 + WF_LINE_HEIGHT * wrap(NULL, reason, layout->page_width, 0), legend_height);
    snprintf(title, sizeof title, "%u worker%s on %u node%s", workers, workers == 1 ? "" : "s", layout->node_count,
             layout->node_count == 1 ? "" : "s");
    wf_svg_begin(&picture->svg, layout->page_width, layout->page_height, title, style);
    wf_svg_box(&picture->svg, "page", (struct wf_box){0, 0, layout->page_width, layout->page_height});
    wf_svg_words(&picture->svg, "title", 2 * WF_PADDING, 32, "%s", title);
    wrap(&picture->svg, reason, layout->page_width, 56);
    for (unsigned i = 0; i < layout->node_count; i++)
        draw_node(picture, i);
    draw_shared_memory(picture);
    if (layout->table)
        draw_table(picture);
    draw_legend(picture);
    free(clean);
}

int wf_plan_write_svg(const char *path, const weft_plan *plan) {
    struct picture picture = {.plan = plan};
    draw(&picture);
    return wf_svg_end(&picture.svg, path);
}
