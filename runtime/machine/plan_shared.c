/*
 * The last plan that was made for a pool, given out again as long as nothing it was made from has changed: options, affinity mask,
 * quota, topology. Mask and topology are compared as they are now. Only plans of this machine that named neither nodes nor a file of
 * distances are kept.
 * Threading: any thread. The lock is taken by trylock only: whoever comes second, or in a child whose parent held it at the fork,
 * makes a plan of its own.
 */
#include <pthread.h>
#include <string.h>

#include "base/status.h"
#include "machine/binding.h"
#include "machine/plan.h"
#include "machine/plan_bounds.h"

static struct {
    pthread_mutex_t lock;
    weft_plan *plan;         /* NULL: none is kept */
    struct wf_cpu_mask mask; /* the process's when it was made */
} last = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* L */
static void forget(void) {
    weft_plan_destroy(last.plan);
    wf_cpu_mask_release(&last.mask);
    last.plan = NULL;
}

/* At exit, or when the library is unloaded. */
__attribute__((destructor)) static void forget_last(void) {
    if (pthread_mutex_trylock(&last.lock))
        return;
    forget();
    pthread_mutex_unlock(&last.lock);
}

/* What a plan is made from. */
struct terms {
    weft_plan_options options;
    const char *workers_who;
    struct wf_cpu_mask mask;
    struct wf_quota quota;
};

static bool same_options(const weft_plan_options *a, const weft_plan_options *b) {
    return a->workers == b->workers && a->reserved_cores == b->reserved_cores && a->smt == b->smt &&
           a->ignore_affinity == b->ignore_affinity && !a->topology && !b->topology && !a->nodes && !b->nodes && !a->distances &&
           !b->distances;
}

static bool same_quota(const weft_plan_limits *limits, const struct wf_quota *quota) {
    return limits->quota_cpus >= quota->cpus && limits->quota_cpus <= quota->cpus && !strcmp(limits->quota_source, quota->source);
}

/* L: whether the plan that is kept is what the terms give. */
static bool fits(const struct terms *terms) {
    return last.plan && same_options(&last.plan->options, &terms->options) && last.plan->workers_who == terms->workers_who &&
           wf_cpu_mask_equal(&last.mask, &terms->mask) && same_quota(&last.plan->limits, &terms->quota) &&
           wf_topology_is_live(last.plan->topology);
}

static bool take_last(const struct terms *terms, weft_plan **plan) {
    if (pthread_mutex_trylock(&last.lock))
        return false;
    bool taken = fits(terms);
    if (taken)
        *plan = wf_plan_retain(last.plan);
    pthread_mutex_unlock(&last.lock);
    return taken;
}

/* A plan that tells of a discovery tells of one moment. */
static void keep(const struct terms *terms, const weft_plan *plan) {
    struct wf_cpu_mask mask;
    if (plan->limits.discovery_ms > 0 || pthread_mutex_trylock(&last.lock))
        return;
    struct wf_detail before;
    wf_detail_keep(&before);
    if (!wf_cpu_mask_copy(&mask, &terms->mask)) {
        forget();
        last.plan = wf_plan_retain(plan);
        last.mask = mask;
    }
    wf_detail_restore(&before);
    pthread_mutex_unlock(&last.lock);
}

static weft_status create(struct terms *terms, const weft_plan_options *options, weft_plan **plan) {
    weft_status status = wf_cpu_mask_of_process(&terms->mask);
    if (status || (status = wf_quota_recent(&terms->quota)))
        return status;
    if (take_last(terms, plan))
        return WEFT_OK;
    const struct wf_plan_bounds bounds = {.within = &terms->mask, .quota = &terms->quota};
    if (!(status = wf_plan_create_bounded(plan, options, &bounds)))
        keep(terms, *plan);
    return status;
}

weft_status wf_plan_create_shared(weft_plan **plan, const weft_plan_options *options) {
    struct terms terms = {.options = {WEFT_PLAN_OPTIONS_INIT}};
    weft_status status = wf_plan_read_options(&terms.options, options, &terms.workers_who);
    if (status)
        return status;
    if (terms.options.topology || terms.options.nodes || terms.options.distances || terms.options.ignore_affinity)
        return weft_plan_create(plan, options);
    status = create(&terms, options, plan);
    wf_cpu_mask_release(&terms.mask);
    return status;
}
