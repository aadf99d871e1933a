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

#ifndef WF_ALONE_PART     /* a test may want few */
#define WF_ALONE_PART 32u /* a part of so many iterations may wait for its first to be measured */
#endif
#define ALONE_NS 1000u      /* a loop that takes no longer is not worth the lines that go there and back */
#define ALONE_CHUNK_NS 500u /* between looks at the clock meanwhile */
#define MEASURE_EVERY 32u
#define SEQUENCE_NS 100000u /* loops that begin so soon after each other find workers awake if somebody wakes them once */
#define WAKE_NS 3000u       /* a loop in such a sequence that takes longer wakes sleepers */
#define JOB_WAITING (UINT64_C(1) << 63) /* the caller sleeps, or is about to, until no unit is left */
#ifndef WF_JOIN_POLLS                   /* a test may want few */
#define WF_JOIN_POLLS 256u              /* looks at the join without a pause: about as long as a line takes there and back */
#endif

struct loop_job {
    size_t n;                    /* I while live, as all down to `waiter` */
    size_t align, unit;          /* iterations; unit is a multiple of align */
    size_t grain;                /* 0: automatic */
    const size_t *bounds;        /* the caller's; NULL: as weft_partition(), which is */
    size_t pieces, share, extra; /* of `align` iterations: all, in each part, and parts that have one more */
    unsigned parts;
    bool is_static;
    bool reports;       /* the caller wants a report */
    wf_atomic_u32 late; /* A: sleepers have not been woken, the loop seemed too short; relaxed, a hint */
    weft_loop_fn body;
    void *arg;
    const struct wf_frame *parent;           /* the caller's task, which waits for the loop */
    struct wf_signal *waiter;                /* the caller's */
    WF_LINE_ALIGNED wf_atomic_u64 remaining; /* A: units that are not reported as done, and JOB_WAITING; a static part is one */
    WF_LINE_ALIGNED wf_atomic_u64 local, chunks, steals[2 + WEFT_REMOTE_CLASSES]; /* A: if the job reports, added up before
                                                                                     `remaining` goes down */
};
_Static_assert(sizeof(struct loop_job) <= WF_BROADCAST_JOB_BYTES, "a loop fits into a broadcast slot");

/* What a worker's line says: enough to run its part of a static loop in one call. I as the job. */
struct loop_line {
    weft_loop_fn body;
    void *arg;
    size_t first, last; /* the part */
    struct loop_job *job;
    const struct wf_frame *parent;
    struct wf_signal *waiter;
};
_Static_assert(sizeof(struct loop_line) == sizeof(((struct wf_broadcast_line *)NULL)->part), "the line is full");

/* What one worker did during one visit. O. */
struct visit {
    struct loop_job *job;
    unsigned slot;
    struct wf_worker *worker;
    struct wf_chunker chunker;
    uint64_t clock_ns; /* 0: unknown */
    uint64_t began_ns; /* the first time it was known */
    uint64_t units, iterations, local, chunks, steals[2 + WEFT_REMOTE_CLASSES];
};

/* Waiting for a loop, on whatever thread called it. */
struct loop_wait {
    struct loop_job *job;
    unsigned slot;
    size_t first, next; /* iterations the caller ran alone, before the offer: from `first` on, around the end, up to `next` */
    bool wrapped;
    uint64_t done; /* units that the caller ran and has not reported */
    bool announced;
    struct wf_signal *signal; /* of a caller that is no worker, or stands in for one */
    struct wf_seat *seat;     /* that it has; NULL: none, or given back */
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
    if (job->bounds)
        return job->bounds[part];
    size_t at = job->share * part + (part < job->extra ? part : job->extra);
    return at < job->pieces ? at * job->align : job->n;
}

static uint64_t units_of(const struct loop_job *job, size_t iterations) {
    if (job->is_static)
        return iterations != 0;
    return job->unit == 1 ? iterations : iterations / job->unit + (iterations % job->unit != 0);
}

static struct loop_line *line_of(struct wf_worker *worker, unsigned slot) {
    return (struct loop_line *)(void *)worker->lines[slot].part;
}

