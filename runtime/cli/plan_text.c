/* The plan as text: a summary, a table of nodes, the order of victims, distances. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/plan_output.h"

/* A wider matrix does not fit a terminal. */
#define MAX_MATRIX_NODES 24

static int width_of(const char *text, int width) {
    int length = (int)strlen(text);
    return length > width ? length : width;
}

static void print_owned(FILE *to, const char *before, char *text, const char *after) {
    fprintf(to, "%s%s%s", before, text ? text : "?", after);
    free(text);
}

static void print_summary(FILE *to, const weft_plan *plan) {
    static const char *const sources[] = {"none needed, there is one node", "the firmware's latency matrix",
                                          "the tree (processing units under the smallest object that covers both nodes)",
                                          "measured latencies in ns, as --distances or WEFT_DISTANCES names them"};
    const weft_plan_limits *limits = weft_plan_get_limits(plan);
    unsigned workers, nodes;
    weft_plan_workers(plan, &workers);
    weft_plan_nodes(plan, &nodes);
    fprintf(to, "%u worker%s on %u node%s: %s\n\n", workers, workers == 1 ? "" : "s", nodes, nodes == 1 ? "" : "s",
            limits->reason);
    fprintf(to, "machine    %s\n", limits->this_system ? "this one" : "another one; workers of this plan run unbound here");
    fprintf(to, "allowed    %u core%s, %u processing unit%s%s\n", limits->allowed_cores, limits->allowed_cores == 1 ? "" : "s",
            limits->allowed_pus, limits->allowed_pus == 1 ? "" : "s",
            limits->affinity_restricted ? " (narrowed by the affinity mask)" : "");
    if (limits->quota_cpus > 0)
        fprintf(to, "quota      %.4g CPUs, from %s\n", limits->quota_cpus, limits->quota_source);
    else
        fprintf(to, "quota      none\n");
    fprintf(to, "distances  %s\n", sources[weft_plan_distance_source(plan)]);
}

/* Worker ids by cache, "0-3 | 4-7". */
static void print_caches(FILE *to, const weft_plan *plan, const weft_plan_node *node) {
    unsigned end_of_node = node->first_worker + node->worker_count;
    if (weft_plan_workers(plan, NULL)[node->first_worker].cache < 0) {
        fputs("unknown", to);
        return;
    }
    for (unsigned first = node->first_worker, end; first < end_of_node; first = end) {
        end = wf_plan_cache_end(plan, first);
        fprintf(to, first == node->first_worker ? "" : " | ");
        fprintf(to, end - first == 1 ? "%u" : "%u-%u", first, end - 1);
    }
}

struct columns {
    int node, workers, pus, memory;
};

static char *worker_range(const weft_plan_node *node) {
    char *text = NULL;
    unsigned last = node->first_worker + node->worker_count - 1;
    int length = node->worker_count == 1 ? asprintf(&text, "%u", last) : asprintf(&text, "%u-%u", node->first_worker, last);
    return length < 0 ? NULL : text;
}

static struct columns measure(const weft_plan *plan, const weft_plan_node *nodes, unsigned count) {
    struct columns columns = {4, 7, 3, 6};
    for (unsigned i = 0; i < count; i++) {
        char *pus = wf_text_pus(plan, nodes[i].first_worker, nodes[i].worker_count), *workers = worker_range(&nodes[i]);
        columns.node = width_of(wf_text_node(nodes[i].os_index), columns.node);
        columns.workers = width_of(workers ? workers : "", columns.workers);
        columns.pus = width_of(pus ? pus : "", columns.pus);
        columns.memory = width_of(wf_text_bytes(nodes[i].local_memory, "none"), columns.memory);
        free(pus);
        free(workers);
    }
    return columns;
}

