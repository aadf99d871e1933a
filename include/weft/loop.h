/*
 * Parallel loops over [0, n) and over 2D and 3D index spaces, and the deterministic reduction.
 *
 * The split chunk -> worker is a pure function of (n, number of workers, alignment): two loops with equal arguments put the
 * same iterations on the same workers, so memory first touched in one is near in the next.
 */
#ifndef WEFT_LOOP_H
#define WEFT_LOOP_H

#include "weft/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Iterations first .. last - 1; never empty when a body gets it. */
typedef struct weft_range {
    size_t first, last;
} weft_range;

/** A rectangle of a 2D or 3D index space: dimension d runs over [first[d], last[d]). Dimension 0 varies slowest. */
typedef struct weft_range2 {
    size_t first[2], last[2];
} weft_range2;
typedef struct weft_range3 {
    size_t first[3], last[3];
} weft_range3;

typedef void (*weft_loop_fn)(void *arg, weft_range range);
typedef void (*weft_loop2_fn)(void *arg, weft_range2 tile);
typedef void (*weft_loop3_fn)(void *arg, weft_range3 tile);

typedef enum weft_schedule {
    WEFT_SCHEDULE_STEAL = 0,  /**< planned like STATIC, then idle workers take half of what the nearest has left */
    WEFT_SCHEDULE_STATIC = 1, /**< every worker runs exactly its own part; waits for busy workers */
    WEFT_SCHEDULE_FIRST_TOUCH =
        2 /**< STATIC, with parts that begin on page boundaries where there are enough pages; needs item_bytes */
} weft_schedule;

/**
 * What a loop came to. A nested loop that was split by demand counts no steals here (weft_pool_stats() does), its local share is
 * that of the caller's node, and workers is the number of its pieces, at most that of all workers.
 */
typedef struct weft_loop_report {
    uint64_t iterations;                /**< that ran: always n */
    uint64_t iterations_local;          /**< on the node they were planned for; over an array: on the node their pages lie on */
    uint64_t iterations_unknown;        /**< over an array: the node of their pages could not be asked; in neither share */
    uint64_t chunks;                    /**< calls of the body */
    uint64_t steals_cache, steals_node; /**< ranges taken under the same cache, in the same node */
    uint64_t steals_remote[WEFT_REMOTE_CLASSES]; /**< ranges taken from other nodes, by rank of distance */
    unsigned workers;                            /**< workers that ran at least one chunk */
} weft_loop_report;

/** Options of the loops. Zero means the default of each field. Start from WEFT_FOR_OPTIONS_INIT. */
typedef struct weft_for_options {
    size_t size; /**< sizeof this struct as the caller knows it */
    weft_schedule schedule;
    size_t grain; /**< iterations per call of the body at most (1D) or tiles per claim (2D, 3D); 0: automatic, about
                                   4 us of work or more per call */
    size_t align; /**< parts begin at multiples of this many iterations; 0: 1 */
    size_t
        item_bytes; /**< FIRST_TOUCH: bytes of memory per iteration, of an array that begins on a page; parts begin on page boundaries,
                                   unless that left a worker without any */
    size_t tile[3];           /**< 2D, 3D: edge of a tile in each dimension; 0: chosen */
    weft_loop_report *report; /**< [out] NULL: none */
    bool
        any_thread; /**< a thread outside that finds no worker to stand in for runs bodies all the same, as weft_current_worker() -1, and
                          does not sleep. With STEAL and align 1, without a report; else it has no effect */
} weft_for_options;

#define WEFT_FOR_OPTIONS_INIT .size = sizeof(weft_for_options)

