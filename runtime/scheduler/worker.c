/* The life of a worker: work, sleep, end. */
#include "scheduler/worker.h"

#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "scheduler/hot.h"
#include "scheduler/pool.h"
#include "scheduler/search.h"
#include "scheduler/start.h"
#include "scheduler/submit.h"
#include "scheduler/watch.h"

_Thread_local struct wf_worker *wf_self __attribute__((tls_model("initial-exec")));
_Thread_local uintptr_t wf_help_from __attribute__((tls_model("initial-exec")));

/* The pause between two rounds of a search: in units of so many cpu hints, one more for every so many rounds. */
#define PAUSE_LENGTH 8u
#define PAUSES_MOST 4u
#define VAIN_PER_PAUSE 8u

/* The own bit in `parked` is set, or claimed by somebody. The caller counts as a searcher afterwards. */
static void sleep_parked(struct wf_worker *worker) {
    if (wf_signal_take(&worker->token, WF_SIGNAL_TOKEN))
        wf_pool_learn_wake(worker->pool, wf_now_ns() - wf_load(&worker->token_ns, WF_RELAXED));
    wf_count(&worker->counters.wakes, 1);
    worker->thorough = false;
    wf_search_encourage(worker);
    wf_broadcast_wake_more(worker);
    wf_watch_stir();
}

/* Sleep until there may be work. The caller counts as a searcher before and after. */
static void sleep_idle(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    struct wf_parking *parking = wf_parking_of(worker);
    wf_count(&worker->counters.parks, 1); /* from here to TOKEN the worker may be a caller's, see seat.h */
    wf_park_announce(parking, worker->id);
    bool stay = wf_load(&pool->stop, WF_SEQ_CST) || wf_search_would_find(worker, true);
    if (stay && wf_park_claim(parking, worker->id)) {
        wf_search_begin(parking);
        wf_count(&worker->counters.parks, (uint64_t)-1);
        worker->thorough = true;
        wf_watch_stir();
        return;
    }
    sleep_parked(worker);
}

static bool rests(const struct wf_worker *worker) {
    /* acquire: what is looked at afterwards is looked at after wf_pool_retire() */
    return wf_load(&worker->pool->resting[worker->id / 64], WF_ACQUIRE) & UINT64_C(1) << worker->id % 64;
}

/* Sleep until HINT unless there is a reason not to; the same pairing as for a worker that waits inside a task. */
static void sleep_resting(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    uint64_t bit = UINT64_C(1) << worker->id % 64;
    wf_atomic_u64 *word = &pool->waiting[worker->id / 64];
    wf_fetch_or(word, bit, WF_SEQ_CST);
    if (rests(worker) && !wf_load(&pool->stop, WF_ACQUIRE) && !wf_broadcast_any(worker, false)) {
        wf_count(&worker->counters.parks, 1);
        wf_signal_take(&worker->signal, WF_SIGNAL_HINT);
        wf_count(&worker->counters.wakes, 1);
    }
    wf_fetch_and(word, ~bit, WF_RELAXED); /* a late HINT for it is harmless */
}

/* What is left for a worker that rests; false: it rests no more, or the pool stops. */
static bool find_leftover(struct wf_worker *worker, struct wf_found *found) {
    worker->thorough = false;
    wf_tasks_idle(worker);
    wf_search_pass_on(worker); /* somebody may have relied on this one */
    while (rests(worker) && !wf_load(&worker->pool->stop, WF_ACQUIRE)) {
        if (wf_search_leftover(worker, found))
            return true;
        sleep_resting(worker);
    }
    return false;
}

/* Between two rounds: the longer, the more of them have failed, so that busy workers keep their lines. Work of the own node, and loops,
 * show in lines that are quiet meanwhile. */
static void pause_search(struct wf_worker *worker) {
    unsigned times = worker->vain / VAIN_PER_PAUSE + 1;
    worker->vain++;
    for (unsigned i = 0; i < times && i < PAUSES_MOST && !(i && wf_search_hint(worker)); i++)
        for (unsigned k = 0; k < PAUSE_LENGTH && !wf_broadcast_is_here(worker); k++)
            wf_cpu_relax();
}

/* Whether a worker that has looked for work in vain for `idle_ns`, and not in the last `gap_ns` of them, looks on. */
static bool stays_awake(const struct wf_worker *worker, uint64_t idle_ns, uint64_t gap_ns) {
    return !wf_load(&worker->give_way, WF_RELAXED) &&
           (idle_ns < wf_pool_spin_ns(worker->pool) || wf_hot_goes_on(worker->pool, idle_ns, gap_ns));
}

