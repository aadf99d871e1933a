// The arena of a program that measures oneTBB.
#ifndef BENCH_HARNESS_PEERS_TBB_H
#define BENCH_HARNESS_PEERS_TBB_H

#include <oneapi/tbb.h>

tbb::task_arena &peer_arena();

#endif
