/* The machine's nodes and their CPUs, from /sys. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "cli/pages_process.h"

/* A short file below the folder of nodes; false: not there. */
static bool read_list(const char *root, const char *file, char *text, size_t room) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/sys/devices/system/node/%s", root, file) >= (int)sizeof path)
        return false;
    int from = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = from < 0 ? -1 : read(from, text, room - 1);
    if (from >= 0)
        close(from);
    text[got > 0 ? got : 0] = 0;
    return got >= 0;
}

static void mark_memory(struct wf_machine_nodes *nodes, const char *list) {
    unsigned first, last;
    while (wf_proc_range(&list, nodes->count, &first, &last))
        for (unsigned node = first; node <= last; node++)
            nodes->has_memory[node] = true;
}

static void add_cpus(struct wf_machine_nodes *nodes, unsigned node, const char *list) {
    unsigned first, last;
    while (wf_proc_range(&list, WF_PROC_CPUS, &first, &last))
        for (unsigned cpu = first; cpu <= last; cpu++) {
            nodes->of_cpu[cpu] = (int)node;
            nodes->has_cpus[node] = true;
            nodes->cpu_count = cpu + 1 > nodes->cpu_count ? cpu + 1 : nodes->cpu_count;
        }
}

static bool make_tables(struct wf_machine_nodes *nodes) {
    nodes->has_cpus = calloc(nodes->count, sizeof *nodes->has_cpus);
    nodes->has_memory = calloc(nodes->count, sizeof *nodes->has_memory);
    nodes->of_cpu = malloc(WF_PROC_CPUS * sizeof *nodes->of_cpu);
    for (unsigned cpu = 0; nodes->of_cpu && cpu < WF_PROC_CPUS; cpu++)
        nodes->of_cpu[cpu] = -1;
    return nodes->has_cpus && nodes->has_memory && nodes->of_cpu;
}

weft_status wf_machine_nodes_read(struct wf_machine_nodes *nodes, const char *root) {
    char text[1 << 14], file[48];
    *nodes = (struct wf_machine_nodes){0};
    unsigned first, last;
    const char *at = text;
    bool known = read_list(root, "online", text, sizeof text);
    while (known && wf_proc_range(&at, WF_PROC_NODES, &first, &last))
        nodes->count = last + 1;
    if (!nodes->count)
        return wf_fail(WEFT_ENOTSUP,
                       "%s/sys/devices/system/node/online is not there or names no node: this kernel was built without "
                       "NUMA (CONFIG_NUMA), or /sys is not mounted",
                       root);
    if (!make_tables(nodes)) {
        wf_machine_nodes_release(nodes);
        return wf_fail(WEFT_ENOMEM, "no memory for the tables of %u nodes", nodes->count);
    }
    if (read_list(root, "has_memory", text, sizeof text))
        mark_memory(nodes, text);
    for (unsigned node = 0; node < nodes->count; node++) {
        snprintf(file, sizeof file, "node%u/cpulist", node);
        if (read_list(root, file, text, sizeof text))
            add_cpus(nodes, node, text);
    }
    return WEFT_OK;
}

void wf_machine_nodes_release(struct wf_machine_nodes *nodes) {
    free(nodes->has_cpus);
    free(nodes->has_memory);
    free(nodes->of_cpu);
    *nodes = (struct wf_machine_nodes){0};
}
