/* Making futures, and settling them; the protocol stands in future.h. */
#include "parallel/future.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/status.h"
#include "scheduler/submit.h"
#include "scheduler/waiters.h"

/* In place of the first link of a future that is done. */
static struct wf_future_link closed;

weft_future *weft_future_retain(weft_future *future) {
    if (future)
        wf_fetch_add(&future->references, 1, WF_RELAXED); /* the caller has one */
    return future;
}

static void settle(weft_future *future, weft_status status, void *value, const char *text);

static void destroy(weft_future *future) {
    uint32_t descriptor = wf_load(&future->descriptor, WF_RELAXED);
    if (descriptor)
        close((int)descriptor - 1);
    pthread_mutex_destroy(&future->lock);
    free(future->text);
    free(future);
}

void weft_future_release(weft_future *future) {
    if (!future || wf_fetch_sub(&future->references, 1, WF_ACQ_REL) != 1) /* all uses come before the end */
        return;
    if (wf_future_claim(future)) { /* nobody can set it any more */
        wf_store(&future->references, 1, WF_RELAXED);
        settle(future, WEFT_ECANCELED, NULL, "the future was released by all who could have set it");
        if (wf_fetch_sub(&future->references, 1, WF_ACQ_REL) != 1)
            return;
    }
    destroy(future);
}

static weft_future *make(weft_pool *pool, enum wf_future_kind kind, size_t links) {
    weft_future *future = links <= (SIZE_MAX - sizeof *future) / sizeof future->links[0]
                              ? calloc(1, sizeof *future + links * sizeof future->links[0])
                              : NULL;
    if (!future)
        return NULL;
    future->pool = pool;
    future->kind = kind;
    future->which = SIZE_MAX;
    future->link_count = links;
    wf_store(&future->references, 1, WF_RELAXED); /* the creator's, alone until it is published */
    pthread_mutex_init(&future->lock, NULL);
    return future;
}

weft_future *wf_future_source(weft_future *future, size_t index) {
    pthread_mutex_lock(&future->lock);
    weft_future *source = weft_future_retain(future->links[index].source);
    pthread_mutex_unlock(&future->lock);
    return source;
}

static void drop_sources(weft_future *future) {
    for (size_t i = 0; i < future->link_count; i++) {
        pthread_mutex_lock(&future->lock);
        weft_future *source = future->links[i].source;
        future->links[i].source = NULL;
        pthread_mutex_unlock(&future->lock);
        weft_future_release(source);
    }
}

/* NULL: no memory, or no text. */
static char *copy_of(const char *text) {
    size_t bytes = text ? strlen(text) + 1 : 0;
    char *copy = bytes > 1 ? malloc(bytes) : NULL;
    if (copy)
        memcpy(copy, text, bytes);
    return copy;
}

static void set_descriptor(const weft_future *future) {
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write((int)wf_load(&future->descriptor, WF_ACQUIRE) - 1, &one, sizeof one); /* pairs with its making */
    (void)written; /* it cannot fail: the counter is 0 or 1 */
    errno = saved;
}

/* The result is there. Returns the links that are to be fired, oldest first. */
static struct wf_future_link *finish(weft_future *future, weft_status status, void *value, const char *text) {
    future->status = status;
    future->value = value;
    future->text = status ? copy_of(text) : NULL;
    uint32_t state = wf_fetch_or(&future->state, WF_FUTURE_DONE, WF_SEQ_CST);
    if (state & WF_FUTURE_DESCRIPTOR)
        set_descriptor(future);
    if (state & WF_FUTURE_SLEEPER)
        wf_waiters_wake(future);
    struct wf_future_link *link = wf_exchange(&future->followers, &closed, WF_ACQ_REL), *oldest = NULL;
    while (link) {
        struct wf_future_link *next = link->next;
        link->next = oldest;
        oldest = link;
        link = next;
    }
    drop_sources(future);
    return oldest;
}

