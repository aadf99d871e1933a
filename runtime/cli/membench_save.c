/* membench's latencies as a file of distances, for plans. */
#include <stdlib.h>

#include "base/status.h"
#include "cli/membench.h"
#include "machine/measured.h"

static unsigned position_of(const int *nodes, unsigned count, int node) {
    unsigned at = 0;
    while (at < count && nodes[at] != node)
        at++;
    return at;
}

/* Those with CPUs, then those with memory, each once; what the system does not name (below 0) stays away. */
static unsigned list_nodes(const struct wf_membench *bench, int *nodes) {
    unsigned count = 0;
    for (unsigned i = 0; i < bench->node_count + bench->memory_count; i++) {
        int node = i < bench->node_count ? bench->nodes[i] : bench->memory[i - bench->node_count].os_index;
        if (node >= 0 && position_of(nodes, count, node) == count)
            nodes[count++] = node;
    }
    return count;
}

/* Whole ns; 0 would say that it was not measured. */
static uint64_t whole(double latency) {
    return latency < 1 ? 1 : latency > WF_MEASURED_NS_MOST ? WF_MEASURED_NS_MOST : (uint64_t)(latency + 0.5);
}

static void fill(struct wf_measured *measured, const struct wf_membench *bench, const int *nodes) {
    for (unsigned i = 0; i < measured->count; i++)
        measured->nodes[i] = (unsigned)nodes[i];
    for (unsigned k = 0; k < bench->node_count; k++)
        for (unsigned m = 0; m < bench->memory_count; m++) {
            unsigned from = position_of(nodes, measured->count, bench->nodes[k]);
            unsigned to = position_of(nodes, measured->count, bench->memory[m].os_index);
            if (from < measured->count && to < measured->count)
                measured->latencies[(size_t)from * measured->count + to] =
                    whole(bench->cells[(size_t)k * bench->memory_count + m].latency);
        }
}

weft_status wf_membench_save(const struct wf_membench *bench, const char *path) {
    int *nodes = calloc((size_t)bench->node_count + bench->memory_count, sizeof *nodes);
    unsigned count = nodes ? list_nodes(bench, nodes) : 0;
    struct wf_measured *measured = count ? wf_measured_new(count) : NULL;
    weft_status status = WEFT_ENOMEM;
    if (measured) {
        fill(measured, bench, nodes);
        status = wf_measured_save(measured, path);
    } else if (nodes && !count) {
        status = wf_fail(WEFT_EINVAL, "the system names no node here: there are no distances to save");
    } else if (!nodes) {
        wf_fail(WEFT_ENOMEM, "no memory to save the latencies");
    }
    wf_measured_release(measured);
    free(nodes);
    return status;
}