/**
 * Run body over [0, n). Serial equivalent: body(arg, (weft_range){0, n}) cut into pieces in any order.
 *
 * @param n        iterations, 0 to SIZE_MAX; with 0 the body is never called.
 * @param options  NULL: all defaults.
 * @return WEFT_OK: every iteration ran exactly once; WEFT_EINVAL: NULL pool or body, unusable option; WEFT_ECLOSED: the pool is
 *         being destroyed; WEFT_EAGAIN: a static loop called from a task while 64 other loops run. In an error nothing ran.
 *
 * Threads: any, concurrently, also from inside tasks and loop bodies (nested). A caller that is a worker of the pool takes
 * part. So does another thread if a worker near it sleeps: it stands in for that worker as long as it finds something to do, bodies that run on it
 * see its number as weft_current_worker(). Else, and for FIRST_TOUCH, that thread sleeps until the end. Blocks: yes. Orders: the caller's earlier writes are visible to the body, the
 * body's writes to the caller afterwards.
 *
 * With schedule STEAL and automatic grain, the caller begins alone when the last loop with this body took less than about a microsecond,
 * or when one iteration is a small share of the loop: such a loop ends before another core could help. Sleeping workers are woken
 * for loops that last some microseconds in a row of others, or longer than a wake takes.
 *
 * A body may call loops of another pool; its worker does not serve its own pool meanwhile, so that pool must not call back into
 * this one.
 *
 * STATIC and FIRST_TOUCH parts belong to one worker each, so a worker that waits inside a task, and a thread that waits for its
 * loop in a worker's place, serve the worker's parts of other static loops as well: do not hold a lock, which such a body takes, across a wait.
 */
WEFT_API weft_status weft_for(weft_pool *pool, size_t n, weft_loop_fn body, void *arg, const weft_for_options *options);

/**
 * Run body over the rectangle [0, n0) x [0, n1), tile by tile. n0 * n1 may exceed SIZE_MAX as long as the number of tiles does
 * not. Schedules: STEAL and STATIC (to touch a matrix first, run weft_for() over its rows). Errors, threads, order: as
 * weft_for(); also WEFT_EINVAL for FIRST_TOUCH, align, item_bytes, and more than SIZE_MAX tiles.
 */
WEFT_API weft_status weft_for_2d(weft_pool *pool, size_t n0, size_t n1, weft_loop2_fn body, void *arg,
                                 const weft_for_options *options);

/** Run body over the box [0, n0) x [0, n1) x [0, n2), tile by tile. As weft_for_2d(). */
WEFT_API weft_status weft_for_3d(weft_pool *pool, size_t n0, size_t n1, size_t n2, weft_loop3_fn body, void *arg,
                                 const weft_for_options *options);

/**
 * Parts of [0, n) for `parts` workers: part i is [weft_partition(n, parts, align, i), weft_partition(n, parts, align, i + 1)).
 * The rule every static part follows. Sizes differ by at most one align unit; boundaries are multiples of align (the last is n).
 *
 * @param align  0 counts as 1.
 * @param index  in [0, parts]; larger counts as parts.
 *
 * Threads: any. Pure.
 */
WEFT_API size_t weft_partition(size_t n, unsigned parts, size_t align, unsigned index);

/** Fold the items of a range into *accumulator, which holds the identity (all bytes copied from `identity`). */
typedef void (*weft_reduce_leaf_fn)(void *arg, weft_range range, void *accumulator);
/** Fold right into left; left covers the items just before right. */
typedef void (*weft_reduce_join_fn)(void *arg, void *left, const void *right);

/** Options of weft_reduce(). Start from WEFT_REDUCE_OPTIONS_INIT. */
typedef struct weft_reduce_options {
    size_t size;
    size_t block; /**< items per leaf; 0: chosen from n alone. The result's bits depend on it, never on the workers */
} weft_reduce_options;

#define WEFT_REDUCE_OPTIONS_INIT .size = sizeof(weft_reduce_options)

/**
 * Reduce [0, n) to one value: leaves over fixed blocks, joined pairwise in a fixed tree. The result has the same bits for
 * every number of workers and every run.
 *
 * @param result        [in, out] result_bytes bytes; holds the identity at the call, the result afterwards.
 * @param result_bytes  at least 1.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ENOMEM; WEFT_ECLOSED. In an error *result is unchanged.
 *
 * Threads, order: as weft_for(). Allocates one accumulator per block (at most 4096 blocks unless options ask for more).
 */
WEFT_API weft_status weft_reduce(weft_pool *pool, size_t n, weft_reduce_leaf_fn leaf, weft_reduce_join_fn join, void *arg,
                                 void *result, size_t result_bytes, const weft_reduce_options *options);

#ifdef __cplusplus
}
#endif
#endif
