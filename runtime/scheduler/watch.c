/* The watch's thread, and the list of the pools that follow. */
#include "scheduler/watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/status.h"
#include "machine/allowance.h"
#include "machine/plan_bounds.h"
#include "scheduler/replan.h"

/* A change is followed within a second; a look after a nap takes about 100 us of CPU time, most of it for /proc/self/cgroup. */
#define INTERVAL_NS 800000000
#define RESTORES 8u

/* One life of the thread. */
struct watch {
    pthread_t thread;
    pthread_cond_t ending;
    bool end;                       /* L, as all below: the lock; end at once */
    bool stale;                     /* the machine changed and could not be looked at again */
    struct wf_allowance *allowance; /* NULL: no look has succeeded yet */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct watch *current; /* L */
static struct watch *gone;    /* L: it ended by itself, and is to be joined */
static weft_pool *pools;      /* L: those that follow */

wf_atomic_u32 wf_watch_asleep;

void wf_watch_lock(void) {
    pthread_mutex_lock(&lock);
}

void wf_watch_unlock(void) {
    pthread_mutex_unlock(&lock);
}

/* The child has no watch, and the pools of its parent are not its own. */
static void forget_all(void) {
    if (current && current->allowance)
        wf_allowance_close(current->allowance);
    free(current);
    free(gone);
    current = gone = NULL;
    pools = NULL;
    wf_store(&wf_watch_asleep, 0, WF_RELAXED);
    pthread_mutex_unlock(&lock);
}

__attribute__((constructor)) static void survive_fork(void) {
    pthread_atfork(wf_watch_lock, wf_watch_unlock, forget_all);
}

static const char *what_changed(unsigned changed, bool failed) {
    if (changed & WF_CHANGED_CPUS)
        return "other CPUs may be used (affinity mask, cpuset, or CPUs went off or on)";
    if (changed & WF_CHANGED_MEMORY)
        return "other memory nodes may be used";
    if (changed & WF_CHANGED_QUOTA)
        return "the CPU quota is another";
    return failed ? "a change was tried again" : "what may be used changed while the pool was made";
}

/* L: the CPUs that a pool may use: the scout's, and of these the process's own where it is narrower. */
static weft_status cpus_for(const weft_pool *pool, const struct wf_allowance *allowance, struct wf_cpu_mask *cpus) {
    weft_status status = wf_cpu_mask_copy(cpus, wf_allowance_cpus(allowance));
    if (!status && pool->replan->within.set)
        wf_cpu_mask_narrow(cpus, &pool->replan->within);
    if (status || CPU_COUNT_S(cpus->bytes, cpus->set))
        return status;
    wf_cpu_mask_release(cpus); /* nothing is left of the process's own: the kernel lets its threads run anywhere then */
    return wf_cpu_mask_copy(cpus, wf_allowance_cpus(allowance));
}

/* L: the process's mask as it is now narrows the pool, unless it is all that the control groups allow. */
static void adopt_process_mask(weft_pool *pool, const struct wf_cpu_mask *process, const struct wf_allowance *allowance) {
    struct wf_replan *replan = pool->replan;
    struct wf_cpu_mask within = {0};
    bool narrower = !allowance || !wf_cpu_mask_equal(process, wf_allowance_cpus(allowance));
    if (narrower && wf_cpu_mask_copy(&within, process))
        return;
    wf_cpu_mask_release(&replan->within);
    replan->within = within;
}

/* L: what the main thread was seen with. */
static void remember_process(struct wf_replan *replan, const struct wf_cpu_mask *now, bool alone) {
    struct wf_cpu_mask seen;
    if (wf_cpu_mask_copy(&seen, now))
        return;
    wf_cpu_mask_release(&replan->process);
    replan->process = seen;
    replan->alone = alone;
}

/*
 * L: a main thread that is bound anew together with all others stands for the process. One that was bound alone does not, then or
 * later. Where the scout may use all that there is already, what tells the two apart is whether workers were bound as well.
 * True: the pool may use other CPUs than before.
 */
static bool look_at_process(weft_pool *pool, const struct wf_allowance *allowance, unsigned changed) {
    struct wf_replan *replan = pool->replan;
    const struct wf_cpu_mask *now = wf_allowance_process(allowance), *cpus = wf_allowance_cpus(allowance);
    bool together = changed & WF_CHANGED_CPUS, moved = !wf_cpu_mask_equal(now, &replan->process);
    bool same = wf_cpu_mask_equal(now, cpus);
    bool adopt =
        (together && moved && !replan->alone) || (same && replan->within.set && wf_replan_any_bound_to(pool, cpus, RESTORES));
    if (adopt)
        adopt_process_mask(pool, now, allowance);
    if (adopt || moved)
        remember_process(replan, now, !adopt && (together ? replan->alone : !same || replan->within.set));
    return adopt;
}

/* L */
static void follow(weft_pool *pool, const struct wf_allowance *allowance, unsigned changed) {
    struct wf_replan *replan = pool->replan;
    struct wf_cpu_mask cpus;
    if (look_at_process(pool, allowance, changed))
        changed |= WF_CHANGED_CPUS;
    if (cpus_for(pool, allowance, &cpus))
        return;
    bool stale = replan->fresh && !wf_replan_is_current(pool, &cpus, wf_allowance_quota(allowance));
    replan->fresh = false;
    if (changed || stale || replan->failed)
        wf_replan(pool, &cpus, what_changed(changed, replan->failed));
    else
        wf_replan_restore(pool, RESTORES);
    wf_cpu_mask_release(&cpus);
}

/* L: the first look opens the files, so that pools that live shortly cost none of that; it is tried again if it fails. */
static void look(struct watch *watch) {
    if (!watch->allowance && wf_allowance_open(&watch->allowance))
        return;
    unsigned changed = wf_allowance_look(watch->allowance);
    if (watch->stale)
        changed |= WF_CHANGED_MEMORY;
    if (changed & ~(unsigned)WF_CHANGED_QUOTA)
        watch->stale = wf_plan_refresh_machine() != WEFT_OK;
    for (weft_pool *pool = pools; pool; pool = pool->replan->next)
        follow(pool, watch->allowance, changed);
}

/* Whether a worker sleeps outside of all tasks. Sequentially consistent. */
static bool sleeps(const weft_pool *pool, unsigned id) {
    uint64_t bit = UINT64_C(1) << id % 64;
    if (wf_park_is_set(wf_parking_of(pool->workers[id]), id))
        return true;
    return wf_load(&pool->resting[id / 64], WF_RELAXED) & wf_load(&pool->waiting[id / 64], WF_RELAXED) & bit; /* a hint */
}

/* L */
static bool all_idle(void) {
    bool idle = true;
    for (const weft_pool *pool = pools; pool; pool = pool->replan->next)
        for (unsigned id = 0; id < pool->worker_count; id++)
            idle = idle && sleeps(pool, id);
    return idle;
}

void wf_watch_wake(void) {
    if (wf_exchange(&wf_watch_asleep, 0, WF_RELAXED)) /* nothing is handed over: the watch looks at the system */
        wf_futex_wake(&wf_watch_asleep, 1);
}

/* L: sleep until there is work, if there is none. Gives up the lock meanwhile. */
static void sleep_while_idle(void) {
    wf_store(&wf_watch_asleep, 1, WF_SEQ_CST);
    if (!all_idle())
        wf_watch_wake();
    pthread_mutex_unlock(&lock);
    while (wf_load(&wf_watch_asleep, WF_RELAXED))
        wf_futex_wait(&wf_watch_asleep, 1);
    pthread_mutex_lock(&lock);
}

/* L: wait until the time has come, or the end. */
static void await_next(struct watch *watch, const struct timespec *next) {
    while (!watch->end && pthread_cond_timedwait(&watch->ending, &lock, next) != ETIMEDOUT)
        ;
}

static struct timespec interval_from_now(void) {
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    next.tv_nsec += INTERVAL_NS;
    next.tv_sec += next.tv_nsec / 1000000000;
    next.tv_nsec %= 1000000000;
    return next;
}

/* L: look until there is no pool. */
static void look_on(struct watch *watch) {
    struct timespec next = interval_from_now();
    for (;;) {
        await_next(watch, &next);
        if (watch->end || !pools)
            return;
        look(watch);
        next = interval_from_now();
        if (all_idle())
            sleep_while_idle();
    }
}

static void *watch_main(void *argument) {
    struct watch *watch = argument;
    pthread_setname_np(pthread_self(), "weft:watch");
    pthread_mutex_lock(&lock);
    look_on(watch);
    if (current == watch) {
        current = NULL;
        gone = watch;
    }
    if (watch->allowance)
        wf_allowance_close(watch->allowance);
    watch->allowance = NULL;
    pthread_mutex_unlock(&lock);
    return NULL;
}

static void release(struct watch *watch) {
    if (!watch)
        return;
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->ending);
    free(watch);
}