/* Some more of the own word, or half of what the nearest has left. */
static bool claim_more(struct visit *visit, struct wf_claim *claim) {
    struct wf_worker *worker = visit->worker;
    uint32_t left = wf_broadcast_left(worker, visit->slot);
    if (left && wf_broadcast_claim_own(worker, visit->slot, wf_chunker_take(&visit->chunker, left), &claim->units)) {
        claim->victim = -1;
        return true;
    }
    return wf_broadcast_claim_in(worker, visit->slot, true, claim);
}

/* The iterations of claimed units. */
static weft_range range_of(const struct visit *visit, const struct wf_units *units) {
    const struct loop_job *job = visit->job;
    struct wf_worker *worker = visit->worker;
    bool own = units->part == worker->id;
    const struct loop_line *line = line_of(worker, visit->slot);
    size_t begin = own ? line->first : part_first(job, units->part), end = own ? line->last : part_first(job, units->part + 1);
    if (units->is_static)
        return (weft_range){begin, end};
    size_t first = begin + units->lo * job->unit, count = units->hi - units->lo;
    bool whole = job->unit == 1 || count <= (end - first) / job->unit;
    return (weft_range){first, whole ? first + count * job->unit : end};
}

/* Calls of at most `most` iterations; an iteration has ended when its children have. */
static uint64_t run_range(struct wf_worker *worker, const struct loop_job *job, weft_range range, size_t most) {
    uint64_t calls = 0;
    for (size_t at = range.first; at < range.last; calls++) {
        size_t next = range.last - at > most ? at + most : range.last;
        job->body(job->arg, (weft_range){at, next});
        if (wf_deque_head(&worker->deque) != worker->frame->base)
            wf_sync_to(worker, worker->frame->base);
        at = next;
    }
    return calls;
}

/* It is not so short after all. */
static void wake_late(const struct visit *visit) {
    if (wf_exchange(&visit->job->late, 0, WF_RELAXED))
        wf_broadcast_wake(visit->worker->pool, visit->slot);
}

/* Run a claim. The size of the next follows from its time, unless nothing of the own word is left to take. */
static void run_claim(struct visit *visit, const struct wf_claim *claim) {
    const struct loop_job *job = visit->job;
    struct wf_worker *worker = visit->worker;
    weft_range range = range_of(visit, &claim->units);
    size_t count = range.last - range.first;
    bool learns = !job->grain && !job->is_static && wf_broadcast_left(worker, visit->slot);
    if (learns && !visit->clock_ns)
        visit->clock_ns = wf_now_ns();
    if (!visit->began_ns)
        visit->began_ns = visit->clock_ns;
    visit->chunks += run_range(worker, job, range, job->grain ? job->grain : count);
    if (learns) {
        uint64_t now = wf_now_ns();
        wf_chunker_learn(&visit->chunker, claim->units.hi - claim->units.lo, now - visit->clock_ns);
        visit->clock_ns = now;
        if (wf_load(&job->late, WF_RELAXED) && now - visit->began_ns > WAKE_NS)
            wake_late(visit);
    } else {
        visit->clock_ns = 0;
    }
    visit->units += job->is_static ? 1 : claim->units.hi - claim->units.lo;
    visit->iterations += count;
    if (worker->pool->workers[claim->units.part]->node == worker->node)
        visit->local += count;
    if (claim->victim >= 0)
        visit->steals[worker->classes[claim->victim]]++;
}

static void count_iterations(struct wf_worker *worker, uint64_t iterations, uint64_t local) {
    wf_count(&worker->counters.loop_iterations, iterations);
    wf_count(&worker->counters.loop_iterations_local, local);
}

/* What a visit adds to the report. */
static void report_visit(struct visit *visit) {
    struct loop_job *job = visit->job;
    wf_store(&visit->worker->took_part[visit->slot], 1, WF_RELAXED);
    wf_fetch_add(&job->local, visit->local, WF_RELAXED);
    wf_fetch_add(&job->chunks, visit->chunks, WF_RELAXED);
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(visit->steals); i++)
        if (visit->steals[i])
            wf_fetch_add(&job->steals[i], visit->steals[i], WF_RELAXED);
}

