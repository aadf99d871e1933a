/* Skynet: a tree of ten children each, six levels deep; its million leaves hold the numbers from 0, and their sum is the result. */
#include "harness/fork_join.h"

#include <stddef.h>

static const struct fork_join_case cases[] = {{"1,000,000 leaves", 1000000, 499999500000, 1e6}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases};
