/* Loops that split by demand. A job lives on its caller's stack: the caller syncs all halves before it returns. */
#include "parallel/loop_split.h"

#include "base/clock.h"
#include "scheduler/join.h"

struct split_job {
    weft_loop_fn body;                    /* I */
    void *arg;                            /* I */
    size_t grain;                         /* I */
    size_t align;                         /* I */
    unsigned node;                        /* I: the caller's */
    wf_atomic_u64 local, chunks, workers; /* A: relaxed, read after the sync */
};

/* Where to cut [first, last) so that both halves are worth a task; 0: nowhere. */
static size_t cut(const struct split_job *job, size_t first, size_t last) {
    size_t least = job->grain > job->align ? job->grain : job->align;
    if ((last - first) / 2 < least || last - first < 2)
        return 0;
    size_t middle = first + (last - first) / 2;
    middle -= middle % job->align;
    return middle > first ? middle : 0;
}

static void run_half(weft_deque *deque, weft_slot *slot);

/* Give the upper half to whoever asked; returns where the lower half ends. */
static size_t split_off(struct wf_worker *worker, struct split_job *job, size_t first, size_t last) {
    size_t middle = cut(job, first, last);
    weft_slot *slot = middle ? wf_spawn_slot(worker) : NULL;
    if (!slot)
        return last;
    slot->run = run_half;
    slot->payload.range.job = job;
    slot->payload.range.first = middle;
    slot->payload.range.last = last;
    wf_spawned(worker, slot);
    return middle;
}

/* The body has a frame of its own, above the halves that were split off: what it waits for is its own subtree only. */
static void run_body(struct wf_worker *worker, const struct split_job *job, size_t first, size_t last) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, worker->frame, NULL);
    frame.in_loop = true;
    job->body(job->arg, (weft_range){first, last});
    wf_frame_leave(worker, &frame);
}

/* The caller's grain, in whole aligned units where it holds one. */
static size_t fixed_take(const struct split_job *job) {
    return job->grain < job->align ? job->grain : job->grain - job->grain % job->align;
}

/* The last unit may be cut, and its end may lie beyond SIZE_MAX. */
static size_t learned_take(const struct split_job *job, const struct wf_chunker *chunker, size_t left) {
    size_t units = left / job->align + (left % job->align != 0);
    uint32_t taken = wf_chunker_take(chunker, units > UINT32_MAX ? UINT32_MAX : (uint32_t)units);
    return taken < units ? taken * job->align : left;
}

static void run_range(struct wf_worker *worker, struct split_job *job, size_t first, size_t last) {
    struct wf_chunker chunker = wf_chunker_start(job->grain, job->align);
    size_t begin = first;
    uint64_t chunks = 0;
    while (first < last) {
        if (WF_UNLIKELY(wf_deque_asked(&worker->deque)))
            last = split_off(worker, job, first, last);
        size_t take = chunker.fixed ? fixed_take(job) : learned_take(job, &chunker, last - first);
        size_t next = last - first > take ? first + take : last, units = (next - first) / job->align;
        uint64_t before = chunker.fixed ? 0 : wf_now_ns();
        run_body(worker, job, first, next);
        if (before)
            wf_chunker_learn(&chunker, units > UINT32_MAX ? UINT32_MAX : (uint32_t)units + !units, wf_now_ns() - before);
        chunks++;
        first = next;
    }
    wf_count(&worker->counters.loop_iterations, last - begin);
    if (worker->node == job->node) {
        wf_count(&worker->counters.loop_iterations_local, last - begin);
        wf_fetch_add(&job->local, last - begin, WF_RELAXED);
    }
    wf_fetch_add(&job->chunks, chunks, WF_RELAXED);
    wf_fetch_add(&job->workers, 1, WF_RELAXED);
}

static void run_half(weft_deque *deque, weft_slot *slot) {
    struct wf_worker *worker = wf_worker_of(deque);
    size_t first = slot->payload.range.first, last = slot->payload.range.last;
    struct split_job *job = slot->payload.range.job;
    worker->frame->in_loop = true;
    run_range(worker, job, first, last);
}

void wf_loop_split(struct wf_worker *worker, const struct wf_loop_request *request) {
    struct split_job job = {.body = request->body,
                            .arg = request->arg,
                            .grain = request->grain,
                            .align = request->align ? request->align : 1,
                            .node = worker->node};
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, worker->frame, NULL);
    frame.in_loop = true;
    run_range(worker, &job, 0, request->n);
    wf_frame_leave(worker, &frame);
    if (!request->report)
        return;
    uint64_t workers = wf_load(&job.workers, WF_RELAXED);
    *request->report =
        (weft_loop_report){.iterations = request->n,
                           .iterations_local = wf_load(&job.local, WF_RELAXED),
                           .chunks = wf_load(&job.chunks, WF_RELAXED),
                           .workers = workers < worker->pool->worker_count ? (unsigned)workers : worker->pool->worker_count};
}