/* From the first claim until nothing is left to claim; returns the units that were done. */
static uint64_t visit_job(struct loop_job *job, struct wf_worker *worker, const struct wf_claim *first) {
    struct visit visit = {.job = job, .slot = first->slot, .worker = worker, .chunker = wf_chunker_start(job->grain, job->unit)};
    struct wf_claim claim = *first;
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, job->parent, NULL);
    frame.in_loop = true;
    do
        run_claim(&visit, &claim);
    while (!job->is_static && claim_more(&visit, &claim));
    wf_frame_leave(worker, &frame);
    count_iterations(worker, visit.iterations, visit.local);
    if (job->reports)
        report_visit(&visit);
    return visit.units;
}

/* The part of a static loop whose line says all. */
static uint64_t run_line(struct wf_worker *worker, const struct loop_line *line) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, line->parent, NULL);
    frame.in_loop = true;
    line->body(line->arg, (weft_range){line->first, line->last});
    wf_frame_leave(worker, &frame);
    count_iterations(worker, line->last - line->first, line->last - line->first);
    return 1;
}

static uint64_t run_units(struct loop_job *job, struct wf_worker *worker, const struct wf_claim *claim) {
    return claim->units.is_static && !claim->units.detail ? run_line(worker, line_of(worker, claim->slot))
                                                          : visit_job(job, worker, claim);
}

/* A worker's visit. Whoever reports the last units wakes the caller; the job may be gone after the report. */
static void run_job(void *storage, struct wf_worker *worker, const struct wf_claim *claim) {
    struct loop_job *job = storage;
    bool is_own = claim->units.part == worker->id;
    struct wf_signal *waiter = is_own ? line_of(worker, claim->slot)->waiter : job->waiter;
    uint64_t done = run_units(job, worker, claim);
    /* release: all bodies and counts come before the end; pairs with loop_ready() */
    if (wf_fetch_sub(&job->remaining, done, WF_RELEASE) == (JOB_WAITING | done))
        wf_signal_set(waiter, WF_SIGNAL_HINT);
}

/* The largest part decides how many iterations one unit stands for. */
static void choose_unit(struct loop_job *job) {
    size_t largest = 0, pieces = job->share + (job->extra != 0);
    if (!job->bounds && __builtin_mul_overflow(pieces, job->align, &largest))
        largest = SIZE_MAX; /* the last piece is cut */
    for (unsigned part = 0; job->bounds && part < job->parts; part++) {
        size_t size = part_first(job, part + 1) - part_first(job, part);
        largest = size > largest ? size : largest;
    }
    size_t least = largest <= WF_UNITS_MAX ? 1 : largest / WF_UNITS_MAX + (largest % WF_UNITS_MAX != 0);
    job->unit = least <= job->align ? job->align : (least / job->align + (least % job->align != 0)) * job->align;
}

static void fill_job(struct loop_job *job, weft_pool *pool, const struct wf_loop_request *request, struct wf_worker *self,
                     struct wf_signal *waiter) {
    job->n = request->n;
    job->align = request->align ? request->align : 1;
    job->grain = request->grain;
    job->bounds = request->bounds;
    job->parts = pool->worker_count;
    job->pieces = job->align == 1 ? job->n : job->n / job->align + (job->n % job->align != 0);
    job->share = job->pieces / job->parts;
    job->extra = job->pieces % job->parts;
    job->is_static = request->schedule != WEFT_SCHEDULE_STEAL;
    job->reports = request->report != NULL;
    job->body = request->body;
    job->arg = request->arg;
    job->parent = self ? self->frame : NULL;
    job->waiter = waiter;
    choose_unit(job);
    uint64_t units = 0;
    for (unsigned part = 0; part < job->parts; part++)
        units += units_of(job, part_first(job, part + 1) - part_first(job, part));
    wf_store(&job->late, 0, WF_RELAXED);
    wf_store(&job->remaining, units, WF_RELAXED); /* this and what follows is released by the words of the lines */
}

