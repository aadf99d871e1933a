/*
 * Prefix sums, inclusive, of 64 Mi doubles, which are whole numbers so that every order of additions gives the same.
 */
#ifndef BENCH_SCAN_WORKLOAD_H
#define BENCH_SCAN_WORKLOAD_H

#include "harness/fork_join.h"

#ifdef __cplusplus
extern "C" {
#endif

extern double *scan_in, *scan_out;

#ifdef __cplusplus
}
#endif
#endif