/* A source of an ALL is done: true: it was the last, and its result is that of the first that failed. */
static bool all_done(weft_future *future, const weft_future **result) {
    if (wf_fetch_sub(&future->pending, 1, WF_ACQ_REL) != 1 || !wf_future_claim(future))
        return false;
    for (size_t i = 0; i < future->link_count && !*result; i++)
        if (future->links[i].source->status)
            *result = future->links[i].source;
    return true;
}

static void run_task(void *argument) {
    weft_future *future = argument;
    if (wf_future_claim(future))
        wf_future_run(future);
    weft_future_release(future);
}

static weft_status submit(weft_future *future, weft_full full) {
    unsigned node = future->home ? future->home - 1 : wf_pool_near(future->pool);
    return wf_submit(future->pool, node, &(struct wf_task){.fn = run_task, .arg = future, .home = future->home}, full);
}

/* What follows is to run. False: it has failed, claimed, as this thread's text says. The link's reference is the task's. */
static bool submit_then(weft_future *future, weft_status *status) {
    weft_future_retain(future);
    *status = submit(future, WEFT_FULL_BLOCK);
    if (!*status)
        return true;
    weft_future_release(future);
    return !wf_future_claim(future);
}

/* The source of a link is done. Returns further links to fire, of a target that is done by that. */
static struct wf_future_link *fire(struct wf_future_link *link) {
    weft_future *target = link->target;
    const weft_future *failed = NULL;
    struct wf_future_link *more = NULL;
    weft_status status;
    if (target->kind == WF_FUTURE_ALL) {
        if (all_done(target, &failed))
            more = finish(target, failed ? failed->status : WEFT_OK, NULL, failed ? failed->text : NULL);
    } else if (target->kind == WF_FUTURE_ANY) {
        if (wf_future_claim(target)) {
            target->which = (size_t)(link - target->links);
            more = finish(target, link->source->status, link->source->value, link->source->text);
        }
    } else {
        weft_future *source = wf_future_source(target, 0); /* NULL: the target was cancelled */
        if (source && source->status && !target->always) {
            if (wf_future_claim(target))
                more = finish(target, source->status, source->value, source->text);
        } else if (source && !submit_then(target, &status)) {
            more = finish(target, status, NULL, weft_error_detail());
        }
        weft_future_release(source);
    }
    weft_future_release(target);
    return more;
}

/* Fire links, and what follows from them, one after the other: chains may be long. */
static void fire_all(weft_pool *pool, struct wf_future_link *links) {
    while (links) {
        struct wf_future_link *link = links;
        links = link->next;
        struct wf_future_link *more = fire(link);
        while (more) {
            struct wf_future_link *next = more->next;
            more->next = links;
            links = more;
            more = next;
        }
    }
    if (wf_load(&pool->future_waiters, WF_SEQ_CST))
        wf_waiters_wake(&pool->future_waiters);
}

/* A claimed future, of which the caller has a reference. */
static void settle(weft_future *future, weft_status status, void *value, const char *text) {
    fire_all(future->pool, finish(future, status, value, text));
}

void wf_future_run(void *argument) {
    weft_future *future = argument;
    uint32_t failures = wf_failures;
    void *value = NULL;
    weft_status status;
    wf_store(&future->frame, wf_self->frame, WF_RELAXED);
    if (future->kind == WF_FUTURE_THEN) {
        const weft_future *source = future->links[0].source;
        if (source->status && !future->always) {
            settle(future, source->status, source->value, source->text);
            return;
        }
        status = future->fn.then(future->arg, source->status, source->value, &value);
    } else {
        status = future->fn.async(future->arg, &value);
    }
    weft_sync(); /* what it spawned has ended */
    wf_store(&future->frame, NULL, WF_RELAXED);
    settle(future, status, value, failures != wf_failures ? weft_error_detail() : NULL);
}

/* Add a link to the future it comes from; fire it if that is done. */
static void follow(weft_future *target, size_t index, weft_future *source) {
    struct wf_future_link *link = &target->links[index];
    void *first = wf_load(&source->followers, WF_ACQUIRE);
    do {
        if (first == &closed) {
            link->next = NULL;
            fire_all(target->pool, link);
            return;
        }
        link->next = first;
    } while (!wf_cas(&source->followers, &first, link, WF_RELEASE, WF_ACQUIRE));
}