static void clear_counts(struct loop_job *job, weft_pool *pool, unsigned slot) {
    wf_store(&job->local, 0, WF_RELAXED);
    wf_store(&job->chunks, 0, WF_RELAXED);
    for (unsigned i = 0; i < WF_ARRAY_LENGTH(job->steals); i++)
        wf_store(&job->steals[i], 0, WF_RELAXED);
    for (unsigned i = 0; i < pool->worker_count; i++)
        wf_store(&pool->workers[i]->took_part[slot], 0, WF_RELAXED);
}

/* Where the iterations of [first, last) begin that the caller has not run yet. */
static size_t rest_of(const struct loop_wait *wait, size_t first, size_t last) {
    size_t done = first >= wait->first && wait->wrapped                           ? last
                  : first < wait->next && (first >= wait->first || wait->wrapped) ? wait->next
                                                                                  : first;
    return done < last ? done : last;
}

/* Each line in one go: its owner may be looking at it. */
static void fill_lines(const struct loop_wait *wait, weft_pool *pool) {
    struct loop_job *job = wait->job;
    uint64_t generation = ++pool->broadcasts.slots[wait->slot].generation;
    size_t first = 0, last;
    for (unsigned part = 0; part < job->parts; part++, first = last) {
        last = part_first(job, part + 1);
        size_t rest = rest_of(wait, first, last);
        if (rest == last)
            continue;
        struct wf_units units = {.is_static = job->is_static,
                                 .detail = job->grain || (job->is_static && job->reports),
                                 .part = part,
                                 .lo = (uint32_t)((rest - first) / job->unit),
                                 .hi = (uint32_t)units_of(job, last - first)};
        struct wf_worker *worker = pool->workers[part];
        *line_of(worker, wait->slot) = (struct loop_line){job->body, job->arg, first, last, job, job->parent, job->waiter};
        wf_broadcast_part(&worker->lines[wait->slot], units, generation);
    }
}

static struct wf_loop_hint *hint_of(struct wf_worker *worker, weft_loop_fn body) {
    uintptr_t key = (uintptr_t)body;
    struct wf_loop_hint *hint = &worker->loop_hints[(key >> 4 ^ key >> 8) % WF_LOOP_HINTS];
    if (hint->body != key)
        *hint = (struct wf_loop_hint){.body = key, .take = 1};
    return hint;
}

/* Iterations of the parts that lie on the caller's node, of those it ran alone. */
static uint64_t local_of(const struct loop_wait *wait, const struct wf_worker *self, uint64_t iterations) {
    const weft_pool *pool = self->pool;
    if (pool->node_count == 1)
        return iterations;
    uint64_t local = 0;
    for (unsigned part = 0; part < pool->worker_count; part++) {
        size_t first = part_first(wait->job, part), last = part_first(wait->job, part + 1);
        local += pool->workers[part]->node == self->node ? rest_of(wait, first, last) - first : 0;
    }
    return local;
}

/* The next chunk of a loop whose caller is alone so far, from its own part on; false: that was the last. */
static bool run_next(struct loop_wait *wait, struct visit *visit, size_t take) {
    const struct loop_job *job = wait->job;
    size_t end = wait->wrapped ? wait->first : job->n;
    size_t most = take <= (end - wait->next) / job->align ? take * job->align : end - wait->next;
    visit->chunks += run_range(visit->worker, job, (weft_range){wait->next, wait->next + most}, most);
    visit->units += units_of(job, most);
    visit->iterations += most;
    wait->next += most;
    if (wait->next == job->n && !wait->wrapped) {
        wait->wrapped = true;
        wait->next = 0;
    }
    return !wait->wrapped || wait->next < wait->first;
}

