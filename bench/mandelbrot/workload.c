#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"512 rows", 512, 512, 0, 1e6}, {0}};
