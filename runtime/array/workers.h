/*
 * Jobs for the workers of an array: each does its share of the pages, near which it runs. Who owns which items is in layout.c.
 * Threading: a job belongs to the thread that runs it; its body runs on the pool's workers.
 */
#ifndef WF_ARRAY_WORKERS_H
#define WF_ARRAY_WORKERS_H

#include "array/array.h"
#include "base/atomic.h"
#include "weft/loop.h"

/*
 * The first failure of a parallel job: detail texts belong to threads, so it is carried to the caller. The winner of `failed`
 * writes the rest; the caller reads after the loop, which orders it.
 */
struct wf_failure {
    wf_atomic_u32 failed; /* A: relaxed, it only elects the writer; the loop's end orders what was written */
    weft_status status;
    char text[256];
};

void wf_failure_note(struct wf_failure *failure, weft_status status);

/* What the loop came to, else what its bodies did. */
weft_status wf_failure_outcome(weft_status loop, const struct wf_failure *failure);

struct wf_array_job {
    const weft_array *array;
    unsigned first_worker;
    struct wf_failure failure;
    const void *items;            /* replicate: what to copy */
    const weft_array *from;       /* copy: another array of the same place; else NULL */
    unsigned phase;               /* migrate, turns that are not exact: unit u belongs to node turns[(u + phase) mod period] */
    weft_migration *reports;      /* migrate: one per worker */
    struct wf_progress *progress; /* migrate: NULL: nobody is told */
};

/* Run body over indexes [0, count): index i on worker first_worker + i, nobody else. As weft_for(). */
weft_status wf_run_on_workers(weft_pool *pool, unsigned first_worker, unsigned count, weft_loop_fn body, void *arg);

/* The same for an array's job: index i on worker job->first_worker + i, nobody else. body's argument is the job. */
weft_status wf_array_run(struct wf_array_job *job, unsigned count, weft_loop_fn body);

/* Index of the node whose worker this is. */
unsigned wf_array_node_of(const weft_array *array, unsigned worker);

/* Part `index` of `count` of bytes [first, last) of an area, in whole units of its pages: bytes of the area. */
weft_range wf_array_slice(const struct wf_area *area, size_t first, size_t last, unsigned index, unsigned count);

/* Units of an array with turns: workers of a node share its turns by whole periods, and this is the worker's share of them. */
weft_range wf_array_turns_of(const weft_array *array, unsigned worker);

/* What the worker touches and moves of a memory-only node: workers of the nearest nodes share it, the others' part is empty. */
weft_range wf_array_memory_slice(const weft_array *array, unsigned worker);

#endif
