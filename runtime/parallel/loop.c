/*
 * Loops by broadcast: every worker gets its planned part as a range word, runs it chunk by chunk, and then takes half of what
 * the nearest worker has left. The join counts iterations, not arrivals: a worker that sleeps through the loop delays nobody.
 * Threading: a job is shared by the caller and all workers inside the slot; letters as in scheduler/pool.h.
 */
#include "parallel/loop.h"

#include <limits.h>
#include <time.h>

#include "base/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "memory/pages.h"
#include "parallel/loop_split.h"
#include "scheduler/join.h"
#include "scheduler/search.h"
#include "scheduler/seat.h"

#define JOB_DONE 1u
#define JOB_WAITING 2u

struct loop_job {
    size_t n;             /* I while live, as all down to `parent` */
    size_t align, unit;   /* iterations; unit is a multiple of align */
    size_t grain;         /* 0: automatic */
    const size_t *bounds; /* the caller's; read only by holders of unfinished iterations */
    unsigned parts;
    bool is_static;
    weft_loop_fn body;
    void *arg;
    const struct wf_frame *parent;           /* the caller's task, which waits for the loop */
    struct wf_signal *waiter;                /* the caller's */
    WF_LINE_ALIGNED wf_atomic_u64 remaining; /* A: iterations that have not ended */
    wf_atomic_u32 done;                      /* A: JOB_DONE set by the last worker, JOB_WAITING by the caller */
    WF_LINE_ALIGNED wf_atomic_u64 local, chunks, steals[2 + WEFT_REMOTE_CLASSES]; /* A: added up before `remaining` goes down */
};
_Static_assert(sizeof(struct loop_job) <= WF_BROADCAST_JOB_BYTES, "a loop fits into a broadcast slot");

/* What one worker did during one visit. O. */
struct visit {
    struct loop_job *job;
    unsigned slot;
    struct wf_worker *worker;
    struct wf_chunker chunker;
    uint64_t iterations, local, chunks, steals[2 + WEFT_REMOTE_CLASSES];
};

size_t weft_partition(size_t n, unsigned parts, size_t align, unsigned index) {
    if (!parts || index >= parts)
        return n;
    size_t unit = align ? align : 1;
    size_t units = n / unit + (n % unit != 0), share = units / parts, extra = units % parts;
    size_t at = share * index + (index < extra ? index : extra);
    return at < units ? at * unit : n;
}

static size_t part_first(const struct loop_job *job, unsigned part) {
    return job->bounds ? job->bounds[part] : weft_partition(job->n, job->parts, job->align, part);
}

static size_t units_of(const struct loop_job *job, size_t iterations) {
    return iterations / job->unit + (iterations % job->unit != 0);
}

/* Claim some units of the own word from its low end. */
static bool claim_own(struct visit *visit, struct wf_units *claimed) {
    struct wf_broadcast_line *line = &visit->worker->lines[visit->slot];
    uint64_t word = wf_load(&line->word, WF_RELAXED);
    for (;;) {
        struct wf_units units = wf_units_unpack(word);
        uint32_t left = units.hi - units.lo;
        if (!left)
            return false;
        uint32_t count = visit->job->is_static && !visit->job->grain ? left : wf_chunker_take(&visit->chunker, left);
        struct wf_units rest = units;
        rest.lo += count;
        /* relaxed: the units were published with the slot or stored by this worker; only the word's atomicity counts */
        if (wf_cas(&line->word, &word, wf_units_pack(rest), WF_RELAXED, WF_RELAXED)) {
            *claimed = units;
            claimed->hi = rest.lo;
            return true;
        }
    }
}

/* Take the upper half of a victim's units into the own word, which is empty. */
static bool steal_units(struct visit *visit, unsigned victim) {
    struct wf_worker *worker = visit->worker;
    wf_atomic_u64 *from = &worker->pool->workers[victim]->lines[visit->slot].word;
    uint64_t word = wf_load(from, WF_RELAXED);
    for (;;) {
        struct wf_units units = wf_units_unpack(word);
        if (units.lo >= units.hi || units.is_static)
            return false;
        struct wf_units left = units;
        left.hi -= (units.hi - units.lo + 1) / 2;
        if (!wf_cas(from, &word, wf_units_pack(left), WF_RELAXED, WF_RELAXED))
            continue;
        units.lo = left.hi;
        wf_store(&worker->lines[visit->slot].word, wf_units_pack(units), WF_SEQ_CST); /* then the look at sleepers */
        if (units.hi - units.lo > 1)
            wf_pool_offer(worker->pool, worker->node);
        wf_count_steal(worker, victim);
        visit->steals[worker->classes[victim]]++;
        return true;
    }
}

