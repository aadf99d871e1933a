/*
 * A thread pool as programs write it for themselves: a queue under a mutex, a condition variable that workers sleep on, another
 * that tells when everything has ended.
 */
#ifndef BENCH_HARNESS_THREAD_POOL_H
#define BENCH_HARNESS_THREAD_POOL_H

#include <stdbool.h>

struct thread_pool;

/* NULL: no memory, or no thread. */
struct thread_pool *thread_pool_create(unsigned threads);

/* False: no memory. Threads: any. */
bool thread_pool_submit(struct thread_pool *pool, void (*fn)(void *arg), void *arg);

/* Until all that was submitted has ended. Threads: any outside the pool. */
void thread_pool_wait(struct thread_pool *pool);

/* Ends everything that was submitted first. */
void thread_pool_destroy(struct thread_pool *pool);

#endif
