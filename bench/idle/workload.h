/* The loop after which the runtime has nothing to do: two items that do nothing. */
#ifndef BENCH_IDLE_WORKLOAD_H
#define BENCH_IDLE_WORKLOAD_H

#define LOOP_WITHOUT_VALUES

#endif
