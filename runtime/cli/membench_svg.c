/* membench's matrices as heat maps: latency, and the bandwidth of reads and of the triad. Darker is worse. */
#include "cli/membench.h"
#include "cli/svg.h"

static const char style[] = "\n"
                            "text{font-family:sans-serif;fill:#1c2430;font-size:13px}"
                            ".page{fill:#ffffff}"
                            ".title{font-size:20px;font-weight:bold}"
                            ".heading{font-size:15px;font-weight:bold}"
                            ".small{font-size:11px;fill:#47525f}"
                            ".value{text-anchor:middle}.axis{text-anchor:middle;fill:#47525f;font-size:12px}"
                            ".row{fill:#47525f;font-size:12px}"
                            ".heat0{fill:#e9f5ea}.heat1{fill:#d3ebcf}.heat2{fill:#f3f0bd}.heat3{fill:#fbdcae}.heat4{fill:#f4bca6}"
                            ".heat5{fill:#ec9b8b}\n";

enum { SHADES = 6, CELL_WIDTH = 64, CELL_HEIGHT = 30, LEFT = 90, TOP = 70, HEADING = 52, GAP = 24, NOTE = 20, LEAST_WIDTH = 620 };

struct map {
    const char *title;
    enum wf_pattern pattern; /* WF_PATTERNS: latency */
};

static const struct map maps[] = {{"Latency of a load, ns", WF_PATTERNS},
                                  {"Read, all workers of the node, GB/s", WF_READ},
                                  {"Triad, all workers of the node, GB/s", WF_TRIAD}};

static double value(const struct wf_membench *bench, const struct map *map, unsigned k, unsigned m) {
    const struct wf_cell *cell = &bench->cells[k * bench->memory_count + m];
    return map->pattern == WF_PATTERNS ? cell->latency : cell->all[map->pattern];
}

/* 0 for the best value of the map, SHADES - 1 for what is thrice as bad. */
static unsigned shade(const struct wf_membench *bench, const struct map *map, double at) {
    double best = at;
    for (unsigned k = 0; k < bench->node_count; k++)
        for (unsigned m = 0; m < bench->memory_count; m++) {
            double other = value(bench, map, k, m);
            if (map->pattern == WF_PATTERNS ? other < best : other > best)
                best = other;
        }
    double worse = map->pattern == WF_PATTERNS ? at / best : best / at;
    unsigned step = worse > 1 ? (unsigned)((worse - 1) / 2 * (SHADES - 1) + 0.5) : 0;
    return step < SHADES ? step : SHADES - 1;
}

static void draw_map(struct wf_svg *svg, const struct wf_membench *bench, const struct map *map, int y) {
    char heat[8];
    wf_svg_words(svg, "heading", 20, y + 18, "%s", map->title);
    wf_svg_words(svg, "row", 20, y + HEADING - 10, "CPUs / memory");
    for (unsigned m = 0; m < bench->memory_count; m++)
        wf_svg_words(svg, "axis", LEFT + 20 + (int)m * CELL_WIDTH + CELL_WIDTH / 2, y + HEADING - 10, "%s%d",
                     bench->memory[m].only ? "mem " : "", bench->memory[m].os_index);
    for (unsigned k = 0; k < bench->node_count; k++) {
        int top = y + HEADING + (int)k * CELL_HEIGHT;
        wf_svg_words(svg, "row", 20, top + 19, "node %d", bench->nodes[k]);
        for (unsigned m = 0; m < bench->memory_count; m++) {
            int left = LEFT + 20 + (int)m * CELL_WIDTH;
            double at = value(bench, map, k, m);
            snprintf(heat, sizeof heat, "heat%u", shade(bench, map, at));
            wf_svg_box(svg, heat, (struct wf_box){left + 1, top + 1, CELL_WIDTH - 2, CELL_HEIGHT - 2});
            wf_svg_words(svg, "value", left + CELL_WIDTH / 2, top + 19, at < 100 ? "%.1f" : "%.0f", at);
        }
    }
}

int wf_membench_write_svg(const char *path, const struct wf_membench *bench) {
    struct wf_svg svg;
    char note[200];
    unsigned notes = 0;
    while (wf_membench_note(bench, notes, note, sizeof note))
        notes++;
    int count = (int)(sizeof maps / sizeof *maps), map_height = HEADING + (int)bench->node_count * CELL_HEIGHT + GAP;
    int width = LEFT + 40 + (int)bench->memory_count * CELL_WIDTH, height = TOP + count * map_height + (int)(notes + 1) * NOTE;
    width = width > LEAST_WIDTH ? width : LEAST_WIDTH;
    wf_svg_begin(&svg, width, height, "weft membench", style);
    wf_svg_box(&svg, "page", (struct wf_box){0, 0, width, height});
    wf_svg_words(&svg, "title", 20, 32, "Memory of %u nodes, from the CPUs of %u", bench->memory_count, bench->node_count);
    wf_svg_words(&svg, "small", 20, 54, "Buffers of %zu MiB, medians of %u repeats. Shades: from the best to three times worse",
                 bench->bytes >> 20, bench->repeats);
    for (int i = 0; i < count; i++)
        draw_map(&svg, bench, &maps[i], TOP + i * map_height);
    for (unsigned i = 0; i < notes; i++)
        wf_svg_words(&svg, "small", 20, TOP + count * map_height + (int)(i + 1) * NOTE - 8, "%s",
                     wf_membench_note(bench, i, note, sizeof note));
    return wf_svg_end(&svg, path);
}
