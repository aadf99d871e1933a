/* Starting and stopping a runtime, with one loop between: two items that do nothing. */
#ifndef BENCH_CREATE_WORKLOAD_H
#define BENCH_CREATE_WORKLOAD_H

#define LOOP_WITHOUT_VALUES

#endif
