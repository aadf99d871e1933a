/* fib(30): 1,346,268 children that do next to nothing. */
#include "fib/workload.h"

#include <stddef.h>

static const struct fork_join_case cases[] = {{"fib(30)", 30, 832040, 1346268}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases};
const int fib_times = 1;
