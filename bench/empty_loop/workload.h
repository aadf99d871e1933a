/* One item per worker that does nothing: what a parallel region costs. */
#ifndef BENCH_EMPTY_LOOP_WORKLOAD_H
#define BENCH_EMPTY_LOOP_WORKLOAD_H

#define LOOP_WITHOUT_VALUES

#endif
