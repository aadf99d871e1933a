/*
 * What the programs in the emulated machines share: what the kernel says about nodes, CPUs, threads and pages, read from /sys
 * and by system calls and never from weft or hwloc. Exit 0 passed, 1 failed, 77 skipped.
 */
#ifndef WEFT_TESTS_NUMA_H
#define WEFT_TESTS_NUMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "weft.h"

#define MAX_NODES 16
#define MAX_CPUS 64
#define NO_NODE (-1)

#define FAIL(...)                                                                                                                \
    do {                                                                                                                         \
        printf("%s:%d: failed: ", __FILE__, __LINE__);                                                                           \
        printf(__VA_ARGS__);                                                                                                     \
        printf("\n");                                                                                                            \
        exit(1);                                                                                                                 \
    } while (0)

#define CHECK(condition)                                                                                                         \
    do {                                                                                                                         \
        if (!(condition))                                                                                                        \
            FAIL("%s", #condition);                                                                                              \
    } while (0)

/* A call into weft that must succeed. */
#define OK(call)                                                                                                                 \
    do {                                                                                                                         \
        if ((call) != WEFT_OK)                                                                                                   \
            FAIL("%s: %s", #call, weft_error_detail());                                                                          \
    } while (0)

/* The machine, as /sys tells it. */
struct machine {
    unsigned nodes, cpus;          /* online; both count from 0 without gaps in these machines */
    int cpu_node[MAX_CPUS];        /* NO_NODE: not online */
    unsigned cpu_core[MAX_CPUS];   /* lowest CPU of the same core */
    unsigned node_cpus[MAX_NODES]; /* CPUs of each node */
    size_t node_free[MAX_NODES];   /* bytes, when it was read */
    unsigned distance[MAX_NODES][MAX_NODES];
};

struct machine machine_read(void);

/* Number of cores with a CPU online. */
unsigned machine_cores(const struct machine *machine);

/* Pages by node, as move_pages(2) tells it. */
struct pages {
    size_t count, present, on[MAX_NODES];
};

/* Ask for the pages of [start, start + bytes); node_of: NULL, or room for the node of each page (NO_NODE: not present). */
struct pages pages_ask(const void *start, size_t bytes, int *node_of);

/* The same of another process (0: this one). */
struct pages pages_ask_of(pid_t process, const void *start, size_t bytes, int *node_of);

/* Put page i of the memory on nodes[i], for each that is present, without weft. Again, since what the kernel answers is not the whole truth. */
void pages_put(void *start, size_t count, const int *nodes);

/* Run on the CPUs of one node only; NO_NODE: on all. */
void run_on_node(const struct machine *machine, int node);

/* Pages of [start, start + bytes). */
size_t pages_in(size_t bytes);

/*
 * Work of equal length for every worker: it sleeps. Emulated CPUs share the few real ones, so whoever computes waits for the
 * others' turns, and equal work would not take equal time.
 */
void work_us(unsigned us);

double percent(size_t part, size_t whole);

/* The pool that every test starts with: one worker per core. */
weft_pool *start_pool(void);

/* One with a worker per node: a call that moves pages takes such a machine long, and every worker makes some. */
weft_pool *start_small_pool(const struct machine *machine);

/* OS index of a node of the plan. */
int os_node(const weft_pool *pool, unsigned node);

#endif
