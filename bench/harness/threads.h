/* The program's threads as the kernel sees them: which CPUs they run on, and how far apart these are. */
#ifndef BENCH_HARNESS_THREADS_H
#define BENCH_HARNESS_THREADS_H

#ifdef __cplusplus
extern "C" {
#endif

/* What the main thread does beside the runtime's own threads. */
enum threads_caller {
    THREADS_CALLER_WAITS, /* asleep: the first CPU is the first worker's as well */
    THREADS_CALLER_WORKS, /* it is a worker: the first CPU is its own, the next thread gets the second */
    THREADS_CALLER_APART, /* it feeds the workers: it gets the second CPU, the first worker the first */
};

/*
 * Bind the threads that nobody has bound, one to each CPU that the process may use, in the order of their making, round and round. A
 * runtime that binds its own threads keeps them where it wants them.
 *
 * Threads: the main thread, once the runtime has started its threads.
 */
void threads_bind(enum threads_caller caller);

/* Median time that a cache line takes from one CPU to the other and back, by two threads bound to the first two CPUs; 0: there is one. */
double threads_round_trip_ns(unsigned trips);

#ifdef __cplusplus
}
#endif
#endif
