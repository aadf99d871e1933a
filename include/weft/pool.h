/*
 * The pool: pinned workers on every node the process may use, and what it says about itself.
 */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/plan.h"
#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A pool. Calls that need its workers return WEFT_ECLOSED once its destruction has begun, and WEFT_EFORK in a child of fork(),
 * where the workers do not exist; the child may destroy it, which releases its memory there, and create pools of its own. The
 * parent's pool is not affected by a fork.
 */
typedef struct weft_pool weft_pool;

/** No spinning at all before a worker sleeps; for weft_pool_options.spin_us. */
#define WEFT_SPIN_NONE UINT32_MAX

/** What a worker runs while it waits inside a task. */
typedef enum weft_help {
    WEFT_HELP_SUBTREE =
        0, /**< only its own subtree: children, their children, tasks of the group it waits for; and static loop parts */
    WEFT_HELP_ANY = 1 /**< when its subtree has nothing: any task and any loop, as long as less than half of the worker's stack is
                                used. Do not hold a lock, which a task takes, across a wait. Callers on a borrowed seat do not */
} weft_help;

/** Options of weft_pool_create(). Zero means the default of each field. Start from WEFT_POOL_OPTIONS_INIT. */
typedef struct weft_pool_options {
    size_t size;             /**< sizeof this struct as the caller knows it; set by WEFT_POOL_OPTIONS_INIT */
    const weft_plan *plan;   /**< a ready plan; then topology, workers, reserved_cores, nodes and smt must be zero */
    const char *topology;    /**< as in weft_plan_options. Workers of a foreign topology run unbound */
    unsigned workers;        /**< as in weft_plan_options */
    unsigned reserved_cores; /**< as in weft_plan_options */
    const char *nodes;       /**< as in weft_plan_options */
    bool smt;                /**< as in weft_plan_options */
    bool fixed;  /**< keep the workers as planned whatever the process may use later; false: $WEFT_FIXED, else follow, see
                             weft_pool_replan() */
    bool grow;   /**< make room for every core of the machine, so that the pool can grow when the process is given more */
    bool strict; /**< fail with WEFT_ESTRICT where workers cannot be bound, or (with several nodes) memory policies are refused */
    weft_pin pin;
    uint32_t
        spin_us; /**< how long an idle worker looks for work before it sleeps, microseconds; 0: $WEFT_SPIN_US, else twice what it takes to wake a thread, as measured, from 10 to 50,
                             and none under a CPU quota or with more workers than CPUs. WEFT_SPIN_NONE: none */
    size_t stack_bytes; /**< stack of each worker, on its node; 0: the system's thread default. A guard page lies below it, and
                             thread-local storage takes nothing of it */
    size_t deque_slots; /**< outstanding spawns per worker, a power of two in [64, 2^20]; 0: 2^16. Further spawns run inline */
    weft_help help;
    unsigned submit_limit; /**< submitted tasks of each node that may wait or run, in [1, 2^22]; 0: no limit. What happens to one
                                more is for the submitter to say, see weft_full */
    bool
        hardened; /**< check what weft_free() and its kind are given, see weft/alloc.h; false: $WEFT_HARDENED, else as the library
                                was built: with assertions (without NDEBUG), or for AddressSanitizer */
} weft_pool_options;

#define WEFT_POOL_OPTIONS_INIT .size = sizeof(weft_pool_options)

/**
 * Start a pool: one worker per entry of the plan, each bound before it runs, its deque and record pool on its own node.
 *
 * @param pool     [out] written on success only.
 * @param options  NULL: all defaults (one worker per physical core that the process may use).
 * @return WEFT_OK; WEFT_EINVAL: NULL pool or unusable option or environment; WEFT_ETOPOLOGY; WEFT_ENOMEM; WEFT_EPERM: the
 *         system refuses threads, or what a plan needs; WEFT_ESTRICT. Refused masks and memory policies are no failure
 *         unless strict: weft_pool_effective() tells.
 *
 * The affinity mask is read now; the CPU quota may be one that was read within the last second (weft_plan_create() reads it now).
 *
 * Threads: any, concurrently; pools are independent. Blocks: until the worker threads exist. Allocates. Does not change the
 * caller's affinity, signal mask or memory policy.
 */
WEFT_API weft_status weft_pool_create(weft_pool **pool, const weft_pool_options *options);

/**
 * Close a pool: from now on it refuses new work with WEFT_ECLOSED; then wait until all that was accepted has run. A program whose
 * other threads may still call the pool closes it, sees these threads off, and then destroys it.
 *
 * @return WEFT_OK, also when it is closed already; WEFT_EINVAL: NULL; WEFT_EDEADLK: called from one of the pool's own workers;
 *         WEFT_EFORK.
 *
 * Threads: any thread outside the pool, several at once. Blocks: until the accepted work is done.
 */
