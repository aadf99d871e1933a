/* Starting threads beside the workers. */
#include "scheduler/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "machine/binding.h"
#include "scheduler/replan.h"
#include "scheduler/start.h"
#include "scheduler/watch.h"

/* Every CPU that the pool may use now; no mask: its topology is foreign. */
static weft_status copy_mask(weft_pool *pool, struct wf_cpu_mask *mask) {
    mask->set = NULL;
    if (!weft_plan_get_limits(pool->plan)->this_system)
        return WEFT_OK;
    wf_watch_lock();
    weft_status status = wf_plan_cpu_mask(pool->replan->current, 0, WEFT_PIN_NONE, mask);
    wf_watch_unlock();
    return status;
}

static int start(const struct wf_cpu_mask *mask, void *(*run)(void *), void *arg, pthread_t *thread) {
    pthread_attr_t attributes;
    sigset_t blocked;
    wf_start_signals(&blocked);
    int error = pthread_attr_init(&attributes);
    if (error)
        return error;
    error = pthread_attr_setsigmask_np(&attributes, &blocked);
    if (!error && mask->set)
        error = pthread_attr_setaffinity_np(&attributes, mask->bytes, mask->set);
    if (!error)
        error = pthread_create(thread, &attributes, run, arg);
    pthread_attr_destroy(&attributes);
    return error;
}

weft_status wf_thread_start(weft_pool *pool, const char *name, void *(*run)(void *), void *arg, pthread_t *thread) {
    struct wf_cpu_mask mask;
    weft_status status = copy_mask(pool, &mask);
    if (status)
        return status;
    int error = start(&mask, run, arg, thread);
    if (error && error != EAGAIN && error != ENOMEM && mask.set) /* the mask is refused: it has changed, or seccomp */
        error = start(&(struct wf_cpu_mask){0}, run, arg, thread);
    wf_cpu_mask_release(&mask);
    if (error)
        return wf_fail(error == ENOMEM ? WEFT_ENOMEM : WEFT_EPERM,
                       "thread '%s' was refused: %s (see ulimit -u, pids.max, ulimit -v)", name, strerror(error));
    char cut[16]; /* the kernel's limit */
    snprintf(cut, sizeof cut, "%s", name);
    pthread_setname_np(*thread, cut);
    return WEFT_OK;
}
