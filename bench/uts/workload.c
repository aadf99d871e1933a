#include "uts/workload.h"

#include <stddef.h>

static const struct fork_join_case cases[] = {{"978,052 nodes", 10, 978052, 1e6}, {0}};
const struct fork_join_workload fork_join_workload = {.cases = cases};