/* L: a thread that has ended by itself needs the lock no more. */
static void join_gone(void) {
    release(gone);
    gone = NULL;
}

/* At exit, or when the library is unloaded. */
__attribute__((destructor)) static void end_watch(void) {
    pthread_mutex_lock(&lock);
    join_gone();
    struct watch *watch = current;
    current = NULL;
    if (watch) {
        watch->end = true;
        pthread_cond_signal(&watch->ending);
        wf_watch_wake();
    }
    pthread_mutex_unlock(&lock);
    release(watch);
}

static void prepare_sleep(struct watch *watch) {
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&watch->ending, &clock);
    pthread_condattr_destroy(&clock);
}

/* L: start the thread, bound as a scout is and with all signals blocked. */
static int start_thread(struct watch *watch, const struct wf_cpu_mask *mask) {
    pthread_attr_t attributes;
    sigset_t all;
    sigfillset(&all);
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    prepare_sleep(watch);
    error = pthread_attr_setsigmask_np(&attributes, &all);
    if (!error)
        error = pthread_attr_setaffinity_np(&attributes, mask->bytes, mask->set);
    if (!error)
        error = pthread_create(&watch->thread, &attributes, watch_main, watch);
    pthread_attr_destroy(&attributes);
    return error;
}

/* L */
static weft_status start(void) {
    struct wf_cpu_mask mask;
    weft_status status = wf_allowance_scout_mask(&mask);
    if (status)
        return status;
    join_gone();
    struct watch *watch = calloc(1, sizeof *watch);
    int error = watch ? start_thread(watch, &mask) : ENOMEM;
    wf_cpu_mask_release(&mask);
    if (error) {
        free(watch);
        return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM, "the thread that watches what the process may use: %s",
                       strerror(error));
    }
    current = watch;
    return WEFT_OK;
}

