#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"64 items of 10 ns", 64, 10, 0, 1}, {0}};
