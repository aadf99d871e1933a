/*
 * A peer: a runtime with its ways to run the workload. Each program of this folder describes one and hands over to peer_main(),
 * which measures every way and prints what it found as lines of JSON.
 */
#ifndef BENCH_PLACEMENT_PEER_H
#define BENCH_PLACEMENT_PEER_H

#include "placement/workload.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One line of the table. NULL stands for what most programs do. All return false, or end the program, where the runtime fails. */
struct peer_way {
    const char *schedule;                          /* name of the loop's schedule */
    const char *first_touch;                       /* who writes the memory first */
    bool (*allocate)(struct workload *workload);   /* NULL: workload_map() */
    void (*release)(struct workload *workload);    /* NULL: workload_unmap() */
    bool (*initialise)(struct workload *workload); /* NULL: by the main thread */
    bool (*loop)(struct workload *workload);
};

struct peer {
    const char *version;
    unsigned threads;
    const struct peer_way *ways;
    size_t way_count;
};

/* PROGRAM ROWS LOOPS: measure each way with each body and cost. Returns the exit code: 0, or 1 after a line on stderr. */
int peer_main(int argc, char **argv, const struct peer *peer);

#ifdef __cplusplus
}
#endif
#endif
