/*
 * A pool in a bottle: the runtime's own scheduler, compiled for the explorer, with a pool and its workers made by hand in static
 * memory before each schedule. Logical threads 0 ... are the workers; the others are threads outside the pool.
 */
#ifndef WEFT_TESTS_MODEL_WORLD_H
#define WEFT_TESTS_MODEL_WORLD_H

#include "explorer.h"
#include "scheduler/group.h"
#include "scheduler/join.h"
#include "scheduler/pool.h"

#define WORLD_WORKERS 3u
#define WORLD_NODES 2u

extern weft_pool world_pool;

/* Make the plan; once, before explore_main(). */
void world_begin(void);

/* A new pool of `workers` idle workers on one node; before each schedule. */
void world_set_up(unsigned workers);

/* The same, two workers on a node each. */
void world_set_up_apart(void);

/* Three workers on two nodes. */
void world_set_up_uneven(void);

/* The workers are parked from the beginning, as those of a new pool are; before each schedule. */
void world_park(void);

/* The life of the worker with the calling thread's number, until world_end(). */
void world_work(void);

/* The end of the pool, as weft_pool_destroy() does it; by one thread outside the pool. */
void world_end(void);

/* The same, and the memory that outside threads know of is gone. */
void world_destroy(void);

/* world_end() by the second of two threads outside the pool that come here. */
void world_end_if_last(void);

/* Threads outside the pool that tell workers to rest, and are one of these two: 0 rests; 1, which rests, works in place of 0. */
void world_retire_first(void);
void world_swap(void);

/* Worker 1 rests from the beginning. */
void world_rest_second(void);

#endif
