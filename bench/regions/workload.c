/* Small regions: fib(10) takes a tenth of a microsecond, fib(20) ten. Between two of them there is nothing to share. */
#include <stddef.h>

#include "fib/workload.h"

#define TIMES 50

static const struct fork_join_case cases[] = {
    {"fib(10)", 10, 55 * TIMES, TIMES},
    {"fib(12)", 12, 144 * TIMES, TIMES},
    {"fib(14)", 14, 377 * TIMES, TIMES},
    {"fib(16)", 16, 987 * TIMES, TIMES},
    {"fib(18)", 18, 2584 * TIMES, TIMES},
    {"fib(20)", 20, 6765 * TIMES, TIMES},
    {0},
};
const struct fork_join_workload fork_join_workload = {.cases = cases};
const int fib_times = TIMES;
