/*
 * Tasks: submit from any thread, spawn and sync on workers, and groups that both may fill. Typed tasks, which cost less: weft/fork.h.
 *
 * A task that waits (weft_sync, weft_group_wait, a loop) runs only work of its own subtree in the meantime: its children,
 * their children, and tasks of the group it waits for. It never runs a stranger's task, so a lock held across a wait
 * cannot deadlock with one. (Static loops are the exception: see weft/loop.h. A pool may allow
 * more: weft_pool_options.help.)
 *
 * A task and a loop's body end by returning. What leaves them otherwise (longjmp(), pthread_exit(), cancellation, a C++ exception)
 * is undefined; exit(), abort() and a fault end the process as on any thread. Workers block all signals but those of their own
 * faults (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS): a handler of these runs on the worker and may siglongjmp() to a point
 * inside the same task. A signal that a task raises for itself stays pending on its worker and is lost when that ends.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include "weft/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*weft_task_fn)(void *arg);

typedef struct weft_group weft_group;

/**
 * What happens to a task for which its node has no room (weft_pool_options.submit_limit). All tasks count that weft_submit(),
 * weft_submit_batch() and, outside tasks, weft_run() and weft_group_spawn() hand to workers, until they have ended. Tasks that these make
 * by weft_group_spawn() and weft_spawn() do not.
 */
typedef enum weft_full {
    WEFT_FULL_BLOCK,  /**< wait for room: spin for the pool's spin budget, then sleep. Not in the order of arrival, and a batch
                           waits until all of it fits at once. A worker of the pool never waits, its tasks go beyond the limit */
    WEFT_FULL_REFUSE, /**< WEFT_EAGAIN, for workers as well */
} weft_full;

/** Options of weft_submit(). Zero means the default of each field. Start from WEFT_SUBMIT_OPTIONS_INIT. */
typedef struct weft_submit_options {
    size_t size;       /**< sizeof this struct as the caller knows it */
    bool placed;       /**< prefer `node`; false: the node of the submitter */
    unsigned node;     /**< in [0, weft_pool_nodes(pool)); only with placed */
    weft_group *group; /**< the task counts in this group of the same pool; NULL: none */
    weft_full full;    /**< what to do where weft_pool_options.submit_limit leaves no room */
} weft_submit_options;

#define WEFT_SUBMIT_OPTIONS_INIT .size = sizeof(weft_submit_options)

/**
 * Run fn(arg) as a task of the pool and wait for its end. Serial equivalent: fn(arg).
 *
 * @return WEFT_OK: it has run; WEFT_EINVAL: NULL pool or fn; WEFT_ENOMEM; WEFT_ECLOSED: the pool is closed and it never runs; WEFT_EFORK.
 *
 * Threads: any, concurrently. Inside a task of the pool it is a call in a task of its own: what it spawns has ended when it returns.
 * Another thread stands in for a worker near it that sleeps, and runs the task itself, unless the pool has stack_bytes set; else a
 * worker runs it, once there is room (weft_full). A worker of another pool serves nobody there meanwhile, so this pool's task must
 * not wait for that one. Blocks: yes.
 * Orders: the caller's earlier writes are visible to the task, the task's writes to the caller afterwards.
 */
WEFT_API weft_status weft_run(weft_pool *pool, weft_task_fn fn, void *arg);

/**
 * Submit one detached task. Tasks submitted to one node start roughly in order. It may run on another node if that one is idle.
 *
 * @param options  NULL: the submitter's node, no group.
 * @return WEFT_OK; WEFT_EINVAL: NULL pool or fn, node out of range or without placed, group of another pool; WEFT_ENOMEM;
 *         WEFT_ECLOSED: the pool is closed, perhaps while the caller waited for room, and the task never runs; WEFT_EAGAIN: no room, with
 *         WEFT_FULL_REFUSE; WEFT_EFORK.
 *
 * Threads: any, concurrently, workers of this or another pool included. Blocks: no longer than for short locks, unless the pool has
 * a limit and no room (weft_full); a worker of another pool runs nothing then. Allocates memory on the node, in pieces of 4 KiB for
 * 127 tasks.
 * Orders: the caller's earlier writes are visible to the task.
 */
WEFT_API weft_status weft_submit(weft_pool *pool, weft_task_fn fn, void *arg, const weft_submit_options *options);

/**
 * Submit many detached tasks at once, for less than it costs to submit each. Serial equivalent:
 * for (size_t i = 0; i < count; i++) weft_submit(pool, fn, args[i], options); but all are accepted, or none.
 *
 * @param args     count arguments, one for each task; read before the call returns. NULL is allowed if count is 0.
 * @param options  NULL: the submitter's node, no group.
 * @return WEFT_OK; WEFT_EINVAL: as weft_submit(), or NULL args, or more tasks than the pool's submit_limit (unless a worker of
 *         the pool submits with WEFT_FULL_BLOCK); WEFT_ENOMEM, WEFT_ECLOSED, WEFT_EAGAIN: none of them runs; WEFT_EFORK.
 *
 * Threads, blocking, memory and order: as weft_submit().
 */
WEFT_API weft_status weft_submit_batch(weft_pool *pool, weft_task_fn fn, void *const *args, size_t count,
                                       const weft_submit_options *options);