WEFT_API weft_status weft_pool_close(weft_pool *pool);

/**
 * Stop a pool: close it (weft_pool_close()), end the workers and release everything. In a child of fork() it only releases the
 * memory. Destroy the pool's groups and arrays before.
 *
 * @return WEFT_OK, also for NULL; WEFT_EDEADLK: called from one of the pool's own workers (nothing happens).
 *
 * Threads: any thread outside the pool, once; no call on the pool by another thread outside may overlap with it or follow it (its
 * own tasks may make any call meanwhile). Blocks: until the accepted work is done.
 */
WEFT_API weft_status weft_pool_destroy(weft_pool *pool);

/**
 * Keep the workers awake between pieces of work, until weft_hot_end(): a loop or a task that comes milliseconds after the last one
 * then begins at once and not when a thread has been woken. Sleeping workers are woken now. A worker that has found nothing to do for
 * idle_us sleeps all the same, and stays awake again after the next work that wakes it.
 *
 * A worker sleeps earlier when something else runs on its CPU: another program (it was kept off the CPU for 0.2 ms), or a thread
 * outside the pool that calls this, or a loop, on that CPU. A pool that does not spin (spin_us: a CPU quota, more workers than CPUs,
 * WEFT_SPIN_NONE) does not stay awake either. weft_pool_effective() tells. A hot pool uses all of its CPUs: keep it hot for as long
 * as work is about to come.
 *
 * @param idle_us  at most 1,000,000 microseconds; 0: 10,000. Of several that are in force the longest counts, until all have ended.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or idle_us too long; WEFT_ECLOSED; WEFT_EFORK; WEFT_EAGAIN: 2^32 - 1 are in force.
 *
 * Threads: any, concurrently, also tasks. Blocks: no. Allocates: no.
 */
WEFT_API weft_status weft_hot_begin(weft_pool *pool, uint32_t idle_us);

/**
 * End what one weft_hot_begin() began, on any thread. Workers that find nothing to do sleep after the pool's spin_us again.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL, or as many ends as begins already; WEFT_EFORK.
 *
 * Threads: any, concurrently, also tasks. Blocks: no.
 */
WEFT_API weft_status weft_hot_end(weft_pool *pool);

/** Number of workers, those that rest included: ids are [0, this). It never changes. 0 for NULL. Threads: any. */
WEFT_API unsigned weft_pool_workers(const weft_pool *pool);

/** Number of nodes with workers; 0 for NULL. Threads: any. */
WEFT_API unsigned weft_pool_nodes(const weft_pool *pool);

/** Number of workers that take work, at least 1; the others rest, see weft_pool_replan(). 0 for NULL. Threads: any. */
WEFT_API unsigned weft_pool_active(const weft_pool *pool);

/**
 * Look again at what the process may use, and re-plan: bind the workers to their new CPUs, let the surplus rest or take rested ones
 * back, and move the memory of workers whose node has changed. Running tasks are not disturbed and no task is lost: a worker that is
 * to rest first ends its task and what its own queue holds; afterwards it runs only its own parts of static loops.
 *
 * Pools do this by themselves within a second when control groups (cpuset, CPU quota), the affinity mask of all threads
 * (`taskset -a`) or the CPUs online change, unless they are `fixed`; one thread per process, "weft:watch", looks every 0.8 seconds. It
 * sleeps while no pool has work: a change then is followed when work comes, or when weft_pool_active(), weft_pool_worker() or
 * weft_pool_effective() is asked. It ends within a second of the last pool. The
 * main thread's own mask is not followed: a program or an OpenMP runtime that binds its main thread means that thread. Call this
 * after changing it for the whole program; it counts as it does in weft_pool_create().
 *
 * Ids, nodes, and the parts of loops and arrays stay those of weft_pool_plan(); weft_pool_worker() says where each runs now.
 * There are never more workers than the pool was made with: set weft_pool_options.grow for more. When a pool is left with fewer
 * workers than tasks that wait for each other by other means than weft's, these may wait for ever, as on a small machine.
 * Pages of arrays stay where they are, unless the kernel moves them (cpuset.mems of control groups v2): weft_array_migrate() puts
 * them where they belong now. A task must not change its thread's affinity: it is put back.
 *
 * @return WEFT_OK, also when nothing has changed; WEFT_EINVAL: NULL; WEFT_ENOTSUP: a foreign topology; WEFT_ENOMEM, WEFT_ETOPOLOGY,
 *         or WEFT_EINVAL: there is no new plan (the nodes asked for have no CPU left) and everything stays as it was; WEFT_EPERM: no
 *         file descriptors to read what may be used; WEFT_EFORK.
 *
 * Threads: any. Blocks: while it reads the topology, milliseconds.
 */
