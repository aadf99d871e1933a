/*
 * Latencies between nodes as they were measured: `weft membench --save` writes them into a file, and plans read it in place of the
 * firmware's distances. The file is text, of lines:
 *
 *     weft distances 1
 *     # Latency of a load in ns: a row for the CPUs of each node, a column for the memory of each. 0: not measured.
 *     nodes 0 1 2
 *     0 81 143 190
 *     1 143 82 240
 *     2 0 0 0
 *
 * The first line names the form and its version. "nodes" lists OS indexes, in any order; then comes a row for each of them, in that
 * order, that begins with its node. Numbers are whole, of decimal digits. Empty lines and those that begin with # may stand anywhere
 * below the first. What stands on the diagonal is for the reader: no plan asks how far a node is from itself.
 *
 * hwloc-free, for the command. Threading: filled by one thread, then immutable except for the reference count.
 */
#ifndef WF_MACHINE_MEASURED_H
#define WF_MACHINE_MEASURED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "weft/status.h"

#define WF_MEASURED_NODES_MOST 1024u    /* as Linux has at most */
#define WF_MEASURED_INDEX_MOST 65535u   /* OS index of a node, as in topologies */
#define WF_MEASURED_NS_MOST 1000000000u /* no load takes a second */

struct wf_measured {
    wf_atomic_u32 references; /* A: the last one to let go frees */
    unsigned count;
    unsigned line;   /* I: of the file where the nodes are listed */
    unsigned *nodes; /* I: OS indexes, each once */
    uint64_t *
        latencies; /* I: ns, of a load by the CPUs of nodes[from] from the memory of nodes[to], at [from * count + to]; 0: not measured */
    uint64_t *distances; /* I: what plans compare, see below; as wf_measured_load() made them */
};

/* One of `count` nodes, all zero, that the caller fills; NULL, with the detail text set: no memory. Release it. */
struct wf_measured *wf_measured_new(unsigned count);
struct wf_measured *wf_measured_retain(struct wf_measured *measured);
void wf_measured_release(struct wf_measured *measured); /* NULL is allowed */

/*
 * Read a file. Distances follow from the latencies so that noise decides nothing: from the shortest one upwards, those that
 * exceed it by at most a tenth are equal to it. A pair that was not measured is as far as the other way round, else farther than every
 * pair that was.
 * WEFT_EINVAL: no such file, one that cannot be read, or not of this form, with the line; WEFT_ENOMEM; WEFT_EPERM: no descriptor.
 */
weft_status wf_measured_load(struct wf_measured **measured, const char *path);

/*
 * Write a file, which is there whole or, after an error, as it was before. WEFT_EINVAL: the path is there and no regular file;
 * WEFT_EIO: the system refuses; WEFT_ENOMEM.
 */
weft_status wf_measured_save(const struct wf_measured *measured, const char *path);

/* Position of a node, -1 if it is not there. */
int wf_measured_position(const struct wf_measured *measured, int os_index);

#endif
