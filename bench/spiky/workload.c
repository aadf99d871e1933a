#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"16,384 items", 16384, 700, 0, 1e6}, {0}};
