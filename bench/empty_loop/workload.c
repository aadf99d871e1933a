#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"2 items", 2, 0, 0, 1}, {0}};
