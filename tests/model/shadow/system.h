/*
 * Included first into every file of the runtime that the explorer runs: locks, memory and naps become the explorer's, so that
 * they are scheduling points and freed memory is watched.
 */
#ifndef WEFT_TESTS_MODEL_SHADOW_SYSTEM_H
#define WEFT_TESTS_MODEL_SHADOW_SYSTEM_H

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

#include "explorer.h"

#define malloc(bytes) explore_calloc(1, bytes)
#define calloc(count, bytes) explore_calloc(count, bytes)
#define aligned_alloc(align, bytes) explore_calloc(1, bytes)
#define free(start) explore_free(start)
#define pthread_mutex_lock(mutex) explore_mutex_lock(mutex)
#define pthread_mutex_unlock(mutex) explore_mutex_unlock(mutex)
#define pthread_mutex_init(mutex, attributes) explore_mutex_init(mutex, attributes)
#define pthread_mutex_destroy(mutex) explore_mutex_destroy(mutex)
#define pthread_join(thread, result) explore_join((unsigned)(thread))
#define sched_getcpu() ((int)(explore_self() % 2))
#define nanosleep(time, left) ((void)(time), explore_yield())

#endif
