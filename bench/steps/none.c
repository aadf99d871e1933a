/* Of peers that have nothing for loops in a row. */
#include "steps/steps.h"

const struct loop_way step_ways[] = {{0}};
