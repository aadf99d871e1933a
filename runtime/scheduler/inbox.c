/* The two sides of a lane. The protocol stands in inbox.h. */
#include "scheduler/inbox.h"

#include <time.h>

#include "base/clock.h"

/* Tries before the next lane, and rounds over all lanes before a nap; who holds a lane does so for some nanoseconds, or is off its CPU. */
#define TRIES 16u
#define ROUNDS 4u
#define NAP_NS 50000

/* Tasks that a submitter fetches its lines ahead of. */
#define AHEAD 12u

void wf_inbox_init(struct wf_inbox *inbox) {
    for (unsigned i = 0; i <= WF_LANES; i++) {
        struct wf_lane *lane = &inbox->lanes[i];
        wf_store(&lane->put, 0, WF_RELAXED);
        wf_store(&lane->taken, 0, WF_RELAXED);
        wf_store(&lane->taking, 0, WF_RELAXED);
        lane->first = lane->tail = lane->head = NULL;
        lane->tail_used = lane->head_used = 0;
    }
    pthread_mutex_init(&inbox->chunk_lock, NULL);
}

static struct wf_chunk *make_chunk(struct wf_inbox *inbox) {
    pthread_mutex_lock(&inbox->chunk_lock);
    struct wf_chunk *chunk = wf_record_alloc(&inbox->chunks);
    pthread_mutex_unlock(&inbox->chunk_lock);
    if (chunk)
        chunk->next = NULL;
    return chunk;
}

static bool lock_lane(struct wf_lane *lane, uint64_t *word) {
    for (unsigned i = 0; i < TRIES; i++) {
        *word = wf_load(&lane->put, WF_RELAXED);
        if (!(*word & WF_LANE_LOCKED) && wf_cas(&lane->put, word, *word | WF_LANE_LOCKED, WF_ACQUIRE, WF_RELAXED))
            return true;
        wf_cpu_relax();
    }
    return false;
}

