#include "idle_thief/workload.h"

#include <stddef.h>

static const struct fork_join_case cases[] = {{"spawn, sync", 1000, 332834500, 1000}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases};
