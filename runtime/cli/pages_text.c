/* The pages of a process as text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/pages_output.h"
#include "cli/plan_output.h"

#define NODES_SHOWN 4 /* of one mapping */

static double percent(double share) {
    return 100 * share;
}

static void print_head(FILE *to, const struct wf_pages_report *report, const char *name) {
    const struct wf_running *running = report->running;
    const char *idle = running->seconds > 0 ? "It did next to nothing meanwhile" : "It was not watched";
    fprintf(to, "process %d (%s), %zu thread%s", report->pid, name, running->threads, running->threads == 1 ? "" : "s");
    if (running->seconds > 0)
        fprintf(to, ", watched for %.3g s: %.2f s of CPU time", running->seconds, running->cpu_seconds);
    fputc('\n', to);
    if (report->nodes->count == 1)
        fputs("This machine has one node: nothing can lie on a wrong one.\n", to);
    else if (running->by == WF_RUNNING_ALLOWED)
        fprintf(to, "%s; taken are the CPUs that its threads may use.\n", idle);
    else if (running->by == WF_RUNNING_ANYWHERE)
        fprintf(to, "%s, and it may run on every node: which is the wrong one is not known.\n", idle);
    fputc('\n', to);
}

static void print_total(FILE *to, const char *node, const char *share, const struct wf_node_total *total) {
    fprintf(to, "%-6s %10s %12s %12s %12s %12s\n", node, share, wf_text_bytes(total->memory, "0"),
            wf_text_bytes(total->cache, "0"), wf_text_bytes(total->huge, "0"), wf_text_bytes(total->away, "0"));
}

static void print_totals(FILE *to, const struct wf_pages_report *report) {
    const char *by = report->running->by == WF_RUNNING_ALLOWED ? "may run" : "CPU time";
    fprintf(to, "%-6s %10s %12s %12s %12s %12s\n", "node", by, "memory", "page cache", "huge pages", "away");
    for (unsigned node = 0; node < report->nodes->count; node++) {
        char name[16], share[16];
        snprintf(name, sizeof name, "%u", node);
        snprintf(share, sizeof share, "%.1f %%", percent(report->running->share[node]));
        if (!report->nodes->has_cpus[node])
            snprintf(share, sizeof share, "no CPUs");
        else if (report->running->by == WF_RUNNING_ANYWHERE)
            snprintf(share, sizeof share, "?");
        print_total(to, name, share, &report->judgement->nodes[node]);
    }
    print_total(to, "all", "", &report->judgement->all);
}

/* "1: 98 %, 0: 2 %": its nodes, fullest first. */
static void print_nodes(FILE *to, const struct wf_process_mapping *mapping, unsigned node_count) {
    bool shown[WF_PROC_NODES] = {false};
    for (unsigned i = 0; i < NODES_SHOWN; i++) {
        unsigned best = node_count;
        for (unsigned node = 0; node < node_count; node++)
            if (!shown[node] && mapping->on[node] && (best == node_count || mapping->on[node] > mapping->on[best]))
                best = node;
        if (best == node_count)
            return;
        shown[best] = true;
        fprintf(to, "%s%u: %.0f %%", i ? ", " : "", best, percent((double)mapping->on[best] / (double)mapping->bytes));
    }
    for (unsigned node = 0; node < node_count; node++)
        if (!shown[node] && mapping->on[node]) {
            fputs(", ...", to);
            return;
        }
}

/* False: no memory. */
static bool print_mapping(FILE *to, const struct wf_pages_report *report, const struct wf_process_mapping *mapping) {
    char *name = wf_text_clean(mapping->name), *policy = wf_text_clean(mapping->policy), *nodes = NULL;
    size_t length;
    FILE *cell = open_memstream(&nodes, &length);
    bool there = name && policy && cell;
    if (cell) {
        print_nodes(cell, mapping, report->nodes->count);
        there = !fclose(cell) && there;
    }
    if (there) {
        fprintf(to, "%10s %9s %5.0f %%  %-10s  %-22s %5.0f %%  %-12s  %" PRIx64, wf_text_bytes(mapping->bytes, "0"),
                wf_text_bytes(mapping->away_bytes, "0"), percent(mapping->away), wf_verdict_name(mapping->verdict), nodes,
                mapping->bytes ? percent((double)mapping->huge_bytes / (double)mapping->bytes) : 0, policy, mapping->start);
        if (mapping->end)
            fprintf(to, "-%" PRIx64, mapping->end);
        fprintf(to, " %s%s%s%s\n", wf_kind_name(mapping), *name ? " " : "", name, mapping->locked_bytes ? ", locked" : "");
    }
    free(name);
    free(policy);
    free(nodes);
    return there;
}

static bool print_mappings(FILE *to, const struct wf_pages_report *report) {
    const struct wf_process_mappings *mappings = report->mappings;
    bool heading = false;
    for (size_t i = 0; i < mappings->count; i++) {
        const struct wf_process_mapping *mapping = &mappings->list[i];
        if (mapping->verdict == WF_VERDICT_FINE && !(report->all && mapping->bytes))
            continue;
        if (!heading)
            fprintf(to, "\n%10s %9s %7s  %-10s  %-22s %7s  %-12s  %s\n", "pages", "away", "", "verdict", "on node", "huge",
                    "policy", "mapping");
        heading = true;
        if (!print_mapping(to, report, mapping))
            return false;
    }
    return true;
}

static void print_verdict(FILE *to, const struct wf_pages_report *report) {
    const struct wf_judgement *judgement = report->judgement;
    size_t wrong = judgement->count[WF_VERDICT_AWAY] + judgement->count[WF_VERDICT_UNEVEN];
    if (wrong)
        fprintf(
            to,
            "\n%zu mapping%s on the wrong node: %s away from the CPUs that run the process, of %s of memory; %s can be moved.\n",
            wrong, wrong == 1 ? " is" : "s are", wf_text_bytes(judgement->all.away, "0 B"),
            wf_text_bytes(judgement->all.memory, "0 B"), wf_text_bytes(judgement->movable, "0 B"));
    else if (judgement->running_nodes && report->nodes->count > 1)
        fputs("\nNo mapping is on the wrong node.\n", to);
    if (report->mappings->strange)
        fprintf(to, "%zu lines of numa_maps were not understood and are not counted.\n", report->mappings->strange);
    if (!report->mappings->sizes)
        fputs("smaps cannot be read: transparent huge pages and locked memory are not known.\n", to);
}

int wf_pages_print_text(FILE *to, const struct wf_pages_report *report) {
    char *name = wf_text_clean(report->name), *help = wf_pages_help(report);
    bool there = name && help;
    if (there) {
        print_head(to, report, name);
        print_totals(to, report);
        there = print_mappings(to, report);
        print_verdict(to, report);
        if (*help)
            fprintf(to, "\nWhat would help:\n");
        for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
            fprintf(to, "  %.*s\n", (int)strcspn(line, "\n"), line);
    }
    free(name);
    free(help);
    if (there)
        return ferror(to) ? -1 : 0;
    errno = ENOMEM;
    return -1;
}