/* Nearest first, from a random start in each group. */
static bool steal_any(struct visit *visit) {
    struct wf_worker *worker = visit->worker;
    for (unsigned g = 0; g < worker->planned->group_count; g++) {
        const weft_victim_group *group = &worker->planned->groups[g];
        unsigned start = wf_rng_below(&worker->random, group->worker_count);
        for (unsigned i = 0; i < group->worker_count; i++) {
            unsigned at = start + i < group->worker_count ? start + i : start + i - group->worker_count;
            if (steal_units(visit, group->workers[at]))
                return true;
        }
    }
    return false;
}

/* Run claimed units: [first, last) of their part, in calls of at most `grain` iterations if that is fixed. */
static void run_units(struct visit *visit, struct wf_units units) {
    const struct loop_job *job = visit->job;
    struct wf_worker *worker = visit->worker;
    size_t begin = part_first(job, units.part), end = part_first(job, units.part + 1);
    size_t first = begin + units.lo * job->unit;
    size_t last = units.hi - units.lo <= (end - first) / job->unit ? first + (units.hi - units.lo) * job->unit : end;
    size_t most = job->grain ? job->grain : last - first;
    uint64_t before = job->grain || job->is_static ? 0 : wf_now_ns();
    for (size_t at = first; at < last;) {
        size_t next = last - at > most ? at + most : last;
        job->body(job->arg, (weft_range){at, next});
        if (wf_deque_head(&worker->deque) != worker->frame->base)
            wf_sync_to(worker, worker->frame->base); /* an iteration has ended when its children have */
        visit->chunks++;
        at = next;
    }
    if (before)
        wf_chunker_learn(&visit->chunker, wf_now_ns() - before);
    visit->iterations += last - first;
    if (worker->pool->workers[units.part]->node == worker->node)
        visit->local += last - first;
}

/* Add a visit to the job; whoever brings the last iterations ends it. */
static void report_visit(struct visit *visit) {
    struct loop_job *job = visit->job;
    struct wf_worker *worker = visit->worker;
    if (!visit->iterations)
        return;
    wf_count(&worker->counters.loop_iterations, visit->iterations);
    wf_count(&worker->counters.loop_iterations_local, visit->local);
    wf_store(&worker->lines[visit->slot].took_part, 1, WF_RELAXED);
    wf_fetch_add(&job->local, visit->local, WF_RELAXED);
    wf_fetch_add(&job->chunks, visit->chunks, WF_RELAXED);
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(visit->steals); i++)
        if (visit->steals[i])
            wf_fetch_add(&job->steals[i], visit->steals[i], WF_RELAXED);
    /* acq_rel: all bodies and counts come before the end */
    if (wf_fetch_sub(&job->remaining, visit->iterations, WF_ACQ_REL) != visit->iterations)
        return;
    if (wf_fetch_or(&job->done, JOB_DONE, WF_ACQ_REL) & JOB_WAITING)
        wf_signal_set(job->waiter, WF_SIGNAL_HINT);
}

static void run_job(void *storage, unsigned slot, struct wf_worker *worker) {
    struct loop_job *job = storage;
    struct visit visit = {.job = job, .slot = slot, .worker = worker, .chunker = wf_chunker_start(job->grain, job->unit)};
    struct wf_frame frame;
    struct wf_units units;
    wf_frame_enter(worker, &frame, job->parent, NULL);
    frame.in_loop = true;
    do {
        while (claim_own(&visit, &units))
            run_units(&visit, units);
    } while (!job->is_static && steal_any(&visit));
    wf_frame_leave(worker, &frame);
    report_visit(&visit);
}

/* The largest part decides how many iterations one unit stands for. */
static void choose_unit(struct loop_job *job) {
    size_t largest = 0;
    for (unsigned part = 0; part < job->parts; part++) {
        size_t size = part_first(job, part + 1) - part_first(job, part);
        largest = size > largest ? size : largest;
    }
    size_t least = largest / WF_UNITS_MAX + (largest % WF_UNITS_MAX != 0);
    job->unit = least <= job->align ? job->align : (least / job->align + (least % job->align != 0)) * job->align;
}

