#include "harness/loops/loop.h"

const struct loop_case loop_cases[] = {{"empty, after 5 ms", 2, 0, 5000, 1e3}, {"60 us, after 5 ms", 60, 1350, 5000, 1e3}, {0}};
