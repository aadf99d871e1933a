/* The pool of a program that measures pthreadpool. */
#ifndef BENCH_HARNESS_PEERS_PTHREADPOOL_H
#define BENCH_HARNESS_PEERS_PTHREADPOOL_H

#include <pthreadpool.h>

extern pthreadpool_t peer_pthreadpool;

#endif