/* Look for work until there is some; false: the worker is to rest, or the pool stops. The caller counts as a searcher before. */
static bool search_on(struct wf_worker *worker, struct wf_found *found) {
    weft_pool *pool = worker->pool;
    struct wf_parking *parking = wf_parking_of(worker);
    uint64_t idle_since = 0, looked = 0;
    while (!wf_search(worker, found)) {
        if (wf_load(&pool->stop, WF_ACQUIRE) || rests(worker)) {
            wf_search_end(parking);
            return false;
        }
        uint64_t now = wf_now_ns();
        if (!idle_since)
            idle_since = looked = now;
        if (!stays_awake(worker, now - idle_since, now - looked)) {
            wf_store(&worker->give_way, 0, WF_RELAXED);
            sleep_idle(worker);
            idle_since = 0;
            worker->vain = 0;
            continue;
        }
        looked = now;
        pause_search(worker);
    }
    worker->thorough = false;
    worker->vain = 0;
    /* the last searcher: offers made meanwhile relied on it, and are visible now if nobody has taken them */
    if (wf_search_end(parking))
        wf_search_pass_on(worker);
    return true;
}

static bool find_any(struct wf_worker *worker, struct wf_found *found) {
    if (wf_search_lingering(worker, found) || wf_search_own(worker, found))
        return true;
    wf_search_begin(wf_parking_of(worker));
    wf_tasks_idle(worker);
    return search_on(worker, found);
}

/* The next piece of work; false: the pool stops. */
static bool find_work(struct wf_worker *worker, struct wf_found *found) {
    do {
        if (rests(worker) ? find_leftover(worker, found) : find_any(worker, found))
            return true;
    } while (!wf_load(&worker->pool->stop, WF_ACQUIRE));
    return false;
}

/* The first piece of work of a worker that is parked before its thread begins; until TOKEN the worker may be a caller's (seat.h). */
static bool find_first(struct wf_worker *worker, struct wf_found *found) {
    sleep_parked(worker);
    return search_on(worker, found) || find_work(worker, found);
}

void wf_worker_name(const struct wf_worker *worker, int os_node, pthread_t thread) {
    char name[16]; /* the kernel's limit */
    snprintf(name, sizeof name, "weft:n%dw%u", os_node, worker->id);
    pthread_setname_np(thread, name);
}

pid_t wf_worker_tid(struct wf_worker *worker) {
    uint32_t tid;
    while (!(tid = wf_load(&worker->tid, WF_ACQUIRE))) /* pairs with wf_worker_main(): it has its name */
        wf_futex_wait(&worker->tid, 0);
    return (pid_t)tid;
}

/* Its life, after it is there. */
static void work(const struct wf_worker_start *start) {
    struct wf_worker *worker = wf_self = start->pool->workers[start->id];
    struct wf_found found = {0};
    bool more = start->parked ? find_first(worker, &found) : find_work(worker, &found);
    for (; more; more = find_work(worker, &found)) {
        wf_run_found(worker, &found);
        found.kind = WF_FOUND_NOTHING;
    }
}

/* The middle of the calling thread's stack; 0 if it cannot be told. */
static uintptr_t middle_of_stack(void) {
    pthread_attr_t attributes;
    void *start = NULL;
    size_t bytes = 0;
    if (pthread_getattr_np(pthread_self(), &attributes))
        return 0;
    int error = pthread_attr_getstack(&attributes, &start, &bytes);
    pthread_attr_destroy(&attributes);
    return error ? 0 : (uintptr_t)start + bytes / 2;
}

void *wf_worker_main(void *argument) {
    const struct wf_worker_start *start = argument;
    weft_pool *pool = start->pool;
    if (pool->placed && !wf_start_set_up(pool, start->id))
        return NULL;
    struct wf_worker *worker = pool->workers[start->id];
    wf_help_from = pool->help_any ? middle_of_stack() : 0;
    wf_worker_name(worker, weft_plan_nodes(pool->plan, NULL)[worker->node].os_index, pthread_self());
    wf_store(&worker->tid, (uint32_t)syscall(SYS_gettid), WF_RELEASE);
    wf_futex_wake(&worker->tid, INT_MAX);
    work(start);
    return NULL;
}
