/* Writes the lines of the effective state, and reads the counters. */
#include "scheduler/effective.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum line { WORKERS, PIN, BINDING, MEMORY, SPIN, STACK, LINES };

struct wf_effective_lines {
    weft_effective lines[LINES];
    char texts[LINES][3][192];
};

static const char *const features[LINES] = {"workers", "pin", "binding", "memory", "spin", "stack"};

static WF_PRINTF(4, 5) void set(struct wf_effective_lines *lines, enum line line, unsigned column, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(lines->texts[line][column], sizeof lines->texts[line][column], format, args);
    va_end(args);
}

enum { ASKED, GOT, REASON };

static void describe_workers(const weft_pool *pool, struct wf_effective_lines *lines) {
    if (pool->settings.workers_asked)
        set(lines, WORKERS, ASKED, "%u", pool->settings.workers_asked);
    else
        set(lines, WORKERS, ASKED, "one per core");
    set(lines, WORKERS, GOT, "%u on %u node%s", pool->worker_count, pool->node_count, pool->node_count == 1 ? "" : "s");
    set(lines, WORKERS, REASON, "%s", weft_plan_get_limits(pool->plan)->reason);
}

static void describe_binding(const weft_pool *pool, struct wf_effective_lines *lines) {
    set(lines, PIN, ASKED, "%s", wf_pin_name(pool->settings.pin_asked));
    bool bound = weft_plan_get_limits(pool->plan)->this_system;
    set(lines, PIN, GOT, "%s", wf_pin_name(bound ? pool->settings.pin : WEFT_PIN_NONE));
    set(lines, PIN, REASON, "%s", pool->settings.pin_reason);
    set(lines, BINDING, ASKED, "every worker");
    if (!weft_plan_get_limits(pool->plan)->this_system) {
        set(lines, BINDING, GOT, "none");
        set(lines, BINDING, REASON, "the topology is not this machine's");
    } else if (pool->unbound_workers) {
        if (pool->unbound_workers < pool->worker_count)
            set(lines, BINDING, GOT, "all but %u workers", pool->unbound_workers);
        else
            set(lines, BINDING, GOT, "none");
        set(lines, BINDING, REASON, "the system refused their CPUs: %s", strerror(pool->unbound_errno));
    } else {
        set(lines, BINDING, GOT, "every worker");
        set(lines, BINDING, REASON, "masks were set before the threads ran");
    }
}

static void describe_memory(const weft_pool *pool, struct wf_effective_lines *lines) {
    weft_status refusal = (weft_status)wf_load(&pool->memory_status, WF_RELAXED);
    set(lines, MEMORY, ASKED, "on the worker's node");
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

static void describe_rest(const weft_pool *pool, struct wf_effective_lines *lines) {
    set(lines, SPIN, ASKED, "before sleep");
    set(lines, SPIN, GOT, "%" PRIu64 " us", pool->settings.spin_ns / 1000);
    set(lines, SPIN, REASON, "%s", pool->settings.spin_reason);
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

weft_status wf_effective_make(weft_pool *pool) {
    struct wf_effective_lines *lines = calloc(1, sizeof *lines);
    if (!lines)
        return wf_fail(WEFT_ENOMEM, "no memory for the effective state");
    describe_workers(pool, lines);
    describe_binding(pool, lines);
    describe_memory(pool, lines);
    describe_rest(pool, lines);
    for (unsigned i = 0; i < LINES; i++)
        lines->lines[i] = (weft_effective){features[i], lines->texts[i][ASKED], lines->texts[i][GOT], lines->texts[i][REASON]};
    pool->effective = lines;
    return WEFT_OK;
}

void wf_effective_release(struct wf_effective_lines *lines) {
    free(lines);
}

size_t weft_pool_effective(const weft_pool *pool, weft_effective *out, size_t max) {
    if (!pool)
        return 0;
    for (size_t i = 0; out && i < LINES && i < max; i++)
        out[i] = pool->effective->lines[i];
    return LINES;
}
