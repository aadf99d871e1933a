/*
 * The workload that every peer runs: y += x over rows of doubles. Which loop, by which threads, is the peer's part; memory, body
 * and the check of the result are the same for all.
 *
 * Two bodies: one computes; one sleeps. In an emulated machine CPUs take turns on fewer real ones, so equal computation takes
 * unequal time and a schedule that balances sees imbalance that no real machine has; equal sleep takes equal time there.
 * Two costs: every row the same; or growing with the row from nothing to double, so that equal parts are unequal work.
 */
#ifndef BENCH_PLACEMENT_WORKLOAD_H
#define BENCH_PLACEMENT_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WORKLOAD_ROW_BYTES 4096
#define WORKLOAD_ROW_ITEMS (WORKLOAD_ROW_BYTES / sizeof(double))
#define WORKLOAD_MAX_NODES 64
#define WORKLOAD_MAX_THREADS 4096

enum workload_body { WORKLOAD_COMPUTE, WORKLOAD_SLEEP };
enum workload_cost { WORKLOAD_EVEN, WORKLOAD_GROWING };

struct workload {
    size_t rows;
    enum workload_body body;
    enum workload_cost cost;
    double *x, *y;        /* rows * WORKLOAD_ROW_ITEMS each, from a page boundary; workload_map()'s or the peer's memory */
    int *ran, *thread;    /* of each row: node of the CPU it ran on, and which thread that was; written by that thread */
    int *x_node, *y_node; /* of each page, before the loop */
};

/* One loop: each row visits its part of x and of y. */
struct workload_share {
    size_t visits, local;          /* local: the page lay on the node of the CPU */
    size_t on[WORKLOAD_MAX_NODES]; /* visits to pages of each node */
    double busiest;                /* part of the work, by the rows' costs, that the thread with the most of it did */
};

/* Everything but x and y. False: no memory. */
bool workload_create(struct workload *workload, size_t rows);
void workload_destroy(struct workload *workload);

/* x and y as untouched memory, and their release. */
bool workload_map(struct workload *workload);
void workload_unmap(struct workload *workload);

/* Write the rows [first, last) of x and y for the first time. Threads: any, each row by one. */
void workload_initialise(struct workload *workload, size_t first, size_t last);

/* Run the rows [first, last). Threads: any, each row by one. */
void workload_run(struct workload *workload, size_t first, size_t last);

/* Before a loop: ask where the pages lie, and forget where rows ran. False: the kernel does not say. */
bool workload_begin(struct workload *workload);

/* After a loop. False: a row did not run, or there are too many threads. */
bool workload_end(const struct workload *workload, struct workload_share *share);

/* Whether y holds what `loops` loops give. */
bool workload_is_right(const struct workload *workload, unsigned loops);

#ifdef __cplusplus
}
#endif
#endif
