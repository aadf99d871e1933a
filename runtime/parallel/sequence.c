/* Building sequences, and the threads that run them. One thread at a time builds a sequence, while it does not run. */
#include "parallel/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "parallel/loop.h"
#include "scheduler/join.h"

#define ROOM_LEAST 16u
#define BUSY_POLLS 64u            /* looks without a pause: longer than a line takes there and back */
#ifndef WF_SEQUENCE_PATIENCE      /* a test may want few */
#define WF_SEQUENCE_PATIENCE 128u /* looks before somebody else's part is tried: some microseconds */
#define WF_SEQUENCE_POLLS 512u    /* looks before the way to sleep begins, which looks at the clock */
#endif

/* A thread that takes part. O. */
struct member {
    weft_sequence *sequence;
    struct wf_worker *worker; /* who the thread is; NULL: a caller without a seat */
    unsigned part;
    bool moved;           /* has run something since it was set to false */
    struct wf_look look;  /* at what comes next */
    struct wf_look end;   /* at the end */
    unsigned stolen;      /* the last part of another that it ran, */
    uint64_t stolen_word; /* and the word that it left there */
    struct wf_waiter waiter;
};

weft_status weft_sequence_create(weft_sequence **out, weft_pool *pool, const weft_sequence_options *options) {
    weft_sequence_options known = {WEFT_SEQUENCE_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_sequence_options");
    if (status)
        return status;
    if (!out || !pool)
        return wf_fail(WEFT_EINVAL, "weft_sequence_create() needs a place for the sequence and a pool, got NULL");
    if ((status = wf_pool_check(pool)))
        return status;
    unsigned width = known.width ? known.width : pool->worker_count;
    if (width > pool->worker_count)
        return wf_fail(WEFT_EINVAL, "weft_sequence_options.width is %u: the pool has %u workers", width, pool->worker_count);
    weft_sequence *sequence = aligned_alloc(WF_LINE, sizeof *sequence);
    struct wf_part *parts = aligned_alloc(WF_LINE, width * sizeof *parts);
    if (!sequence || !parts) {
        free(sequence);
        free(parts);
        return wf_fail(WEFT_ENOMEM, "no memory for a sequence of %u parts", width);
    }
    memset(sequence, 0, sizeof *sequence);
    memset(parts, 0, width * sizeof *parts);
    sequence->pool = pool;
    sequence->width = width;
    sequence->parts = parts;
    *out = sequence;
    return WEFT_OK;
}

/* False: somebody else runs it, or builds it. */
static bool take(weft_sequence *sequence) {
    return !wf_exchange(&sequence->runs, 1, WF_ACQUIRE); /* pairs with leave() */
}

static void leave(weft_sequence *sequence) {
    wf_store(&sequence->runs, 0, WF_RELEASE);
}

weft_status weft_sequence_destroy(weft_sequence *sequence) {
    if (!sequence)
        return WEFT_OK;
    if (!take(sequence))
        return wf_fail(WEFT_EAGAIN, "weft_sequence_destroy(): the sequence runs, wait for its end");
    free(sequence->steps);
    free(sequence->parts);
    free(sequence);
    return WEFT_OK;
}

static weft_status check_step(const weft_sequence *sequence, const weft_step_options *known, unsigned width) {
    if ((unsigned)known->after > WEFT_AFTER_PART)
        return wf_fail(WEFT_EINVAL, "weft_step_options.after is %d: use WEFT_AFTER_ALL or WEFT_AFTER_PART", (int)known->after);
    if (width > sequence->width)
        return wf_fail(WEFT_EINVAL, "weft_step_options.width is %u: the sequence has %u parts", width, sequence->width);
    if (known->after == WEFT_AFTER_PART && sequence->count && sequence->steps[sequence->count - 1].width != width)
        return wf_fail(WEFT_EINVAL, "WEFT_AFTER_PART: a step of %u parts cannot follow part by part on one of %u", width,
                       sequence->steps[sequence->count - 1].width);
    return WEFT_OK;
}

static weft_status append(weft_sequence *sequence, const struct wf_step *step) {
    if (sequence->count == sequence->room) {
        size_t room = sequence->room ? 2 * sequence->room : ROOM_LEAST;
        struct wf_step *steps = realloc(sequence->steps, room * sizeof *steps);
        if (!steps)
            return wf_fail(WEFT_ENOMEM, "no memory for %zu steps", room);
        sequence->steps = steps;
        sequence->room = room;
    }
    sequence->steps[sequence->count++] = *step;
    return WEFT_OK;
}

weft_status weft_sequence_add(weft_sequence *sequence, size_t n, weft_loop_fn body, void *arg, const weft_step_options *options) {
    weft_step_options known = {WEFT_STEP_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_step_options");
    if (status)
        return status;
    if (!sequence || !body)
        return wf_fail(WEFT_EINVAL, "weft_sequence_add() needs a sequence and a body, got NULL");
    if (!take(sequence))
        return wf_fail(WEFT_EAGAIN, "weft_sequence_add(): the sequence runs, wait for its end");
    unsigned width = known.width ? known.width : sequence->width;
    status = check_step(sequence, &known, width);
    if (!status)
        status = append(sequence, &(struct wf_step){.body = body,
                                                    .arg = arg,
                                                    .n = n,
                                                    .align = known.align,
                                                    .width = width,
                                                    .barrier = known.after == WEFT_AFTER_ALL || !sequence->count});
    leave(sequence);
    return status;
}

static void run_part(const struct member *member, const struct wf_step *step, unsigned part) {
    struct wf_worker *worker = member->worker;
    uint32_t base = worker ? wf_deque_head(&worker->deque) : 0; /* below lie tasks of whoever called */
    weft_range range = {weft_partition(step->n, step->width, step->align, part),
                        weft_partition(step->n, step->width, step->align, part + 1)};
    if (range.first == range.last)
        return;
    step->body(step->arg, range);
    if (worker && wf_deque_head(&worker->deque) != base)
        wf_sync_to(worker, base);
}

/* Run the next step of a part. *at: its position. */
static bool run_next(struct member *member, unsigned part, uint64_t *at) {
    weft_sequence *sequence = member->sequence;
    if (!wf_part_claim(sequence, part, &member->look, at))
        return false;
    run_part(member, &sequence->steps[*at - sequence->first], part);
    wf_part_end(sequence, part, *at);
    return member->moved = true;
}

/* Whether the owner of a part is elsewhere, as far as can be told: it has not come, or has done nothing since its last step was taken. */
static bool is_away(const struct member *member, unsigned part) {
    const struct wf_part *other = &member->sequence->parts[part];
    return !wf_load(&other->here, WF_RELAXED) ||
           (part == member->stolen && wf_load(&other->word, WF_RELAXED) == member->stolen_word);
}

/* A part of another. */
static bool run_other(struct member *member, bool patient) {
    unsigned width = member->sequence->width;
    for (unsigned i = 1; i < width; i++) {
        unsigned part = member->part + i < width ? member->part + i : member->part + i - width;
        uint64_t at;
        if ((patient && !is_away(member, part)) || !run_next(member, part, &at))
            continue;
        member->stolen = part;
        member->stolen_word = 2 * (at + 1);
        return true;
    }
    return false;
}

/* Look for something to run until there is something, or the run is over, or it takes long. False: nothing came. */
static bool move(struct member *member) {
    unsigned polls = wf_load(&member->sequence->pool->spin_ns, WF_RELAXED) ? WF_SEQUENCE_POLLS : 1;
    for (unsigned i = 0; i < polls; i++) {
        uint64_t at;
        if (run_next(member, member->part, &at) || run_other(member, i < WF_SEQUENCE_PATIENCE))
            return true;
        if (at == member->sequence->last && wf_sequence_over(member->sequence, &member->end))
            return true;
        if (i >= BUSY_POLLS)
            wf_cpu_relax();
    }
    return false;
}

static bool wait_ready(void *what) {
    struct member *member = what;
    return member->moved || wf_sequence_over(member->sequence, &member->end);
}

static bool wait_help(struct wf_worker *worker, void *what) {
    struct member *member = what;
    uint64_t at;
    (void)worker;
    return run_next(member, member->part, &at) || run_other(member, false);
}

/* From here on whoever ends a step wakes this thread. */
static bool announce(struct member *member, struct wf_signal *signal) {
    member->waiter = (struct wf_waiter){.key = member->sequence, .signal = signal};
    wf_waiters_add(&member->waiter);
    wf_fetch_add(&member->sequence->sleepers, 1, WF_SEQ_CST); /* then the looks at the words */
    return wf_sequence_over(member->sequence, &member->end);
}

static bool wait_announce(struct wf_worker *worker, void *what) {
    return announce(what, &worker->signal);
}

static void retract(struct member *member) {
    wf_fetch_sub(&member->sequence->sleepers, 1, WF_RELAXED); /* late is harmless: others wake in vain */
    wf_waiters_remove(&member->waiter);
}

static void wait_retract(struct wf_worker *worker, void *what) {
    (void)worker;
    retract(what);
}

static void wait_outside(struct member *member) {
    struct wf_signal signal = {0};
    if (wf_spin(wf_load(&member->sequence->pool->spin_ns, WF_RELAXED), wait_ready, member))
        return;
    if (!announce(member, &signal) && !wait_help(NULL, member))
        wf_signal_take(&signal, WF_SIGNAL_HINT);
    retract(member);
}

void wf_sequence_take_part(weft_sequence *sequence, unsigned part) {
    struct member member = {.sequence = sequence, .worker = wf_self_in(sequence->pool), .part = part, .stolen = part};
    struct wf_part *own = &sequence->parts[part];
    wf_store(&own->here, 1, WF_RELAXED);
    while (!wf_sequence_over(sequence, &member.end)) {
        if (move(&member))
            continue;
        member.moved = false;
        if (member.worker)
            wf_wait_for(
                member.worker,
                &(struct wf_wait){
                    .ready = wait_ready, .help = wait_help, .announce = wait_announce, .retract = wait_retract, .what = &member});
        else
            wait_outside(&member);
    }
}

/*
 * Whether the calling thread may wait for the end of the run: the caller, and workers that do nothing else. One that waits in the middle
 * of something (WEFT_HELP_ANY) might hold up a part, or what a part waits for.
 */
static bool may_stay(weft_sequence *sequence) {
    const struct wf_worker *worker = wf_self_in(sequence->pool);
    if (sequence->caller != &wf_self)
        return worker && !worker->frame->outer;
    bool first = !sequence->caller_came;
    sequence->caller_came = true;
    return first;
}

/* A unit of the loop that brings the threads together: whoever gets it is the member of that part. */
static void join(void *arg, weft_range parts) {
    if (!may_stay(arg))
        return;
    for (size_t part = parts.first; part < parts.last; part++)
        wf_sequence_take_part(arg, (unsigned)part);
}

weft_status weft_sequence_run(weft_sequence *sequence) {
    if (!sequence)
        return wf_fail(WEFT_EINVAL, "weft_sequence_run() needs a sequence, got NULL");
    weft_status status = wf_pool_check(sequence->pool);
    if (status)
        return status;
    if (!take(sequence))
        return wf_fail(WEFT_EAGAIN, "weft_sequence_run(): the sequence runs already");
    sequence->first = sequence->last;
    sequence->last += sequence->count;
    sequence->caller = &wf_self;
    sequence->caller_came = false;
    for (unsigned part = 0; part < sequence->width; part++)
        wf_store(&sequence->parts[part].here, 0, WF_RELAXED);
    /* Also without steps: a closed pool refuses it. */
    status = wf_loop_run(sequence->pool, &(struct wf_loop_request){.n = sequence->width,
                                                                   .body = join,
                                                                   .arg = sequence,
                                                                   .schedule = WEFT_SCHEDULE_STEAL,
                                                                   .grain = 1,
                                                                   .any_thread = true});
    if (status)
        sequence->last = sequence->first;
    else
        wf_sequence_take_part(sequence, 0); /* nothing is left, unless nobody who came could stay */
    leave(sequence);
    return status;
}
