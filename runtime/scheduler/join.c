/* Spawn, sync, and the waiting of workers inside tasks. Every function runs on the worker it names. */
#include "scheduler/join.h"

#include "base/clock.h"
#include "base/status.h"
#include "scheduler/placed.h"
#include "scheduler/search.h"

/* The owner of the slot that runs here sleeps until it is done: what is public here is its subtree, so let it help. */
static bool owner_sleeps(const struct wf_worker *worker) {
    return worker->serving && (wf_load(&worker->serving->state, WF_SEQ_CST) & WF_SLOT_WAITING);
}

/* Tasks have become public: wake the nearest sleeper, else the owner that waits for them, unless somebody searches. That one
 * counts from its wake until it has found work or given up, so this does not wake a crowd. */
static void offer_public(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    if (!wf_pool_offer(pool, worker->node) && owner_sleeps(worker))
        wf_signal_set(&pool->workers[worker->serving_owner]->signal, WF_SIGNAL_HINT);
}

/*
 * Thieves found nothing public here. Publish, wake somebody if nobody looks, and keep the request standing as long as anyone
 * is idle. The request is cleared before the look at idle workers, and an idle worker asks after it is counted as one.
 */
void wf_answer_request(struct wf_worker *worker) {
    bool published = wf_deque_publish(&worker->deque);
    wf_exchange(&worker->deque.request, 0, WF_SEQ_CST);
    if (published)
        offer_public(worker);
    if (wf_pool_idle(worker->pool) || owner_sleeps(worker))
        wf_deque_ask(&worker->deque);
}

void wf_frame_leave(struct wf_worker *worker, struct wf_frame *frame) {
    if (worker->deque.head != frame->base)
        wf_sync_to(worker, frame->base);
    if (WF_UNLIKELY(frame->placed))
        wf_placed_end(worker, frame);
    worker->frame = frame->outer;
}

void wf_run_slot(struct wf_worker *worker, struct wf_slot *slot) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, slot->parent, NULL);
    wf_count(&worker->counters.tasks, 1);
    slot->run(worker, slot);
    wf_frame_leave(worker, &frame);
}

void wf_run_call(struct wf_worker *worker, weft_task_fn fn, void *arg, const struct wf_frame *parent, const weft_group *group) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, parent, group);
    wf_count(&worker->counters.tasks, 1);
    fn(arg);
    wf_frame_leave(worker, &frame);
}

/* Run one own part of a static loop, whoever's it is. */
static bool serve_static(struct wf_worker *worker) {
    int slot = wf_broadcast_enter(worker, false);
    if (slot < 0)
        return false;
    wf_run_found(worker, &(struct wf_found){.kind = WF_FOUND_BROADCAST, .broadcast = (unsigned)slot});
    return true;
}

/*
 * Sleep for `wait`. The waiting bit is set before the last look for static parts, and their offerer looks at the bits after
 * it made them live; the same pairing for the end of what is waited for is in announce().
 */
static void sleep_for(struct wf_worker *worker, const struct wf_wait *wait) {
    weft_pool *pool = worker->pool;
    uint64_t bit = UINT64_C(1) << (worker->id % 64);
    wf_atomic_u64 *word = &pool->waiting[worker->id / 64];
    wf_fetch_or(word, bit, WF_SEQ_CST);
    bool over = wait->announce(worker, wait->what);
    if (!over && !wf_broadcast_any(worker, false) && !wait->help(worker, wait->what)) {
        wf_count(&worker->counters.parks, 1);
        wf_signal_take(&worker->signal, WF_SIGNAL_HINT);
        wf_count(&worker->counters.wakes, 1);
    }
    wf_fetch_and(word, ~bit, WF_RELAXED); /* a late HINT for it is harmless */
    if (wait->retract)
        wait->retract(worker, wait->what);
}

void wf_wait_for(struct wf_worker *worker, const struct wf_wait *wait) {
    if (wf_deque_publish(&worker->deque)) /* nothing hides behind a worker that waits */
        offer_public(worker);
    uint64_t deadline = 0;
    while (!wait->ready(wait->what)) {
        if (wait->help(worker, wait->what) || serve_static(worker)) {
            deadline = 0;
            continue;
        }
        uint64_t now = wf_now_ns();
        if (!deadline)
            deadline = now + wf_load(&worker->pool->spin_ns, WF_RELAXED);
        if (now >= deadline) {
            sleep_for(worker, wait);
            deadline = 0;
        }
        wf_cpu_relax();
    }
}