/**
 * Spawn a child of the running task. It may run at once, later here, or on a thief. Serial equivalent: fn(arg) at the
 * latest by the next weft_sync() of this task. A task that returns syncs implicitly.
 *
 * @return WEFT_OK; WEFT_EINVAL: fn is NULL or the caller is not a worker.
 *
 * Threads: workers. Blocks: no, but it runs fn inline when the deque is full. Orders: the caller's earlier writes are visible to it.
 */
WEFT_API weft_status weft_spawn(weft_task_fn fn, void *arg);

/**
 * Spawn a child of the running task that had better run on a given node, where its data lie. Idle workers of that node take it, and
 * if the node is busy, idle workers elsewhere, nearest first; the latest is the spawner itself, in weft_sync(). It runs only once
 * there is nobody idle on the node, or four times the pool's spin budget (weft_pool_options.spin_us) is over: without a budget
 * weft_sync() runs at once whatever nobody has taken. Serial equivalent: fn(arg), at the latest by the next weft_sync() of this task.
 *
 * The node is the child's home, and of all its descendants that are not placed elsewhere. Work spreads from there to the nearest
 * thieves by itself. WEFT_NODE_HOME says: on the running task's home, wherever it runs now, so that a part that was taken elsewhere
 * can send its own parts back. On the node where the caller runs this is weft_spawn(). A task without a home is at home where
 * it runs. Tasks that are submitted as placed (weft_submit()) have that node as their home.
 *
 * @param node  in [0, weft_pool_nodes(weft_current_pool())), or WEFT_NODE_HOME.
 * @return WEFT_OK; WEFT_EINVAL: fn is NULL, node out of range, or the caller is not a worker inside a task.
 *
 * Threads: workers. Blocks: no longer than for a short lock, but it runs fn inline when there is no memory for one more task.
 * Allocates a record on the worker's node; the first child a task places, a group too.
 * Orders: the caller's earlier writes are visible to the child, its writes after weft_sync().
 * Idea: task affinity as in oneTBB (a task in the spawner's and in a mailbox; whoever claims it runs it).
 */
WEFT_API weft_status weft_spawn_at(unsigned node, weft_task_fn fn, void *arg);

/**
 * Wait for every child that the running task spawned so far. Runs own children meanwhile, newest first.
 *
 * @return WEFT_OK; WEFT_EINVAL: the caller is not a worker.
 *
 * Threads: workers. Blocks: yes. Orders: all writes of the children are visible afterwards.
 */
WEFT_API weft_status weft_sync(void);

/**
 * Make a group: a counter of tasks, from any threads, that any thread can wait for. Reusable after each wait. Destroy it before
 * its pool.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL group or pool; WEFT_ENOMEM.
 *
 * Threads: any. Allocates.
 */
WEFT_API weft_status weft_group_create(weft_group **group, weft_pool *pool);

/**
 * Add one task to the group. It is no child of the running task: weft_sync() does not wait for it, weft_group_wait() does. Inside
 * a task of the group's pool it goes to the worker's own queue and is never refused; elsewhere it is submitted, and waits for room
 * where the pool has a limit (WEFT_FULL_BLOCK).
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL group or fn; WEFT_ENOMEM; WEFT_ECLOSED, WEFT_EFORK: as weft_submit(), outside tasks.
 *
 * Threads: any, concurrently; a task of the group may add more to it. Blocks: no longer than for the group's short lock, or for room.
 * Orders: the caller's earlier writes are visible to the task.
 */
WEFT_API weft_status weft_group_spawn(weft_group *group, weft_task_fn fn, void *arg);

/**
 * Wait until every task of the group has ended. On a worker of the group's pool it first syncs (weft_sync()), and then runs the
 * group's waiting tasks meanwhile. Other threads spin for the pool's spin budget (weft_pool_options.spin_us) and then sleep.
 *
 * A worker of another pool waits as any thread outside: it runs nothing meanwhile, neither of its own pool nor of this one. So two
 * pools whose tasks wait for groups of each other may wait for ever, once all workers of both do.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_EDEADLK: called from inside a task of this same group, or
 *         from a child of one; WEFT_EFORK.
 *
 * Threads: any, several may wait. Blocks: yes. Orders: all writes of the group's tasks are visible afterwards.
 */
WEFT_API weft_status weft_group_wait(weft_group *group);

/**
 * The same, with an end.
 *
 * @param deadline_ns  nanoseconds of CLOCK_MONOTONIC; one that has passed asks without waiting.
 * @return also WEFT_ETIMEDOUT: not every task had ended by then. A worker that runs a task of the group meanwhile is late by as much;
 *         weft_sync(), which comes first, has no end.
 */
WEFT_API weft_status weft_group_wait_until(weft_group *group, uint64_t deadline_ns);

/**
 * Release a group. NULL is allowed.
 *
 * @return WEFT_OK; WEFT_EINVAL: tasks of the group have not ended (nothing happens; wait first).
 *
 * Threads: any, when nobody else uses the group.
 */
WEFT_API weft_status weft_group_destroy(weft_group *group);

#ifdef __cplusplus
}
#endif
#endif