void wf_watch_add(weft_pool *pool) {
    pthread_mutex_lock(&lock);
    pool->unwatched = current ? WEFT_OK : start();
    if (!pool->unwatched) {
        pool->replan->next = pools;
        pools = pool;
    }
    pthread_mutex_unlock(&lock);
    wf_watch_stir();
}

void wf_watch_remove(weft_pool *pool) {
    pthread_mutex_lock(&lock);
    for (weft_pool **link = &pools; *link; link = &(*link)->replan->next)
        if (*link == pool) {
            *link = pool->replan->next;
            break;
        }
    bool last = !pools;
    pthread_mutex_unlock(&lock);
    if (last)
        wf_watch_stir();
}

weft_status weft_pool_replan(weft_pool *pool) {
    if (!pool)
        return wf_fail(WEFT_EINVAL, "weft_pool_replan() needs a pool, got NULL");
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    if (!weft_plan_get_limits(pool->plan)->this_system)
        return wf_fail(WEFT_ENOTSUP, "the pool's topology is not this machine's: its workers are bound to nothing");
    pthread_mutex_lock(&lock);
    if ((status = wf_plan_refresh_machine())) {
        pthread_mutex_unlock(&lock);
        return status;
    }
    struct wf_cpu_mask process = {0};
    if (!(status = wf_cpu_mask_of_process(&process))) {
        adopt_process_mask(pool, &process, current ? current->allowance : NULL);
        remember_process(pool->replan, &process, false);
        status = wf_replan(pool, &process, "asked for by the program");
    }
    pthread_mutex_unlock(&lock);
    wf_cpu_mask_release(&process);
    return status;
}