static void fill_job(struct loop_job *job, weft_pool *pool, const struct wf_loop_request *request, struct wf_worker *self,
                     struct wf_signal *waiter) {
    job->n = request->n;
    job->align = request->align ? request->align : 1;
    job->grain = request->grain;
    job->bounds = request->bounds;
    job->parts = pool->worker_count;
    job->is_static = request->schedule != WEFT_SCHEDULE_STEAL;
    job->body = request->body;
    job->arg = request->arg;
    job->parent = self ? self->frame : NULL;
    job->waiter = waiter;
    choose_unit(job);
    wf_store(&job->remaining, request->n, WF_RELAXED); /* this and what follows is released by the offer */
    wf_store(&job->done, 0, WF_RELAXED);
    wf_store(&job->local, 0, WF_RELAXED);
    wf_store(&job->chunks, 0, WF_RELAXED);
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(job->steals); i++)
        wf_store(&job->steals[i], 0, WF_RELAXED);
}

static void fill_lines(const struct loop_job *job, weft_pool *pool, unsigned slot) {
    for (unsigned part = 0; part < job->parts; part++) {
        size_t size = part_first(job, part + 1) - part_first(job, part);
        struct wf_units units = {.is_static = job->is_static, .part = part, .hi = (uint32_t)units_of(job, size)};
        struct wf_broadcast_line *line = &pool->workers[part]->lines[slot];
        wf_store(&line->took_part, 0, WF_RELAXED);
        wf_store(&line->word, wf_units_pack(units), WF_RELAXED);
    }
}

/* Waiting for a loop on a worker that called it. */
struct loop_wait {
    struct loop_job *job;
    unsigned slot;
};

static bool loop_ready(void *what) {
    return wf_load(&((struct loop_wait *)what)->job->done, WF_ACQUIRE) & JOB_DONE; /* pairs with report_visit() */
}

static bool loop_help(struct wf_worker *worker, void *what) {
    struct loop_wait *wait = what;
    if (wait->job->is_static || !wf_broadcast_claimable(worker, wait->slot, true))
        return false;
    run_job(wait->job, wait->slot, worker);
    return true;
}

static bool loop_announce(struct wf_worker *worker, void *what) {
    (void)worker;
    return wf_fetch_or(&((struct loop_wait *)what)->job->done, JOB_WAITING, WF_SEQ_CST) & JOB_DONE;
}

static void wait_outside(struct loop_job *job, struct wf_signal *signal) {
    /* Once WAITING is set on an unfinished job its end sets HINT, and the signal must live until then. */
    if (!(wf_fetch_or(&job->done, JOB_WAITING, WF_ACQ_REL) & JOB_DONE))
        wf_signal_take(signal, WF_SIGNAL_HINT);
}

static void fill_report(const struct loop_job *job, const weft_pool *pool, unsigned slot, weft_loop_report *report) {
    *report = (weft_loop_report){.iterations = job->n,
                                 .iterations_local = wf_load(&job->local, WF_RELAXED), /* ordered by `done` */
                                 .chunks = wf_load(&job->chunks, WF_RELAXED),
                                 .steals_cache = wf_load(&job->steals[0], WF_RELAXED),
                                 .steals_node = wf_load(&job->steals[1], WF_RELAXED)};
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        report->steals_remote[i] = wf_load(&job->steals[2 + i], WF_RELAXED);
    for (unsigned i = 0; i < pool->worker_count; i++)
        report->workers += wf_load(&pool->workers[i]->lines[slot].took_part, WF_RELAXED);
}

static void run_broadcast(weft_pool *pool, unsigned slot, const struct wf_loop_request *request, struct wf_worker *self) {
    struct wf_broadcast *broadcast = &pool->broadcasts.slots[slot];
    struct loop_job *job = (struct loop_job *)(void *)broadcast->job;
    struct wf_signal signal = {0};
    broadcast->run = run_job;
    fill_job(job, pool, request, self, self ? &self->signal : &signal);
    fill_lines(job, pool, slot);
    wf_broadcast_offer(pool, slot);
    if (self) {
        struct loop_wait wait = {job, slot};
        run_job(job, slot, self);
        wf_wait_for(self, &(struct wf_wait){loop_ready, loop_help, loop_announce, NULL, &wait});
    } else {
        wait_outside(job, &signal);
    }
    if (request->report)
        fill_report(job, pool, slot, request->report);
    wf_broadcast_end(&pool->broadcasts, slot);
}

