/* membench's figures as tables: a row per CPU node, a column per memory node. */
#include "cli/membench.h"

static void print_header(FILE *to, const struct wf_membench *bench, const char *title) {
    fprintf(to, "\n%s\n%-16s", title, "  CPUs of \\ memory");
    for (unsigned m = 0; m < bench->memory_count; m++)
        fprintf(to, "  %s%4d", bench->memory[m].only ? "mem" : "   ", bench->memory[m].os_index);
    fputc('\n', to);
}

static void print_matrix(FILE *to, const struct wf_membench *bench, const char *title, bool one, enum wf_pattern pattern) {
    print_header(to, bench, title);
    for (unsigned k = 0; k < bench->node_count; k++) {
        fprintf(to, "  node %-4d       ", bench->nodes[k]);
        for (unsigned m = 0; m < bench->memory_count; m++) {
            const struct wf_cell *cell = &bench->cells[k * bench->memory_count + m];
            fprintf(to, "  %7.1f", pattern == WF_PATTERNS ? cell->latency : one ? cell->one[pattern] : cell->all[pattern]);
        }
        fputc('\n', to);
    }
}

static void print_memory(FILE *to, const struct wf_membench *bench) {
    static const char *const kinds[] = {"default", "base pages", "THP", "reserved pages", "2 MiB pages", "1 GiB pages"};
    for (unsigned m = 0; m < bench->memory_count; m++) {
        const weft_placement *placement = &bench->memory[m].placement;
        fprintf(to, "  memory of node %d: %zu of %zu pages asked lie there, %s, %zu MiB in huge pages\n",
                bench->memory[m].os_index, placement->pages_expected, placement->pages_asked, kinds[placement->granted],
                placement->huge_bytes >> 20);
    }
}

static void print_modes(FILE *to, const struct wf_membench *bench) {
    fprintf(to, "\nAll workers at once, GB/s: on their own node's memory, the next node's, pages in turn\n%-16s", "");
    for (unsigned p = 0; p < WF_PATTERNS; p++)
        fprintf(to, "  %7s", wf_pattern_names[p]);
    fputc('\n', to);
    for (unsigned mode = 0; mode < WF_MODES; mode++) {
        if (bench->modes[mode][0] <= 0)
            continue;
        fprintf(to, "  %-14s", wf_mode_names[mode]);
        for (unsigned p = 0; p < WF_PATTERNS; p++)
            fprintf(to, "  %7.1f", bench->modes[mode][p]);
        fputc('\n', to);
    }
}

int wf_membench_print_text(FILE *to, const struct wf_membench *bench) {
    char title[120], note[200];
    fprintf(to, "Buffers of %zu MiB, medians of %u repeats; GB is 10^9 bytes, counted as STREAM does\n", bench->bytes >> 20,
            bench->repeats);
    print_memory(to, bench);
    print_matrix(to, bench, "Latency of a load, ns (the quickest eighth of a random chase)", false, WF_PATTERNS);
    for (unsigned p = 0; p < WF_PATTERNS; p++) {
        snprintf(title, sizeof title, "%s, all workers of the node, GB/s", wf_pattern_names[p]);
        print_matrix(to, bench, title, false, (enum wf_pattern)p);
    }
    print_matrix(to, bench, "read, one worker, GB/s", true, WF_READ);
    print_matrix(to, bench, "triad, one worker, GB/s", true, WF_TRIAD);
    print_modes(to, bench);
    for (unsigned i = 0; wf_membench_note(bench, i, note, sizeof note); i++)
        fprintf(to, "%snote: %s\n", i ? "" : "\n", wf_membench_note(bench, i, note, sizeof note));
    return ferror(to) ? -1 : 0;
}
