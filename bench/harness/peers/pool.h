/* The pool of a program that measures the plain pool. */
#ifndef BENCH_HARNESS_PEERS_POOL_H
#define BENCH_HARNESS_PEERS_POOL_H

#include "harness/thread_pool.h"

extern struct thread_pool *peer_thread_pool;

#endif