/* A thread outside the pool can wait for one of the other loops to end. That many at once are rare enough for a nap. */
static unsigned wait_for_slot(weft_pool *pool) {
    int slot;
    while ((slot = wf_broadcast_take(&pool->broadcasts)) < 0)
        nanosleep(&(struct timespec){.tv_nsec = 50000}, NULL);
    return (unsigned)slot;
}

/* A caller that is no worker becomes one if it can; else it leaves all to the workers. */
static weft_status run_outside(weft_pool *pool, const struct wf_loop_request *request) {
    unsigned node = wf_pool_near(pool);
    struct wf_seat seat;
    weft_status status = wf_pool_admit(pool, node);
    if (status)
        return status;
    unsigned slot = wait_for_slot(pool);
    if (!request->placed && wf_seat_take(pool, &seat)) {
        run_broadcast(pool, slot, request, seat.worker);
        wf_seat_leave(&seat);
    } else {
        run_broadcast(pool, slot, request, NULL);
    }
    wf_pool_release(pool, node);
    return WEFT_OK;
}

weft_status wf_loop_run(weft_pool *pool, const struct wf_loop_request *request) {
    weft_status status = wf_pool_check(pool);
    if (status)
        return status;
    struct wf_worker *self = wf_self_in(pool);
    if (!request->n) {
        if (request->report)
            *request->report = (weft_loop_report){0};
        return WEFT_OK;
    }
    if (!self || !self->frame)
        return run_outside(pool, request);
    bool may_split = request->schedule == WEFT_SCHEDULE_STEAL && !request->bounds;
    int slot = may_split && self->frame->in_loop ? -1 : wf_broadcast_take(&pool->broadcasts);
    if (slot >= 0)
        run_broadcast(pool, (unsigned)slot, request, self);
    else if (request->schedule == WEFT_SCHEDULE_STEAL)
        wf_loop_split(self, request);
    else
        return wf_fail(WEFT_EAGAIN, "a static loop inside %u others: no room for one more, use WEFT_SCHEDULE_STEAL",
                       WF_BROADCASTS);
    return WEFT_OK;
}

/* Iterations per step between page boundaries, 1 if parts that begin there would be too uneven. */
static size_t page_align(const weft_pool *pool, size_t n, size_t item_bytes) {
    size_t page = wf_page_bytes(), a = page, b = item_bytes;
    while (b) { /* greatest common divisor */
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    size_t align = page / a;
    return align <= n / pool->worker_count ? align : 1;
}

weft_status weft_for(weft_pool *pool, size_t n, weft_loop_fn body, void *arg, const weft_for_options *options) {
    weft_for_options known = {WEFT_FOR_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_for_options");
    if (status)
        return status;
    if (!pool || !body)
        return wf_fail(WEFT_EINVAL, "weft_for() needs a pool and a body, got NULL");
    if ((unsigned)known.schedule > WEFT_SCHEDULE_FIRST_TOUCH)
        return wf_fail(WEFT_EINVAL, "weft_for_options.schedule is %d: use STEAL, STATIC or FIRST_TOUCH", (int)known.schedule);
    if (known.tile[0] || known.tile[1] || known.tile[2])
        return wf_fail(WEFT_EINVAL, "weft_for_options.tile is for weft_for_2d() and weft_for_3d(): use grain");
    struct wf_loop_request request = {.n = n,
                                      .body = body,
                                      .arg = arg,
                                      .schedule = known.schedule,
                                      .grain = known.grain,
                                      .align = known.align,
                                      .report = known.report};
    if (known.schedule == WEFT_SCHEDULE_FIRST_TOUCH) {
        if (!known.item_bytes)
            return wf_fail(WEFT_EINVAL,
                           "WEFT_SCHEDULE_FIRST_TOUCH needs weft_for_options.item_bytes, the bytes one iteration touches");
        if (known.align)
            return wf_fail(WEFT_EINVAL,
                           "WEFT_SCHEDULE_FIRST_TOUCH chooses the alignment itself: leave weft_for_options.align zero");
        request.schedule = WEFT_SCHEDULE_STATIC;
        request.placed = true;
        request.align = page_align(pool, n, known.item_bytes);
    }
    return wf_loop_run(pool, &request);
}
