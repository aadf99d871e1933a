/* membench's figures as JSON. Rows of matrices: CPU nodes; columns: memory nodes. */
#include <errno.h>
#include <jansson.h>

#include "cli/membench.h"

static json_t *rates_json(const double rates[WF_PATTERNS]) {
    json_t *object = json_object();
    for (unsigned p = 0; p < WF_PATTERNS; p++)
        json_object_set_new(object, wf_pattern_names[p], json_real(rates[p]));
    return object;
}

static json_t *cell_json(const struct wf_membench *bench, unsigned k, unsigned m) {
    const struct wf_cell *cell = &bench->cells[k * bench->memory_count + m];
    return json_pack("{s:i, s:i, s:f, s:f, s:o, s:o, s:f}", "cpu_node", bench->nodes[k], "memory_node", bench->memory[m].os_index,
                     "latency_ns", cell->latency, "latency_median_ns", cell->latency_median, "all_workers_gb_per_s",
                     rates_json(cell->all), "one_worker_gb_per_s", rates_json(cell->one), "read_spread", cell->spread);
}

static json_t *memory_json(const struct wf_memory *memory) {
    const weft_placement *placement = &memory->placement;
    return json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:s}", "node", memory->os_index, "memory_only", memory->only, "pages_asked",
                     (json_int_t)placement->pages_asked, "pages_on_node", (json_int_t)placement->pages_expected, "page_bytes",
                     (json_int_t)placement->granted_bytes, "huge_bytes", (json_int_t)placement->huge_bytes, "reason",
                     placement->reason);
}

static json_t *bench_json(const struct wf_membench *bench) {
    json_t *nodes = json_array(), *memory = json_array(), *cells = json_array(), *modes = json_object(), *notes = json_array();
    char note[200];
    for (unsigned k = 0; k < bench->node_count; k++)
        json_array_append_new(nodes, json_pack("{s:i, s:i}", "node", bench->nodes[k], "workers", (int)bench->workers[k]));
    for (unsigned m = 0; m < bench->memory_count; m++)
        json_array_append_new(memory, memory_json(&bench->memory[m]));
    for (unsigned k = 0; k < bench->node_count; k++)
        for (unsigned m = 0; m < bench->memory_count; m++)
            json_array_append_new(cells, cell_json(bench, k, m));
    for (unsigned mode = 0; mode < WF_MODES; mode++)
        if (bench->modes[mode][0] > 0)
            json_object_set_new(modes, wf_mode_names[mode], rates_json(bench->modes[mode]));
    for (unsigned i = 0; wf_membench_note(bench, i, note, sizeof note); i++)
        json_array_append_new(notes, json_string(wf_membench_note(bench, i, note, sizeof note)));
    return json_pack("{s:I, s:I, s:i, s:o, s:o, s:o, s:o, s:o}", "buffer_bytes", (json_int_t)bench->bytes, "cache_bytes",
                     (json_int_t)bench->cache_bytes, "repeats", (int)bench->repeats, "cpu_nodes", nodes, "memory", memory,
                     "cells", cells, "all_nodes_gb_per_s", modes, "notes", notes);
}

int wf_membench_print_json(FILE *to, const struct wf_membench *bench) {
    json_t *root = bench_json(bench);
    if (!root) {
        errno = ENOMEM;
        return -1;
    }
    int failed = json_dumpf(root, to, JSON_INDENT(1) | JSON_REAL_PRECISION(6)) || fputc('\n', to) == EOF;
    json_decref(root);
    return failed ? -1 : 0;
}
