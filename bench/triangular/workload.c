#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"8,192 items", 8192, 0, 0, 1e6}, {0}};