/* Links of a future that nobody knows yet, each with a reference on both ends, and one that the caller keeps until all are followed. */
static void set_sources(weft_future *future, weft_future *const *sources) {
    for (size_t i = 0; i < future->link_count; i++) {
        future->links[i] = (struct wf_future_link){.target = future, .source = weft_future_retain(sources[i])};
        weft_future_retain(future);
    }
}

/* The program's reference; NULL: it does not want it. */
static void hand_out(weft_future **out, weft_future *future) {
    if (out)
        *out = future;
    else
        weft_future_release(future);
}

static weft_status read_options(const weft_pool *pool, weft_async_options *options, const weft_async_options *given) {
    weft_status status = wf_options_copy(options, sizeof *options, given, "weft_async_options");
    if (status)
        return status;
    if (!options->placed && options->node)
        return wf_fail(WEFT_EINVAL, "weft_async_options.node is %u but placed is not set: set both, or none", options->node);
    if (options->node >= pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u does not exist: use 0 to %u", options->node, pool->node_count - 1);
    if ((unsigned)options->full > WEFT_FULL_REFUSE)
        return wf_fail(WEFT_EINVAL, "weft_async_options.full is %d: use WEFT_FULL_BLOCK or WEFT_FULL_REFUSE", (int)options->full);
    return WEFT_OK;
}

weft_status weft_async(weft_pool *pool, weft_future **out, weft_async_fn fn, void *arg, const weft_async_options *options) {
    weft_async_options known = {WEFT_ASYNC_OPTIONS_INIT};
    if (!pool || !fn)
        return wf_fail(WEFT_EINVAL, "weft_async() needs a pool and a function, got NULL");
    weft_status status = read_options(pool, &known, options);
    if (status || (status = wf_pool_check(pool)))
        return status;
    weft_future *future = make(pool, WF_FUTURE_ASYNC, 0);
    if (!future)
        return wf_fail(WEFT_ENOMEM, "no memory for a future");
    future->fn.async = fn;
    future->arg = arg;
    future->home = known.placed ? known.node + 1 : 0;
    weft_future_retain(future); /* the task's */
    status = submit(future, known.full);
    if (status) {
        destroy(future);
        return status;
    }
    hand_out(out, future);
    return WEFT_OK;
}

weft_status weft_future_create(weft_future **out, weft_pool *pool) {
    if (!out || !pool)
        return wf_fail(WEFT_EINVAL, "weft_future_create() needs a place for the future and a pool, got NULL");
    weft_future *future = make(pool, WF_FUTURE_SET, 0);
    if (!future)
        return wf_fail(WEFT_ENOMEM, "no memory for a future");
    *out = future;
    return WEFT_OK;
}

weft_status weft_future_set(weft_future *future, weft_status status, void *value) {
    if (!future)
        return wf_fail(WEFT_EINVAL, "weft_future_set() needs a future, got NULL");
    if (future->kind != WF_FUTURE_SET)
        return wf_fail(WEFT_EINVAL, "the future has a function or depends on others: set those of weft_future_create() only");
    if (wf_future_claim(future)) {
        weft_future_retain(future); /* who sees the result may release it */
        settle(future, status, value, status == wf_last_failure ? weft_error_detail() : NULL);
        weft_future_release(future);
        return WEFT_OK;
    }
    if (wf_load(&future->state, WF_RELAXED) & WF_FUTURE_CANCELED) /* done or not */
        return wf_fail(WEFT_ECANCELED, "the future was cancelled: the value is still the caller's");
    return wf_fail(WEFT_EINVAL, "the future is set already: set it once");
}

weft_status weft_future_then(weft_future *before, weft_future **out, weft_then_fn fn, void *arg,
                             const weft_async_options *options) {
    weft_async_options known = {WEFT_ASYNC_OPTIONS_INIT};
    if (!before || !fn)
        return wf_fail(WEFT_EINVAL, "weft_future_then() needs a future and a function, got NULL");
    weft_status status = read_options(before->pool, &known, options);
    if (status)
        return status;
    weft_future *future = make(before->pool, WF_FUTURE_THEN, 1);
    if (!future)
        return wf_fail(WEFT_ENOMEM, "no memory for a future");
    future->fn.then = fn;
    future->arg = arg;
    future->always = known.always;
    future->home = known.placed ? known.node + 1 : 0;
    set_sources(future, &before);
    follow(future, 0, before);
    hand_out(out, future);
    return WEFT_OK;
}

/* An ALL or ANY of `count` futures. */
static weft_status combine(weft_future **out, weft_pool *pool, enum wf_future_kind kind, weft_future *const *futures,
                           size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!futures[i])
            return wf_fail(WEFT_EINVAL, "future %zu of %zu is NULL", i, count);
        if (futures[i]->pool != pool)
            return wf_fail(WEFT_EINVAL, "future %zu of %zu belongs to another pool", i, count);
    }
    if (count >= UINT32_MAX)
        return wf_fail(WEFT_EINVAL, "%zu futures are too many: use %u at most", count, UINT32_MAX - 1);
    weft_future *future = make(pool, kind, count);
    if (!future)
        return wf_fail(WEFT_ENOMEM, "no memory for a future of %zu others", count);
    wf_store(&future->pending, (uint32_t)count, WF_RELAXED); /* published by follow() */
    set_sources(future, futures);
    if (!count) {
        wf_future_claim(future);
        settle(future, WEFT_OK, NULL, NULL);
    }
    for (size_t i = 0; i < count; i++)
        follow(future, i, futures[i]);
    *out = future;
    return WEFT_OK;
}

