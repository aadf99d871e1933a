/*
 * `weft membench`: how long a load takes and how many bytes a second flow, from the CPUs of each node to the memory of each.
 * Threading: one thread measures; the pools' workers do what is timed.
 */
#ifndef WF_CLI_MEMBENCH_H
#define WF_CLI_MEMBENCH_H

#include <stdio.h>

#include "weft.h"

enum wf_pattern { WF_READ, WF_WRITE, WF_COPY, WF_TRIAD, WF_PATTERNS };
enum wf_mode { WF_LOCAL, WF_REMOTE, WF_INTERLEAVED, WF_MODES };

extern const char *const wf_pattern_names[WF_PATTERNS], *const wf_mode_names[WF_MODES];

#define WF_MEMBENCH_REPEATS 1000u /* at most */

struct wf_membench_options {
    size_t
        bytes; /* of each buffer; 0: four times the last-level cache, at most 1 GiB, an eighth of what is free per node, and of the smallest node */
    unsigned repeats;
    const char *nodes; /* as weft_plan_options.nodes */
    weft_pages pages;
};

/* From the CPUs of one node to the memory of one. */
struct wf_cell {
    double latency, latency_median;            /* ns per load: of the quickest part of the chase, of the median one */
    double one[WF_PATTERNS], all[WF_PATTERNS]; /* GB/s, medians: of one worker, of all workers of the node */
    double spread;                             /* of `all`'s reads: (most - least) / median */
};

/* One node's memory. */
struct wf_memory {
    int os_index;
    bool only;                /* no workers */
    weft_placement placement; /* of the first buffer */
};

struct wf_membench {
    size_t bytes;
    size_t cache_bytes;  /* last-level cache, 0: unknown */
    size_t least_memory; /* of the smallest node */
    unsigned repeats, node_count, memory_count;
    int *nodes;        /* OS indexes of the CPU nodes */
    unsigned *workers; /* of each */
    struct wf_memory *memory;
    struct wf_cell *cells;               /* node_count x memory_count */
    double modes[WF_MODES][WF_PATTERNS]; /* GB/s, medians: all workers of all nodes at once; 0: not measured */
    bool this_system;
};

/* Measure. A failure has its text in weft_error_detail(). */
weft_status wf_membench_run(struct wf_membench *bench, const weft_plan *plan, const struct wf_membench_options *options);
void wf_membench_release(struct wf_membench *bench);

/* Sentences that qualify the figures, one at a time: NULL behind the last. */
const char *wf_membench_note(const struct wf_membench *bench, unsigned index, char *text, size_t room);

/* The latencies as a file of distances for weft_plan_options.distances. As wf_measured_save(). */
weft_status wf_membench_save(const struct wf_membench *bench, const char *path);

/* 0, or -1 with errno set. */
int wf_membench_print_text(FILE *to, const struct wf_membench *bench);
int wf_membench_print_json(FILE *to, const struct wf_membench *bench);
int wf_membench_write_svg(const char *path, const struct wf_membench *bench);

#endif
