/* Spawn, sync, and the waiting of workers inside tasks. Every function runs on the worker it names. */
#include "scheduler/join.h"

#include <assert.h>

#include "base/clock.h"
#include "base/status.h"
#include "scheduler/placed.h"
#include "scheduler/search.h"
#include "scheduler/submit.h"

/* The owner of the slot that runs here sleeps until it is done: what is public here is its subtree, so let it help. */
static bool owner_sleeps(const struct wf_worker *worker) {
    return worker->serving && (wf_load(wf_slot_state(worker->serving), WF_SEQ_CST) & WF_SLOT_WAITING);
}

/* Tasks have become public: wake the nearest sleeper, else the owner that waits for them, unless somebody searches. That one
 * counts from its wake until it has found work or given up, so this does not wake a crowd. */
static void offer_public(struct wf_worker *worker) {
    weft_pool *pool = worker->pool;
    struct wf_node *node = pool->nodes[worker->node];
    wf_summary_show(&node->summary, worker->id - node->parking.first);
    if (!wf_pool_offer(pool, worker->node) && owner_sleeps(worker))
        wf_signal_set(&pool->workers[worker->serving_owner]->signal, WF_SIGNAL_HINT);
}

/* Make the oldest private tasks public and note who spawned them, which a thief may ask. */
static uint32_t publish(struct wf_worker *worker, uint32_t head, uint32_t most) {
    struct wf_deque *deque = &worker->deque;
    uint32_t split = wf_deque_word_split(wf_load(&deque->word, WF_RELAXED)),
             end = head < deque->capacity ? head : deque->capacity;
    struct wf_frame *frame = worker->frame;
    end = end - split < most ? end : split + most;
    for (uint32_t i = end; i > split; i--) {
        while (frame && frame->base >= i)
            frame = frame->outer;
        wf_store(wf_slot_parent(&deque->slots[i - 1]), frame, WF_RELAXED); /* released by the word */
    }
    return wf_deque_publish(deque, head, most);
}

/* Nothing hides behind a worker that waits. */
static bool publish_all(struct wf_worker *worker) {
    uint32_t head = wf_deque_head(&worker->deque), published = 0, count;
    while ((count = publish(worker, head, WF_DEQUE_PUBLISH_MOST)))
        published += count;
    if (published)
        wf_deque_open(&worker->deque, head);
    return published;
}

/*
 * Half of what is private, the oldest, which are the largest in most programs; all of it if several look for work. The request stands
 * until something is public: a spawn that comes later answers it.
 */
void wf_answer_request(struct wf_worker *worker, uint32_t head) {
    struct wf_deque *deque = &worker->deque;
    uint32_t hidden = head - wf_deque_word_split(wf_load(&deque->word, WF_RELAXED));
    uint32_t most = wf_load(&wf_parking_of(worker)->searching, WF_RELAXED) > 1 ? hidden : hidden - hidden / 2;
    wf_deque_answer(deque);
    uint32_t published = publish(worker, head, most < WF_DEQUE_PUBLISH_MOST ? most : WF_DEQUE_PUBLISH_MOST);
    wf_deque_open(deque, head);
    if (published)
        offer_public(worker);
    else
        wf_deque_answer_later(deque);
}

void wf_frame_leave(struct wf_worker *worker, struct wf_frame *frame) {
    if (wf_deque_head(&worker->deque) != frame->base)
        wf_sync_to(worker, frame->base);
    if (WF_UNLIKELY(frame->placed))
        wf_placed_end(worker, frame);
    worker->frame = frame->outer;
}

void wf_run_slot(struct wf_worker *worker, weft_slot *slot, const struct wf_frame *parent) {
    struct wf_frame frame;
    wf_frame_enter(worker, &frame, parent, NULL);
    wf_count(&worker->counters.tasks, 1);
    slot->run(&worker->deque.face, slot);
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
    struct wf_claim claim;
    if (!wf_broadcast_claim(worker, false, &claim))
        return false;
    wf_broadcast_run(worker, &claim);
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
        wf_signal_take_until(&worker->signal, WF_SIGNAL_HINT, wait->end_ns);
        wf_count(&worker->counters.wakes, 1);
    }
    wf_fetch_and(word, ~bit, WF_RELAXED); /* a late HINT for it is harmless */
    if (wait->retract)
        wait->retract(worker, wait->what);
}