/* Begin a loop without the others: one that takes less than ALONE_NS ends here. True: it has ended. */
static bool begin_alone(struct loop_wait *wait, struct wf_worker *self, struct wf_loop_hint *hint) {
    struct visit visit = {.job = wait->job, .slot = wait->slot, .worker = self};
    uint64_t begin = wf_now_ns(), now = begin;
    struct wf_frame frame;
    bool more = true;
    wait->first = wait->next = part_first(wait->job, self->id);
    wf_frame_enter(self, &frame, wait->job->parent, NULL);
    frame.in_loop = true;
    for (uint64_t take = hint->take; more && now - begin < ALONE_NS;) {
        uint64_t before = now;
        more = run_next(wait, &visit, take);
        now = wf_now_ns();
        uint64_t fits = take * ALONE_CHUNK_NS / (now - before + 1) + 1;
        take = fits < 8 * take ? fits : 8 * take;
        hint->take = take > UINT32_MAX ? UINT32_MAX : (uint32_t)take;
    }
    wf_frame_leave(self, &frame);
    visit.local = local_of(wait, self, visit.iterations);
    count_iterations(self, visit.iterations, visit.local);
    if (wait->job->reports)
        report_visit(&visit);
    wait->done = visit.units;
    uint64_t left_ns = more ? (now - begin) * ((wait->job->n - visit.iterations) / visit.iterations + 1) : 0;
    uint64_t spin_ns = wf_load(&self->pool->spin_ns, WF_RELAXED);
    bool in_sequence = begin - self->loop_ns < SEQUENCE_NS;
    self->loop_ns = now;
    wf_store(&wait->job->late, left_ns < (in_sequence || spin_ns < WAKE_NS ? WAKE_NS : spin_ns), WF_RELAXED);
    if (more)
        hint->take = 0;
    return !more;
}

/* Whether the caller may run any iteration, in chunks of any size. */
static bool may_run_alone(const struct loop_job *job) {
    return !job->is_static && !job->grain && !job->bounds && job->unit == job->align;
}

static bool loop_ready(void *what) {
    const struct loop_wait *wait = what;
    return (wf_load(&wait->job->remaining, WF_ACQUIRE) & ~JOB_WAITING) == wait->done; /* pairs with run_job() */
}

static bool loop_help(struct wf_worker *worker, void *what) {
    struct loop_wait *wait = what;
    struct wf_claim claim;
    if (!wf_broadcast_claim_in(worker, wait->slot, !wait->job->is_static, &claim))
        return false;
    wait->done += run_units(wait->job, worker, &claim);
    return true;
}

/* Report what the caller has done, and that it wants to be woken; true: it is over already. Relaxed: the end is looked at again. */
static bool announce(struct loop_wait *wait) {
    uint64_t waiting = wait->announced ? JOB_WAITING : 0, done = wait->done;
    wait->announced = true;
    wait->done = 0;
    return wf_fetch_add(&wait->job->remaining, JOB_WAITING - waiting - done, WF_RELAXED) == (waiting | done);
}

static bool loop_announce(struct wf_worker *worker, void *what) {
    (void)worker;
    return announce(what);
}

static void wait_outside(struct loop_wait *wait) {
    /* Once WAITING is set on an unfinished job its end sets HINT, and the signal must live until then. */
    if (!announce(wait))
        wf_signal_take(wait->signal, WF_SIGNAL_HINT);
    wf_load(&wait->job->remaining, WF_ACQUIRE); /* pairs with run_job() of all, not of the last only */
}

/* The caller's own visit, and the wait for the others. It helps where it can. A seat is not slept on: others have work for that worker. */
static void take_part(struct wf_worker *self, struct loop_wait *wait) {
    const struct wf_wait how = {loop_ready, loop_help, loop_announce, NULL, wait, 1, 0};
    while (loop_help(self, wait))
        ;
    for (unsigned i = 0; i < WF_JOIN_POLLS; i++)
        if (loop_ready(wait))
            return;
    if (!wait->seat) {
        wf_wait_for(self, &how);
    } else if (!wf_wait_awake(self, &how)) {
        wf_seat_leave(wait->seat);
        wait->seat = NULL;
        wait_outside(wait);
    }
}