static void print_nodes(FILE *to, const weft_plan *plan) {
    unsigned count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    struct columns at = measure(plan, nodes, count);
    fprintf(to, "\n%-*s  %-*s  %-*s  %*s  %-8s  workers by last-level cache\n", at.node, "node", at.workers, "workers", at.pus,
            "PUs", at.memory, "memory", "alloc on");
    for (unsigned i = 0; i < count; i++) {
        char *pus = wf_text_pus(plan, nodes[i].first_worker, nodes[i].worker_count), *workers = worker_range(&nodes[i]);
        const char *memory_node = nodes[i].memory_node < 0 ? "anywhere" : wf_text_node(nodes[i].memory_node);
        fprintf(to, "%-*s  %-*s  %-*s  %*s  %-8s  ", at.node, wf_text_node(nodes[i].os_index), at.workers,
                workers ? workers : "?", at.pus, pus ? pus : "?", at.memory,
                wf_text_bytes(nodes[i].local_memory, nodes[i].memory_node == nodes[i].os_index ? "?" : "none"), memory_node);
        print_caches(to, plan, &nodes[i]);
        fputc('\n', to);
        free(pus);
        free(workers);
    }
}

static void print_memory_nodes(FILE *to, const weft_plan *plan) {
    unsigned count;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    if (!count)
        return;
    fprintf(to, "\nmemory without workers (index: weft_array_options.node)\nindex  node  %10s  %-10s  tier    nearest to\n",
            "memory", "kind");
    for (unsigned i = 0; i < count; i++) {
        fprintf(to, "%-5u  %-4d  %10s  %-10s  %-6s  ", i, nodes[i].os_index, wf_text_bytes(nodes[i].local_memory, "?"),
                *nodes[i].subtype ? nodes[i].subtype : "-", weft_tier_name(nodes[i].tier));
        print_owned(to, "", wf_text_nodes(nodes[i].nearest, nodes[i].nearest_count), "\n");
    }
}

static void print_group(FILE *to, const weft_victim_group *group, bool first) {
    fputs(first ? "" : "; ", to);
    if (group->kind == WEFT_VICTIM_CACHE)
        fputs("same cache: ", to);
    else if (group->kind == WEFT_VICTIM_NODE)
        fputs("same node: ", to);
    else
        fprintf(to, "distance %" PRIu64 ": ", group->distance);
    print_owned(to, "", wf_text_list(group->workers, group->worker_count), "");
}

static void print_victims(FILE *to, const weft_plan *plan) {
    unsigned count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    fputs("\nwhom a worker steals from, nearest first (the first worker of each node stands for it)\n", to);
    for (unsigned i = 0; i < count; i++) {
        const weft_plan_worker *worker = &workers[nodes[i].first_worker];
        fprintf(to, "worker %-4u ", nodes[i].first_worker);
        for (unsigned g = 0; g < worker->group_count; g++)
            print_group(to, &worker->groups[g], g == 0);
        fputs(worker->group_count ? "\n" : "nobody: it is alone\n", to);
    }
}

static void print_distances(FILE *to, const weft_plan *plan) {
    unsigned count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    if (count < 2)
        return;
    if (count > MAX_MATRIX_NODES) {
        fprintf(to, "\n%u nodes: the table of distances is left out; --json has them\n", count);
        return;
    }
    fputs("\ndistances (row: thief, column: victim)\n", to);
    int width = 4;
    for (unsigned i = 0; i < count; i++)
        width = width_of(wf_text_node(nodes[i].os_index), width);
    fprintf(to, "%*s", width, "");
    for (unsigned i = 0; i < count; i++)
        fprintf(to, " %*s", width, wf_text_node(nodes[i].os_index));
    for (unsigned from = 0; from < count; from++) {
        fprintf(to, "\n%*s", width, wf_text_node(nodes[from].os_index));
        for (unsigned j = 0; j < count; j++)
            if (from == j)
                fprintf(to, " %*s", width, "-");
            else
                fprintf(to, " %*" PRIu64, width, wf_plan_distance(plan, from, j));
    }
    fputc('\n', to);
}

int wf_plan_print_text(FILE *to, const weft_plan *plan) {
    print_summary(to, plan);
    print_nodes(to, plan);
    print_memory_nodes(to, plan);
    print_victims(to, plan);
    print_distances(to, plan);
    return ferror(to) ? -1 : 0;
}
