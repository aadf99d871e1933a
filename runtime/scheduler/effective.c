/* Writes the lines of the effective state when it is asked for. */

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "scheduler/hot.h"
#include "scheduler/replan.h"
#include "scheduler/watch.h"

enum line { WORKERS, PIN, BINDING, MEMORY, SPIN, STACK, CHANGES, LINES };

static const char *const features[LINES] = {"workers", "pin", "binding", "memory", "spin", "stack", "changes"};

enum column { ASKED, GOT, REASON };

static WF_PRINTF(4, 5) void set(weft_effective *lines, enum line line, enum column column, const char *format, ...) {
    weft_effective *at = &lines[line];
    char *text = column == ASKED ? at->asked : column == GOT ? at->got : at->reason;
    size_t room = column == ASKED ? sizeof at->asked : column == GOT ? sizeof at->got : sizeof at->reason;
    va_list args;
    va_start(args, format);
    vsnprintf(text, room, format, args);
    va_end(args);
}

static void describe_workers(const weft_pool *pool, weft_effective *lines) {
    unsigned nodes, active = wf_load(&pool->active, WF_RELAXED);
    weft_plan_nodes(pool->replan->current, &nodes);
    if (pool->settings.workers_asked)
        set(lines, WORKERS, ASKED, "%u", pool->settings.workers_asked);
    else
        set(lines, WORKERS, ASKED, "one per core");
    if (active == pool->worker_count)
        set(lines, WORKERS, GOT, "%u on %u node%s", active, nodes, nodes == 1 ? "" : "s");
    else
        set(lines, WORKERS, GOT, "%u on %u node%s, %u rest", active, nodes, nodes == 1 ? "" : "s", pool->worker_count - active);
    set(lines, WORKERS, REASON, "%s", weft_plan_get_limits(pool->replan->current)->reason);
}

static void describe_binding(const weft_pool *pool, weft_effective *lines) {
    bool this_system = weft_plan_get_limits(pool->plan)->this_system;
    unsigned refused = 0;
    int why = 0;
    for (unsigned i = 0; i < pool->worker_count; i++) {
        refused += pool->replan->places[i].refusal != 0;
        why = pool->replan->places[i].refusal ? pool->replan->places[i].refusal : why;
    }
    set(lines, PIN, ASKED, "%s", wf_pin_name(pool->settings.pin_asked));
    set(lines, PIN, GOT, "%s", wf_pin_name(this_system ? pool->settings.pin : WEFT_PIN_NONE));
    set(lines, PIN, REASON, "%s", pool->settings.pin_reason);
    set(lines, BINDING, ASKED, "every worker");
    if (!this_system) {
        set(lines, BINDING, GOT, "none");
        set(lines, BINDING, REASON, "the topology is not this machine's");
    } else if (refused) {
        if (refused < pool->worker_count)
            set(lines, BINDING, GOT, "all but %u workers", refused);
        else
            set(lines, BINDING, GOT, "none");
        set(lines, BINDING, REASON, "the system refused their CPUs: %s", strerror(why));
    } else {
        set(lines, BINDING, GOT, "every worker");
        set(lines, BINDING, REASON, "masks were set before the threads ran, and with every change");
    }
}

/* What happens when the process may use other CPUs or memory, or its quota changes. */
static void describe_changes(const weft_pool *pool, weft_effective *lines) {
    const struct wf_replan *replan = pool->replan;
    set(lines, CHANGES, ASKED, "%s", pool->settings.fixed ? "fixed" : "followed");
    set(lines, CHANGES, GOT, "%" PRIu64 " followed", replan->count);
    if (*replan->last)
        set(lines, CHANGES, REASON, "%s", replan->last);
    else if (!weft_plan_get_limits(pool->plan)->this_system)
        set(lines, CHANGES, REASON, "the topology is not this machine's");
    else if (pool->settings.fixed)
        set(lines, CHANGES, REASON, "asked for by the program or WEFT_FIXED");
    else if (pool->unwatched)
        set(lines, CHANGES, REASON, "no thread to watch for changes (%s): only weft_pool_replan() follows them",
            weft_status_name(pool->unwatched));
    else
        set(lines, CHANGES, REASON, "nothing has changed since the pool was made");
}