/* Lock one of `count` lanes, the caller's turn first. */
static struct wf_lane *lock_any(struct wf_lane *lanes, unsigned count, unsigned turn, uint64_t *word) {
    for (unsigned round = 0;; round++) {
        for (unsigned i = 0; i < count; i++) {
            struct wf_lane *lane = &lanes[(turn + i) % count];
            if (lock_lane(lane, word))
                return lane;
        }
        if (round >= ROUNDS)
            nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
}

/* L: free the chunks after the tail, which were linked in vain. */
static void give_up(struct wf_inbox *inbox, struct wf_lane *lane) {
    for (struct wf_chunk *chunk = lane->tail->next, *next; chunk; chunk = next) {
        next = chunk->next;
        wf_record_free(&inbox->chunks, chunk, false);
    }
    lane->tail->next = NULL;
}

/* L: write tasks behind the newest; false: no memory, and nothing has changed. */
static bool append(struct wf_inbox *inbox, struct wf_lane *lane, const struct wf_task *task, void *const *args, size_t count) {
    if (WF_UNLIKELY(!lane->tail)) {
        lane->first = lane->tail = make_chunk(inbox);
        if (!lane->tail)
            return false;
    }
    struct wf_chunk *tail = lane->tail;
    uint32_t used = lane->tail_used;
    for (size_t i = 0; i < count; i++) {
        tail->tasks[used++] = (struct wf_task){task->fn, args[i], task->group, task->home, task->room};
        if (WF_LIKELY(used < WF_CHUNK_TASKS)) {
            wf_prefetch_write((uintptr_t)&tail->tasks[used] + AHEAD * sizeof *task);
            continue;
        }
        struct wf_chunk *next = make_chunk(inbox);
        if (WF_UNLIKELY(!next)) {
            give_up(inbox, lane);
            return false;
        }
        tail = tail->next = next;
        used = 0;
    }
    lane->tail = tail;
    lane->tail_used = used;
    return true;
}

static weft_status put(struct wf_inbox *inbox, struct wf_lane *lane, uint64_t word, const struct wf_task *task, void *const *args,
                       size_t count) {
    bool closed = word & WF_LANE_CLOSED;
    if (WF_UNLIKELY(closed || !append(inbox, lane, task, args, count))) {
        wf_store(&lane->put, word, WF_RELEASE); /* pairs with the next lock */
        return closed ? WEFT_ECLOSED : WEFT_ENOMEM;
    }
    wf_store(&lane->put, word + count * WF_LANE_ONE, WF_SEQ_CST);
    return WEFT_OK;
}

weft_status wf_inbox_put(struct wf_inbox *inbox, unsigned turn, const struct wf_task *task, void *const *args, size_t count) {
    uint64_t word;
    struct wf_lane *lane = lock_any(inbox->lanes, WF_LANES, turn, &word);
    return put(inbox, lane, word, task, args, count);
}

weft_status wf_inbox_put_backlog(struct wf_inbox *inbox, const struct wf_task *task) {
    uint64_t word;
    struct wf_lane *lane = lock_any(&inbox->lanes[WF_LANES], 1, 0, &word);
    return put(inbox, lane, word, task, &task->arg, 1);
}

void wf_inbox_close(struct wf_inbox *inbox) {
    for (unsigned i = 0; i < WF_LANES; i++) {
        uint64_t word;
        struct wf_lane *lane = lock_any(&inbox->lanes[i], 1, 0, &word);
        wf_store(&lane->put, word | WF_LANE_CLOSED, WF_RELEASE); /* pairs with the next lock */
    }
}

uint64_t wf_inbox_accepted(const struct wf_inbox *inbox) {
    uint64_t count = 0;
    for (unsigned i = 0; i < WF_LANES; i++)
        count += wf_load(&inbox->lanes[i].put, WF_RELAXED) / WF_LANE_ONE; /* the caller had the lane's lock last */
    return count;
}

/* L: the oldest task leaves the lane. */
static struct wf_task next_task(struct wf_inbox *inbox, struct wf_lane *lane) {
    struct wf_chunk *head = lane->head;
    struct wf_task task = head->tasks[lane->head_used++];
    if (lane->head_used == WF_CHUNK_TASKS) {
        lane->head = head->next;
        lane->head_used = 0;
        wf_record_free(&inbox->chunks, head, false);
    }
    return task;
}

static unsigned take(struct wf_inbox *inbox, struct wf_lane *lane, struct wf_ready_queue *own, uint32_t room,
                     struct wf_task *oldest) {
    uint64_t taken = wf_load(&lane->taken, WF_RELAXED);
    uint64_t there = wf_load(&lane->put, WF_ACQUIRE) / WF_LANE_ONE - taken; /* pairs with put() */
    unsigned count = there < room + 1 ? (unsigned)there : room + 1;
    if (!count)
        return 0;
    if (!lane->head)
        lane->head = lane->first;
    *oldest = next_task(inbox, lane);
    for (unsigned i = 1; i < count; i++) {
        struct wf_task task = next_task(inbox, lane);
        wf_ready_queue_fill(own, i - 1, &task);
    }
    wf_store(&lane->taken, taken + count, WF_RELAXED);
    return count;
}

unsigned wf_inbox_take_lane(struct wf_inbox *inbox, unsigned number, struct wf_ready_queue *own, uint32_t room,
                            struct wf_task *oldest) {
    struct wf_lane *lane = &inbox->lanes[number];
    if (!wf_lane_has_work(lane) || wf_load(&lane->taking, WF_RELAXED) || wf_exchange(&lane->taking, 1, WF_ACQUIRE))
        return 0;
    unsigned count = take(inbox, lane, own, room, oldest);
    wf_store(&lane->taking, 0, WF_RELEASE); /* pairs with the exchange above */
    return count;
}

unsigned wf_inbox_take(struct wf_inbox *inbox, unsigned turn, struct wf_ready_queue *own, uint32_t room, struct wf_task *oldest) {
    unsigned count = 0;
    for (unsigned i = 0; !count && i <= WF_LANES; i++)
        count = wf_inbox_take_lane(inbox, (turn + i) % (WF_LANES + 1), own, room, oldest);
    return count;
}
