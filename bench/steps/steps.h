/* What the peers' files of this folder define: ways to run STEPS loops, each after the one before. */
#ifndef BENCH_STEPS_STEPS_H
#define BENCH_STEPS_STEPS_H

#include "harness/loops/loop.h"

#define STEPS 100

extern const struct loop_way step_ways[]; /* each runs all steps; ended by one without a name */

#endif