static void fill_report(const struct loop_job *job, const weft_pool *pool, unsigned slot, weft_loop_report *report) {
    *report = (weft_loop_report){.iterations = job->n,
                                 .iterations_local = wf_load(&job->local, WF_RELAXED), /* ordered by `remaining` */
                                 .chunks = wf_load(&job->chunks, WF_RELAXED),
                                 .steals_cache = wf_load(&job->steals[0], WF_RELAXED),
                                 .steals_node = wf_load(&job->steals[1], WF_RELAXED)};
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        report->steals_remote[i] = wf_load(&job->steals[2 + i], WF_RELAXED);
    for (unsigned i = 0; i < pool->worker_count; i++)
        report->workers += wf_load(&pool->workers[i]->took_part[slot], WF_RELAXED);
}

/* A caller that is no worker runs what it can claim. A unit is an iteration. */
static void help_outside(struct loop_wait *wait, weft_pool *pool) {
    const struct loop_job *job = wait->job;
    struct wf_units units;
    for (unsigned part = 0; part < job->parts; part++)
        for (; wf_broadcast_claim_own(pool->workers[part], wait->slot, 1, &units); wait->done++)
            job->body(job->arg, (weft_range){part_first(job, units.part) + units.lo, part_first(job, units.part) + units.hi});
}

/* Offer what is left, and wait for it. */
static void run_shared(struct loop_wait *wait, weft_pool *pool, struct wf_worker *self, bool helps) {
    fill_lines(wait, pool);
    wf_broadcast_offer(pool, wait->slot);
    if (!wf_load(&wait->job->late, WF_RELAXED))
        wf_broadcast_wake(pool, wait->slot);
    if (self) {
        take_part(self, wait);
    } else {
        if (helps)
            help_outside(wait, pool);
        wait_outside(wait);
    }
}

/*
 * Loops that may be short: begun alone if the last one with this body was, or if its first iteration is a small share of a part, which
 * tells. What is not known and has few iterations is shared, and measured for the next time; so is now and then what was too long.
 * False: it is to be shared, or what is left of it.
 */
static bool run_short(struct loop_wait *wait, struct wf_worker *self) {
    struct wf_loop_hint *hint = hint_of(self, wait->job->body);
    if (hint->take > 1 || (hint->take && wait->job->share >= WF_ALONE_PART))
        return begin_alone(wait, self, hint);
    if (!hint->take && ++hint->calls % MEASURE_EVERY)
        return false;
    uint64_t begin = wf_now_ns();
    bool seated = wait->seat;
    run_shared(wait, self->pool, self, false);
    if (!seated || wait->seat) /* else it was long, and the hint is another's */
        hint->take = wf_now_ns() - begin < ALONE_NS ? 2 : 0;
    return true;
}

/* `seat`: the caller's, of `self`; NULL: none. True: it has been given back. */
static bool run_broadcast(weft_pool *pool, unsigned slot, const struct wf_loop_request *request, struct wf_worker *self,
                          struct wf_seat *seat) {
    struct wf_broadcast *broadcast = &pool->broadcasts.slots[slot];
    struct loop_job *job = (struct loop_job *)(void *)broadcast->job;
    struct wf_signal signal = {0};
    struct loop_wait wait = {.job = job, .slot = slot, .signal = &signal, .seat = seat};
    broadcast->run = run_job;
    fill_job(job, pool, request, self, self && !seat ? &self->signal : &signal);
    if (job->reports)
        clear_counts(job, pool, slot);
    if (!self || !may_run_alone(job) || !run_short(&wait, self))
        run_shared(&wait, pool, self, request->any_thread && !job->is_static && !job->reports && job->unit == 1);
    if (job->reports)
        fill_report(job, pool, slot, request->report);
    wf_broadcast_end(&pool->broadcasts, slot);
    return seat && !wait.seat;
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
    if (request->placed || !wf_seat_take(pool, &seat))
        run_broadcast(pool, slot, request, NULL, NULL);
    else if (!run_broadcast(pool, slot, request, seat.worker, &seat))
        wf_seat_leave(&seat);
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
        run_broadcast(pool, (unsigned)slot, request, self, NULL);
    else if (request->schedule == WEFT_SCHEDULE_STEAL)
        wf_loop_split(self, request);
    else
        return wf_fail(WEFT_EAGAIN, "a static loop inside %u others: no room for one more, use WEFT_SCHEDULE_STEAL",
                       WF_BROADCASTS);
    return WEFT_OK;
}
