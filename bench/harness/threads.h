/* The program's threads as the kernel sees them: which CPUs they run on, and how far apart these are. */
#ifndef BENCH_HARNESS_THREADS_H
#define BENCH_HARNESS_THREADS_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What the main thread does beside the runtime's own threads. */
enum threads_caller {
    THREADS_CALLER_WAITS, /* asleep: the first CPU is the first worker's as well */
    THREADS_CALLER_WORKS, /* it is a worker: the CPU that it is on is its own, the next thread gets the next */
    THREADS_CALLER_APART, /* it feeds the workers: it gets the second CPU, the first worker the first */
};

/*
 * Bind threads that are made from now on, one to each CPU that the process may use, in the order of their making, round and round. For
 * runtimes that do not bind theirs: a thread that is made or woken on the CPU of one that spins waits for a tick of the scheduler.
 *
 * Threads: the main thread, before the runtime starts.
 */
void threads_bind_new(enum threads_caller caller);

/* Bind the main thread, and with `others` those that the runtime has unbound. Threads: the main thread, once the runtime has started. */
void threads_bind_started(enum threads_caller caller, bool others);

/* Bind the calling thread to the CPU at that place of those that the process may use, counted round and round. Threads: any. */
void threads_bind_here(unsigned place);

/* Let the calling thread run on all CPUs that the process may use. Threads: any. */
void threads_unbind_here(void);

/* Median time that a cache line takes from one CPU to the other and back, by two threads bound to the first two CPUs; 0: there is one. */
double threads_round_trip_ns(unsigned trips);

#ifdef __cplusplus
}
#endif
#endif