/* Whatever there is, where the pool allows it and the stack has room. */
static bool help_anybody(struct wf_worker *worker) {
    struct wf_found found = {0};
    bool may = worker->pool->help_any && wf_help_from; /* the thread may be another pool's, on a seat of this one */
    if (!may || (uintptr_t)__builtin_frame_address(0) < wf_help_from || !wf_search(worker, &found))
        return false;
    wf_run_found(worker, &found);
    wf_tasks_tell(worker);
    return true;
}

static bool end_has_come(const struct wf_wait *wait) {
    return wait->end_ns && wf_now_ns() >= wait->end_ns;
}

bool wf_wait_awake(struct wf_worker *worker, const struct wf_wait *wait) {
    uint64_t deadline = 0;
    while (!wait->ready(wait->what)) {
        if (end_has_come(wait))
            return false;
        if (wait->help(worker, wait->what) || serve_static(worker) || help_anybody(worker)) {
            deadline = 0;
            continue;
        }
        uint64_t now = wf_now_ns();
        if (!deadline)
            deadline = now + (wait->spins ? wait->spins : 1) * wf_pool_spin_ns(worker->pool);
        if (now >= deadline)
            return false;
        wf_cpu_relax();
    }
    return true;
}

bool wf_wait_for(struct wf_worker *worker, const struct wf_wait *wait) {
    if (publish_all(worker))
        offer_public(worker);
    while (!wf_wait_awake(worker, wait)) {
        if (end_has_come(wait))
            return wait->ready(wait->what);
        sleep_for(worker, wait);
    }
    return true;
}

/* Waiting for the newest slot, which is stolen. */
struct slot_wait {
    weft_slot *slot;
    uint64_t begin_ns;
};

/* A thief that ends sooner is not worth an answer. */
#define SLOT_PATIENCE_NS 2000u

static bool slot_done(weft_slot *slot) {
    return wf_load(wf_slot_state(slot), WF_ACQUIRE) & WF_SLOT_DONE; /* pairs with wf_run_stolen() */
}

static bool slot_ready(void *what) {
    return slot_done(((struct slot_wait *)what)->slot);
}

/* The worker that has the slot; NULL: it has not said so yet. */
static struct wf_worker *thief_of(const struct wf_worker *worker, weft_slot *slot) {
    uint32_t thief = wf_load(wf_slot_state(slot), WF_ACQUIRE) >> WF_SLOT_THIEF_SHIFT;
    return thief ? worker->pool->workers[thief - 1] : NULL;
}

/* Leapfrog: the word is read first and the slot's state after it, see deque.h. */
static bool slot_help(struct wf_worker *worker, void *what) {
    struct slot_wait *wait = what;
    struct wf_worker *other = thief_of(worker, wait->slot);
    if (!other)
        return false;
    uint64_t word = wf_deque_look(&other->deque);
    if (!wf_deque_word_has_work(word)) {
        uint64_t now = wf_now_ns();
        if (now - wait->begin_ns >= SLOT_PATIENCE_NS)
            wf_deque_ask(&other->deque, now);
        return false;
    }
    if (slot_done(wait->slot))
        return false;
    weft_slot *stolen = wf_deque_steal(&other->deque, word);
    if (!stolen)
        return false;
    wf_count_steal(worker, other->id);
    wf_run_stolen(worker, stolen, other->id);
    return true;
}

/* Before sleep: what the thief hides is to be seen by the next slot_help(). */
static bool slot_announce(struct wf_worker *worker, void *what) {
    weft_slot *slot = ((struct slot_wait *)what)->slot;
    struct wf_worker *other = thief_of(worker, slot);
    if (other) {
        wf_deque_ask(&other->deque, WF_DEQUE_ANYWAY);
        wf_deque_force(&other->deque);
    }
    /* seq_cst: the thief looks at WAITING after it published (owner_sleeps); acquire: it may be done */
    return wf_fetch_or(wf_slot_state(slot), WF_SLOT_WAITING, WF_SEQ_CST) & WF_SLOT_DONE;
}

static void join_newest(struct wf_worker *worker, uint32_t head) {
    weft_slot *slot = &worker->deque.slots[head - 1];
    if (!slot_done(slot)) {
        struct slot_wait wait = {slot, wf_now_ns()};
        wf_wait_for(worker, &(struct wf_wait){slot_ready, slot_help, slot_announce, NULL, &wait, 1, 0});
    }
    wf_deque_drop(&worker->deque, head);
}

