#include "nqueens/workload.h"

#include <stddef.h>

/* 856,189 boards; what is printed is milliseconds. */
static const struct fork_join_case cases[] = {{"nqueens(12)", 12, 14200, 1e6}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases};