weft_status weft_future_all(weft_future **all, weft_pool *pool, weft_future *const *futures, size_t count) {
    if (!all || !pool || (!futures && count))
        return wf_fail(WEFT_EINVAL, "weft_future_all() needs a place for the future, a pool and futures, got NULL");
    return combine(all, pool, WF_FUTURE_ALL, futures, count);
}

weft_status weft_future_any(weft_future **any, weft_pool *pool, weft_future *const *futures, size_t count) {
    if (!any || !pool || !futures)
        return wf_fail(WEFT_EINVAL, "weft_future_any() needs a place for the future, a pool and futures, got NULL");
    if (!count)
        return wf_fail(WEFT_EINVAL, "weft_future_any() of no futures would never be done: give it one at least");
    return combine(any, pool, WF_FUTURE_ANY, futures, count);
}

size_t weft_future_which(const weft_future *any) {
    return any && wf_future_is_done(any) ? any->which : SIZE_MAX;
}

bool weft_future_done(const weft_future *future) {
    return future && wf_future_is_done(future);
}

weft_status weft_future_cancel(weft_future *future) {
    if (!future)
        return wf_fail(WEFT_EINVAL, "weft_future_cancel() needs a future, got NULL");
    if (!wf_future_claim_to_cancel(future))
        return wf_fail(WEFT_EAGAIN, "the future is done, or its function has begun");
    weft_future_retain(future);
    settle(future, WEFT_ECANCELED, NULL, "the future was cancelled");
    weft_future_release(future);
    return WEFT_OK;
}

weft_status weft_future_eventfd(weft_future *future, int *descriptor) {
    if (!future || !descriptor)
        return wf_fail(WEFT_EINVAL, "weft_future_eventfd() needs a future and a place for the descriptor, got NULL");
    uint32_t known = wf_load(&future->descriptor, WF_ACQUIRE);
    if (!known) {
        int made = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (made < 0)
            return wf_fail(WEFT_EPERM, "the system gives no eventfd: %s", strerror(errno));
        /* release: who is told of it by the state may write into it */
        if (wf_cas(&future->descriptor, &known, (uint32_t)made + 1, WF_ACQ_REL, WF_ACQUIRE)) {
            known = (uint32_t)made + 1;
            if (wf_fetch_or(&future->state, WF_FUTURE_DESCRIPTOR, WF_ACQ_REL) & WF_FUTURE_DONE)
                set_descriptor(future);
        } else {
            close(made);
        }
    }
    *descriptor = (int)known - 1;
    return WEFT_OK;
}