/* A slot beyond the capacity: it ran when it was spawned. */
static void drop_overflow(struct wf_deque *deque, uint32_t head) {
    weft_slot *slot = &deque->slots[head - 1];
    wf_store(wf_slot_live(slot), 0, WF_RELAXED);
    deque->face.head = slot;
    wf_deque_open(deque, head - 1);
}

/* The newest of `head` slots leaves the deque. True: it is the caller's to run. False: it has run. */
static bool take_newest(struct wf_worker *worker, uint32_t head) {
    struct wf_deque *deque = &worker->deque;
    if (WF_UNLIKELY(head > deque->capacity)) {
        drop_overflow(deque, head);
        return false;
    }
    if (!wf_deque_pop(deque, head)) {
        join_newest(worker, head);
        return false;
    }
    if (WF_UNLIKELY(wf_deque_asked(deque)))
        wf_answer_request(worker, head - 1);
    return true;
}

void wf_sync_to(struct wf_worker *worker, uint32_t base) {
    for (uint32_t head; (head = wf_deque_head(&worker->deque)) > base;)
        if (take_newest(worker, head))
            wf_run_slot(worker, &worker->deque.slots[head - 1], worker->frame);
}

void weft_slot_spawned(weft_deque *face, weft_slot *slot) {
    struct wf_worker *worker = wf_worker_of(face);
    struct wf_deque *deque = &worker->deque;
    uint32_t head = (uint32_t)(slot - deque->slots) + 1;
    face->head = slot + 1;
    assert(head < deque->room && "too many children that wait for their sync");
    if (head > deque->capacity) {
        wf_count(&worker->counters.overflows, 1);
        wf_store(wf_deque_guard(deque), WF_DEQUE_ALL, WF_RELAXED);
        slot->run(face, slot);
        face->head = slot + 1;
    } else if (wf_deque_asked(deque)) {
        wf_answer_request(worker, head);
    }
}

int weft_slot_sync(weft_deque *face, weft_slot *slot) {
    struct wf_worker *worker = wf_worker_of(face);
    face->head = slot + 1;
    wf_store(wf_slot_live(slot), WF_SLOT_TYPED, WF_RELEASE); /* until the word tells whose it is */
    return take_newest(worker, (uint32_t)(slot - worker->deque.slots) + 1);
}

static void run_plain(weft_deque *deque, weft_slot *slot) {
    (void)deque;
    slot->payload.plain.fn(slot->payload.plain.arg);
}

weft_status weft_spawn(weft_task_fn fn, void *arg) {
    struct wf_worker *worker = wf_self;
    if (!worker || !worker->frame)
        return wf_fail(WEFT_EINVAL, "weft_spawn() needs a running task: call it on a worker, or use weft_submit()");
    if (!fn)
        return wf_fail(WEFT_EINVAL, "weft_spawn() needs a function, got NULL");
    weft_slot *slot = wf_spawn_slot(worker);
    if (WF_UNLIKELY(!slot)) {
        wf_count(&worker->counters.overflows, 1);
        wf_run_call(worker, fn, arg, worker->frame, NULL);
        return WEFT_OK;
    }
    slot->run = run_plain;
    slot->payload.plain.fn = fn;
    slot->payload.plain.arg = arg;
    wf_spawned(worker, slot);
    return WEFT_OK;
}

void wf_sync(struct wf_worker *worker) {
    struct wf_frame *frame = worker->frame;
    uint32_t head = wf_deque_head(&worker->deque), base = head;
    while (base > frame->base && wf_load(wf_slot_live(&worker->deque.slots[base - 1]), WF_RELAXED) == WF_SLOT_PLAIN)
        base--;
    if (base < head)
        wf_sync_to(worker, base);
    if (WF_UNLIKELY(frame->placed))
        wf_placed_sync(worker, frame);
}

weft_status weft_sync(void) {
    struct wf_worker *worker = wf_self;
    if (!worker || !worker->frame)
        return wf_fail(WEFT_EINVAL, "weft_sync() needs a running task: the caller is not a worker");
    wf_sync(worker);
    return WEFT_OK;
}