static void describe_memory(const weft_pool *pool, weft_effective *lines) {
    weft_status refusal = (weft_status)wf_load(&pool->memory_status, WF_RELAXED);
    set(lines, MEMORY, ASKED, "on the worker's node");
    if (!pool->placed && weft_plan_get_limits(pool->plan)->this_system) {
        set(lines, MEMORY, GOT, "the only node");
        set(lines, MEMORY, REASON, "this machine's memory has one node, and needs no policy");
        return;
    }
    set(lines, MEMORY, GOT, refusal ? "first touch" : "preferred policy and first touch");
    if (!refusal)
        set(lines, MEMORY, REASON, "the kernel took the policy");
    else if (refusal == WEFT_EPERM)
        set(lines, MEMORY, REASON, "memory policies are refused here (a container's seccomp filter?)");
    else
        set(lines, MEMORY, REASON, "memory policies do not apply: %s",
            weft_plan_get_limits(pool->plan)->this_system ? "mbind is not supported, or not for this node"
                                                          : "the topology is not this machine's");
}

static void describe_rest(const weft_pool *pool, weft_effective *lines) {
    set(lines, SPIN, ASKED, "before sleep");
    uint64_t hot_us = pool->settings.spin_ns ? wf_hot_idle_ns(pool) / 1000 : 0;
    set(lines, SPIN, GOT, "%" PRIu64 " us", hot_us > pool->settings.spin_ns / 1000 ? hot_us : pool->settings.spin_ns / 1000);
    set(lines, SPIN, REASON, "%s", hot_us ? "hot: weft_hot_begin() asked for it" : pool->settings.spin_reason);
    if (pool->settings.stack_bytes) {
        set(lines, STACK, ASKED, "%zu bytes", pool->settings.stack_bytes);
        set(lines, STACK, GOT, "%zu bytes", pool->settings.stack_bytes);
        set(lines, STACK, REASON, "asked for by the program; a guard page lies below");
    } else {
        set(lines, STACK, ASKED, "default");
        set(lines, STACK, GOT, "the system's thread default");
        set(lines, STACK, REASON, "default (ulimit -s); a guard page lies below");
    }
}

/* L: the lock of watch.h */
static void describe(const weft_pool *pool, weft_effective *lines) {
    for (unsigned i = 0; i < LINES; i++)
        lines[i].feature = features[i];
    describe_workers(pool, lines);
    describe_binding(pool, lines);
    describe_memory(pool, lines);
    describe_rest(pool, lines);
    describe_changes(pool, lines);
}

size_t weft_pool_effective(const weft_pool *pool, weft_effective *out, size_t max) {
    weft_effective lines[LINES];
    if (!pool)
        return 0;
    wf_watch_stir();
    wf_watch_lock();
    describe(pool, lines);
    wf_watch_unlock();
    for (size_t i = 0; out && i < LINES && i < max; i++)
        out[i] = lines[i];
    return LINES;
}

weft_status weft_pool_worker(const weft_pool *pool, unsigned worker, weft_worker *out) {
    if (!pool || !out)
        return wf_fail(WEFT_EINVAL, "weft_pool_worker() needs a pool and a place for the answer, got NULL");
    if (worker >= pool->worker_count)
        return wf_fail(WEFT_EINVAL, "worker %u does not exist: use 0 to %u", worker, pool->worker_count - 1);
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    wf_watch_stir();
    wf_watch_lock();
    const struct wf_place *place = &pool->replan->places[worker];
    *out = (weft_worker){.active = place->role >= 0,
                         .bound = place->mask.set && !place->refusal,
                         .pu = place->pu,
                         .os_node = place->os_node,
                         .memory_node = place->memory_node,
                         .thread = (int)wf_worker_tid(pool->workers[worker])};
    wf_watch_unlock();
    return WEFT_OK;
}
