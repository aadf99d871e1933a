/*
 * Workloads that fork and join. A folder says what is computed and what must come out (workload.c); each of its other files is one
 * peer's recursion. harness/fork_join.c, which holds main(), measures each way of the peer on each case, on one of the peer's workers.
 */
#ifndef BENCH_HARNESS_FORK_JOIN_H
#define BENCH_HARNESS_FORK_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct fork_join_case {
    const char *row;
    long size;         /* what the peer's code is called with */
    uint64_t expected; /* what it must return */
    double units;      /* of work in one call */
};

struct fork_join_workload {
    const struct fork_join_case *cases; /* ended by one without a row */
    bool (*begin)(void);                /* once, before all; NULL: nothing */
    void (*prepare)(long size);         /* before every run, not timed; NULL: nothing */
    bool (*check)(long size);           /* after every run, not timed; NULL: what it returns is all */
};
extern const struct fork_join_workload fork_join_workload;

struct fork_join_way {
    const char *way; /* "" where there is only one */
    uint64_t (*run)(long size);
};
extern const struct fork_join_way fork_join_ways[]; /* of the peer; ended by one without a name */

#ifdef __cplusplus
}
#endif
#endif