/* Waiting for the newest slot, which is stolen. */
static bool slot_ready(void *what) {
    struct wf_slot *slot = what;
    return wf_load(&slot->state, WF_ACQUIRE) & WF_SLOT_DONE; /* pairs with wf_run_stolen() */
}

/* Leapfrog: the word is read first and the slot's state after it, see deque.h. */
static bool slot_help(struct wf_worker *worker, void *what) {
    struct wf_slot *slot = what;
    uint32_t thief = wf_load(&slot->state, WF_ACQUIRE) >> WF_SLOT_THIEF_SHIFT;
    if (!thief)
        return false;
    struct wf_worker *other = worker->pool->workers[thief - 1];
    uint64_t word = wf_deque_look(&other->deque);
    if (!wf_deque_word_has_work(word)) {
        wf_deque_ask(&other->deque);
        return false;
    }
    if (slot_ready(slot))
        return false;
    struct wf_slot *stolen = wf_deque_steal(&other->deque, word);
    if (!stolen)
        return false;
    wf_count_steal(worker, thief - 1);
    wf_run_stolen(worker, stolen, thief - 1);
    return true;
}

static bool slot_announce(struct wf_worker *worker, void *what) {
    (void)worker;
    struct wf_slot *slot = what;
    /* seq_cst: the thief looks at WAITING after it published (owner_sleeps); acquire: it may be done */
    return wf_fetch_or(&slot->state, WF_SLOT_WAITING, WF_SEQ_CST) & WF_SLOT_DONE;
}

static void join_newest(struct wf_worker *worker) {
    struct wf_deque *deque = &worker->deque;
    struct wf_slot *slot = &deque->slots[deque->head - 1];
    if (!slot_ready(slot))
        wf_wait_for(worker, &(struct wf_wait){slot_ready, slot_help, slot_announce, NULL, slot});
    wf_deque_drop(deque);
}

void wf_sync_to(struct wf_worker *worker, uint32_t base) {
    struct wf_deque *deque = &worker->deque;
    while (deque->head > base) {
        struct wf_slot *slot = wf_deque_pop(deque);
        if (!slot) {
            join_newest(worker);
            continue;
        }
        if (WF_UNLIKELY(wf_deque_asked(deque)))
            wf_answer_request(worker);
        wf_run_slot(worker, slot);
    }
}

void wf_sync(struct wf_worker *worker) {
    struct wf_frame *frame = worker->frame;
    wf_sync_to(worker, frame->base);
    if (WF_UNLIKELY(frame->placed))
        wf_placed_sync(worker, frame);
}

static void run_plain(struct wf_worker *worker, struct wf_slot *slot) {
    (void)worker;
    slot->call.fn(slot->arg);
}

weft_status weft_spawn(weft_task_fn fn, void *arg) {
    struct wf_worker *worker = wf_self;
    if (!worker || !worker->frame)
        return wf_fail(WEFT_EINVAL, "weft_spawn() needs a running task: call it on a worker, or use weft_submit()");
    if (!fn)
        return wf_fail(WEFT_EINVAL, "weft_spawn() needs a function, got NULL");
    struct wf_slot *slot = wf_spawn_slot(worker);
    if (WF_UNLIKELY(!slot)) {
        wf_count(&worker->counters.overflows, 1);
        wf_run_call(worker, fn, arg, worker->frame, NULL);
        return WEFT_OK;
    }
    slot->run = run_plain;
    slot->call.fn = fn;
    slot->arg = arg;
    slot->parent = worker->frame;
    wf_spawned(worker);
    return WEFT_OK;
}

weft_status weft_sync(void) {
    struct wf_worker *worker = wf_self;
    if (!worker || !worker->frame)
        return wf_fail(WEFT_EINVAL, "weft_sync() needs a running task: the caller is not a worker");
    wf_sync(worker);
    return WEFT_OK;
}