WEFT_API weft_status weft_pool_replan(weft_pool *pool);

/** Where a worker is now. */
typedef struct weft_worker {
    bool active;     /**< takes work; false: rests */
    bool bound;      /**< by the system, to what the pool's pinning mode allows it */
    unsigned pu;     /**< OS index of the CPU planned for it; of the last one if it rests */
    int os_node;     /**< OS index of the node of that CPU */
    int memory_node; /**< OS index of the node where its deque, records and stack are to lie, -1: none */
    int thread;      /**< the kernel's id of its thread, as in /proc/self/task */
} weft_worker;

/**
 * Where a worker is now.
 *
 * @param worker  in [0, weft_pool_workers(pool)).
 * @return WEFT_OK; WEFT_EINVAL: NULL, or no such worker; WEFT_EFORK.
 *
 * Threads: any.
 */
WEFT_API weft_status weft_pool_worker(const weft_pool *pool, unsigned worker, weft_worker *out);

/** The pool's layout: its workers, nodes, order of victims. Where they run after a change, see weft_pool_worker(). Valid while the pool lives; NULL for NULL. Threads: any. */
WEFT_API const weft_plan *weft_pool_plan(const weft_pool *pool);

/** The pool whose worker the caller is; NULL on other threads. Threads: any. */
WEFT_API weft_pool *weft_current_pool(void);

/** Id of the calling worker in its pool, in [0, weft_pool_workers()); -1 on other threads. Threads: any. */
WEFT_API int weft_current_worker(void);

/** Index of the calling worker's node in its plan, in [0, weft_pool_nodes()); -1 on other threads. Threads: any. */
WEFT_API int weft_current_node(void);

/** One line of what was asked of the machine and what it granted. */
typedef struct weft_effective {
    const char *feature; /**< "workers", "pin", "binding", "memory", "spin", "stack", "changes"; static */
    char asked[64];
    char got[64];
    char reason[256]; /**< why they differ, or why this default; never empty */
} weft_effective;

/**
 * The effective state now: every feature, what was asked, what was granted and why.
 *
 * @param out    room for max lines, or NULL with max 0 to count.
 * @return number of lines there are (0 for a NULL pool); at most max are written.
 *
 * Threads: any.
 */
WEFT_API size_t weft_pool_effective(const weft_pool *pool, weft_effective *out, size_t max);

/** The most remote distance classes that statistics tell apart; further ones are counted in the last. */
#define WEFT_REMOTE_CLASSES 8

/** Counters since the pool was created, summed over workers or of one. */
typedef struct weft_stats {
    uint64_t tasks;        /**< tasks that ran: spawned, submitted or stolen */
    uint64_t inbox_tasks;  /**< of these, taken from a node's inbox */
    uint64_t steals_cache; /**< tasks and loop ranges stolen from a worker under the same cache */
    uint64_t steals_node;  /**< ... from the same node, another cache */
    uint64_t
        steals_remote[WEFT_REMOTE_CLASSES]; /**< ... from another node, by rank of its distance from the thief's (0: nearest) */
    uint64_t failed_rounds;                 /**< search rounds that found nothing */
    uint64_t parks;                         /**< times a worker went to sleep */
    uint64_t wakes;                         /**< times it was woken */
    uint64_t loop_iterations;               /**< iterations of loops that ran */
    uint64_t loop_iterations_local;         /**< of these, on the node they were planned for */
    uint64_t overflows;                     /**< spawns that ran inline because the deque was full */
    uint64_t attempts_local;  /**< looks at another worker of the same node for something to steal, successful or not */
    uint64_t attempts_remote; /**< ... at a worker of another node: only after the own node had nothing */
    uint64_t remote_rounds;   /**< search rounds that went on to other nodes; one worker of a node at a time does that, and the
                                   longer it finds nothing the less often */
} weft_stats;

/**
 * Read the counters without stopping anybody.
 *
 * @param worker  in [0, weft_pool_workers(pool)), or -1 for the sum.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or no such worker.
 *
 * Threads: any. Counters of running workers may be a few events old.
 */
WEFT_API weft_status weft_pool_stats(const weft_pool *pool, int worker, weft_stats *stats);

#ifdef __cplusplus
}
#endif
#endif
