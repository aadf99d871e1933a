/*
 * Futures: a result that will be there. One stands for a function that runs as a task (weft_async()), for what the program will set
 * itself (weft_future_create(), weft_future_set()), for what follows another one (weft_future_then()), or for several
 * (weft_future_all(), weft_future_any()).
 *
 *     weft_future *page, *text;
 *     weft_async(pool, &page, fetch, url, NULL);
 *     weft_future_then(page, &text, extract, NULL, NULL);
 *     weft_future_release(page);
 *     status = weft_future_wait(text, &value);
 *     weft_future_release(text);
 *
 * A result is a status, with a text if it is not WEFT_OK, and a pointer that weft hands on and never reads. What follows a future that
 * failed does not run, unless it asks to, and has the same status and text. Results never change once they are there.
 *
 * References. Every call that makes a future gives its caller one reference, weft_future_retain() one more; each ends by
 * weft_future_release(). The library keeps references of its own: for a function that has not ended, for what a future follows and
 * for what follows it. So a program may release a future at any time: its function runs all the same, and so does what follows. A
 * future that nobody can set any more, because its last reference was released, is cancelled.
 *
 * A task that waits for a future runs, meanwhile, the function of that future or of one it depends on, if nobody has begun it, and
 * nothing else. Release futures, and set those that others depend on, before their pool is destroyed.
 */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H

#include "weft/task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_future weft_future;

/** What a future stands for: sets *value, which is NULL before; the status and *value become the result. */
typedef weft_status (*weft_async_fn)(void *arg, void **value);

/** The same, for what follows another one: `status` and `before` are that one's result. */
typedef weft_status (*weft_then_fn)(void *arg, weft_status status, void *before, void **value);

/** Options of weft_async() and weft_future_then(). Zero means the default of each field. Start from WEFT_ASYNC_OPTIONS_INIT. */
typedef struct weft_async_options {
    size_t size;    /**< sizeof this struct as the caller knows it */
    bool placed;    /**< prefer `node`; false: where it becomes ready */
    unsigned node;  /**< in [0, weft_pool_nodes(pool)); only with placed */
    bool always;    /**< weft_future_then(): run after a failure as well */
    weft_full full; /**< weft_async(): as in weft_submit_options */
} weft_async_options;

#define WEFT_ASYNC_OPTIONS_INIT .size = sizeof(weft_async_options)

/**
 * Run fn as a task of the pool.
 *
 * @param future   [out] NULL: the result is not wanted.
 * @param options  NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: NULL pool or fn, unusable option; WEFT_ENOMEM; WEFT_ECLOSED, WEFT_EAGAIN, WEFT_EFORK: as
 *         weft_submit(). In an error fn never runs.
 *
 * Threads, blocking: as weft_submit(). Allocates. Orders: the caller's earlier writes are visible to fn, fn's writes to whoever has seen
 * the future done.
 */
WEFT_API weft_status weft_async(weft_pool *pool, weft_future **future, weft_async_fn fn, void *arg,
                                const weft_async_options *options);

/**
 * Make a future that the program sets.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_ENOMEM.
 *
 * Threads: any. Allocates.
 */
WEFT_API weft_status weft_future_create(weft_future **future, weft_pool *pool);

/**
 * Set the result of a future of weft_future_create(), once.
 *
 * @param status  what waiters get; the text of a failure is the calling thread's weft_error_detail() if `status` is that of its last
 *                failed call.
 * @return WEFT_OK; WEFT_EINVAL: NULL, it is set already, or it has a function or depends on others; WEFT_ECANCELED: it was cancelled, and
 *         `value` is still the caller's.
 *
 * Threads: any. Blocks: no longer than to submit what follows. Orders: the caller's earlier writes are visible to whoever has seen it done.
 */
WEFT_API weft_status weft_future_set(weft_future *future, weft_status status, void *value);

/**
 * Run fn once a future is done.
 *
 * @param next     [out] the result of fn; NULL: not wanted.
 * @param options  NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: NULL future or fn, unusable option; WEFT_ENOMEM.
 *
 * If fn cannot be submitted when the future is done, *next fails: WEFT_ENOMEM, or WEFT_ECLOSED after the pool was closed.
 *
 * Threads: any, at any time. Blocks: as weft_submit() if the future is done. Allocates.
 */
WEFT_API weft_status weft_future_then(weft_future *future, weft_future **next, weft_then_fn fn, void *arg,
                                      const weft_async_options *options);

/**
 * A future that is done when all of `futures` are. Its status is WEFT_OK, or that of the first in their order that failed; its value
 * is NULL.
 *
 * @param futures  `count` futures of one pool. With count 0 it is done at once.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or futures of several pools; WEFT_ENOMEM.
 *
 * Threads: any. Allocates.
 */
WEFT_API weft_status weft_future_all(weft_future **all, weft_pool *pool, weft_future *const *futures, size_t count);

/**
 * A future that has the result of the one of `futures` that is done first, whatever it came to. The others go on.
 *
 * @return as weft_future_all(); also WEFT_EINVAL: count is 0.
 */
WEFT_API weft_status weft_future_any(weft_future **any, weft_pool *pool, weft_future *const *futures, size_t count);

/** Which of the futures of weft_future_any() was first; SIZE_MAX: none yet, or it is no such future. Threads: any. */
WEFT_API size_t weft_future_which(const weft_future *any);

/** Whether it is done. false for NULL. Threads: any. Orders: as weft_future_wait(). */
WEFT_API bool weft_future_done(const weft_future *future);

/**
 * Wait until a future is done.
 *
 * @param value  [out] written if it is WEFT_OK; NULL: not wanted.
 * @return the future's status; also WEFT_EINVAL: NULL; WEFT_EDEADLK: called inside the function of this future; WEFT_EFORK.
 *
 * Threads: any, several may wait. Blocks: yes. In a task of the future's pool it first syncs (weft_sync()); other threads spin for
 * the pool's spin budget, and then sleep. Orders: the writes of the future's function, or before it was set, are visible afterwards.
 */
WEFT_API weft_status weft_future_wait(weft_future *future, void **value);

/**
 * The same, with an end.
 *
 * @param deadline_ns  nanoseconds of CLOCK_MONOTONIC; one that has passed asks without waiting.
 * @return also WEFT_ETIMEDOUT: it was not done by then. A task that runs something meanwhile is late by as much.
 */
WEFT_API weft_status weft_future_wait_until(weft_future *future, uint64_t deadline_ns, void **value);

/**
 * Make a future done with WEFT_ECANCELED, unless its function has begun. A function that has not begun never runs.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_EAGAIN: its function has begun, or it is done; nothing happens.
 *
 * Threads: any.
 */
WEFT_API weft_status weft_future_cancel(weft_future *future);

/**
 * A file descriptor that becomes readable when the future is done, for poll(2), epoll(7) and what is built on them. It is the future's: the
 * same in each call, closed with the last reference, not to be read from.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_EPERM: the system gives none (limit of descriptors).
 *
 * Threads: any.
 */
WEFT_API weft_status weft_future_eventfd(weft_future *future, int *descriptor);

/** One more reference; NULL is allowed. Returns the future. Threads: any that have one. */
WEFT_API weft_future *weft_future_retain(weft_future *future);

/** One reference less; NULL is allowed. Threads: any. */
WEFT_API void weft_future_release(weft_future *future);

#ifdef __cplusplus
}
#endif
#endif
