/*
 * Sequences: loops that follow each other again and again, such as the layers of a network, built once and run many times.
 *
 *     weft_sequence *sequence;
 *     weft_sequence_create(&sequence, pool, NULL);
 *     weft_sequence_add(sequence, rows, multiply, &layer[0], NULL);
 *     weft_sequence_add(sequence, rows, activate, &layer[0], &(weft_step_options){WEFT_STEP_OPTIONS_INIT, .after = WEFT_AFTER_PART});
 *     weft_sequence_add(sequence, rows, multiply, &layer[1], NULL);
 *     for (...)
 *         weft_sequence_run(sequence);
 *     weft_sequence_destroy(sequence);
 *
 * Serial equivalent of a run: body(arg, (weft_range){0, n}) of each step in turn, cut into pieces.
 *
 * A run costs one loop (weft_for()) in which the threads stay together: from step to step they only tell each other how far they
 * are, through one line of memory each. Where loops follow each other at once this is several times cheaper than as many calls of
 * weft_for(), and weft_hot_begin() makes the first step as quick. A step is cut into parts as a static loop is; each part has a worker
 * that runs it unless it is elsewhere: it sleeps, has other work, or another program has its CPU. Then whoever waits runs the part.
 */
#ifndef WEFT_SEQUENCE_H
#define WEFT_SEQUENCE_H

#include "weft/loop.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_sequence weft_sequence;

/** What a part of a step comes after. It sees all writes of that. */
typedef enum weft_after {
    WEFT_AFTER_ALL = 0, /**< the whole step before: a barrier */
    WEFT_AFTER_PART =
        1 /**< the same part of the step before, for steps that read only what that part wrote; the width is the same */
} weft_after;

/** Options of weft_sequence_create(). Zero means the default of each field. Start from WEFT_SEQUENCE_OPTIONS_INIT. */
typedef struct weft_sequence_options {
    size_t size;    /**< sizeof this struct as the caller knows it */
    unsigned width; /**< threads that take part at most, and parts of a step; 0: weft_pool_workers() */
} weft_sequence_options;

#define WEFT_SEQUENCE_OPTIONS_INIT .size = sizeof(weft_sequence_options)

/** Options of weft_sequence_add(). Zero means the default of each field. Start from WEFT_STEP_OPTIONS_INIT. */
typedef struct weft_step_options {
    size_t size;  /**< sizeof this struct as the caller knows it */
    size_t align; /**< parts begin at multiples of this many iterations; 0: 1 */
    unsigned
        width; /**< parts of this step, for steps too small for more threads; 0: the sequence's. Workers are numbered node by node, so that
                               a step no wider than a node has workers stays there */
    weft_after after; /**< of the first step: no effect */
} weft_step_options;

#define WEFT_STEP_OPTIONS_INIT .size = sizeof(weft_step_options)

/**
 * Make a sequence without steps. Destroy it before its pool.
 *
 * @param sequence  [out] written on success only.
 * @param options   NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or a width that is greater than weft_pool_workers(); WEFT_ENOMEM; WEFT_EFORK.
 *
 * Threads: any. Allocates.
 */
WEFT_API weft_status weft_sequence_create(weft_sequence **sequence, weft_pool *pool, const weft_sequence_options *options);

/** Release a sequence that does not run. @return WEFT_OK, also for NULL; WEFT_EAGAIN: it runs. Threads: any, once. */
WEFT_API weft_status weft_sequence_destroy(weft_sequence *sequence);

/**
 * Append a step: body over [0, n), cut into as many parts as the step is wide, as weft_partition() does. With n 0, or fewer iterations
 * than parts, body is not called for parts without any.
 *
 * @param n    iterations, 0 to SIZE_MAX.
 * @param arg  for body; read in every run.
 * @return WEFT_OK; WEFT_EINVAL: NULL, an unusable option, a width greater than the sequence's, or WEFT_AFTER_PART behind a step of another
 *         width; WEFT_EAGAIN: the sequence runs; WEFT_ENOMEM.
 *
 * Threads: one at a time, not while it runs. Allocates.
 */
WEFT_API weft_status weft_sequence_add(weft_sequence *sequence, size_t n, weft_loop_fn body, void *arg,
                                       const weft_step_options *options);

/**
 * Run all steps once. Each part runs once, on one thread, after what it comes after.
 *
 * @return WEFT_OK: every iteration of every step ran exactly once; WEFT_EINVAL: NULL; WEFT_EAGAIN: the sequence runs already, also when
 *         one of its own bodies asks; WEFT_ECLOSED; WEFT_EFORK. In an error nothing ran.
 *
 * Threads: any, also tasks and loop bodies; sequences run side by side. The caller takes part. What a body spawns has ended when its
 * part has. A body may call everything that tasks may call; loops inside it are split by demand, and threads that wait for the next step
 * do not help them. A part that some thread has begun is waited for: first awake, then asleep. Allocates: no. Blocks: yes.
 * Orders: as weft_for(), and of steps as weft_after says.
 *
 * weft_current_worker() inside a body is the thread's, which need not be the part's; -1 on a caller outside the pool that found no worker
 * to stand in for. (Idea: the parts' progress words are those of a barrier whose threads tell each other, Brooks 1986.)
 */
WEFT_API weft_status weft_sequence_run(weft_sequence *sequence);

#ifdef __cplusplus
}
#endif
#endif
