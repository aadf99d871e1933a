/*
 * The deque alone: one owner that spawns and joins nested tasks on the fast paths that are compiled into programs, thieves that ask,
 * steal, force and finish. Every task runs exactly once, results of stolen tasks are visible to the owner, and the deque is empty at
 * the end.
 */
#include "scheduler/deque.h"

#include <pthread.h>
#include <sched.h>

#include "base/rng.h"
#include "stress.h"

#define THIEVES 3
#define SLOTS 256
#define STEALS_LEAST 1000

static struct wf_deque deque;
static weft_slot slots[SLOTS + 1];
static _Atomic(uint32_t) stop;
static _Atomic(uint64_t) stolen, forced;

/* arg carries the task's cell: the runner adds one, plainly, so that a race or a second run is seen. */
static void finish(weft_slot *slot) {
    uint64_t *cell = slot->payload.plain.arg;
    *cell += 1;
}

static void run(weft_deque *owner, weft_slot *slot) {
    (void)owner;
    finish(slot);
}

static void *thief(void *unused) {
    (void)unused;
    for (uint64_t look = 0; !wf_load(&stop, WF_RELAXED); look++) {
        if (look % 256 == 0)
            sched_yield(); /* more threads than CPUs: the owner may wait for a thief that has lost its turn */
        uint64_t word = wf_deque_look(&deque);
        if (!wf_deque_word_has_work(word)) {
            if (look % 64 == 0 && wf_deque_force(&deque))
                atomic_fetch_add_explicit(&forced, 1, memory_order_relaxed);
            else if (look % 16 == 0)
                wf_deque_ask(&deque, WF_DEQUE_ANYWAY);
            continue;
        }
        weft_slot *slot = wf_deque_steal(&deque, word);
        if (!slot)
            continue;
        finish(slot);
        atomic_fetch_add_explicit(&stolen, 1, memory_order_relaxed);
        wf_fetch_or(wf_slot_state(slot), WF_SLOT_DONE, WF_RELEASE);
    }
    return NULL;
}

/* What the runtime does behind the fast paths, without a pool. */
static void answer(uint32_t head, uint32_t most) {
    wf_deque_answer(&deque);
    if (!wf_deque_publish(&deque, head, most))
        wf_deque_answer_later(&deque);
    wf_deque_open(&deque, head);
}

void weft_slot_spawned(weft_deque *face, weft_slot *slot) {
    uint32_t head = (uint32_t)(slot + 1 - deque.slots);
    (void)face;
    if (wf_deque_asked(&deque))
        answer(head, (head + 1) / 2);
}

int weft_slot_sync(weft_deque *face, weft_slot *slot) {
    uint32_t head = (uint32_t)(slot + 1 - deque.slots);
    wf_store(wf_slot_live(slot), WF_SLOT_TYPED, WF_RELEASE);
    if (wf_deque_pop(&deque, head)) {
        if (wf_deque_asked(&deque))
            answer(head - 1, 1);
        return 1;
    }
    while (!(wf_load(wf_slot_state(slot), WF_ACQUIRE) & WF_SLOT_DONE))
        sched_yield();
    wf_deque_drop(&deque, head);
    (void)face;
    return 0;
}

int main(void) {
    static uint64_t cells[SLOTS];
    uint64_t random = stress_seed(), rounds = stress_scale(2000000), spawned = 0, ran = 0;
    pthread_t threads[THIEVES];
    wf_deque_init(&deque, slots, SLOTS, SLOTS);
    weft_slot *head = slots;
    for (int i = 0; i < THIEVES; i++)
        CHECK(!pthread_create(&threads[i], NULL, thief, NULL));
    for (uint64_t round = 0; round < rounds || stolen < STEALS_LEAST; round++) {
        if (round % 8192 == 0)
            sched_yield(); /* on a busy machine the thieves want a turn */
        uint32_t up = wf_rng_below(&random, 12), down = wf_rng_below(&random, 12);
        for (uint32_t i = 0; i < up && head < slots + SLOTS; i++) {
            cells[head - slots] = 0;
            head->payload.plain.arg = &cells[head - slots];
            weft_slot_push(&deque.face, head++, run);
            spawned++;
        }
        for (uint32_t i = 0; i < down && head > slots; i++) {
            if (weft_slot_pop(&deque.face, --head))
                finish(head);
            CHECK(cells[head - slots] == 1);
            ran++;
        }
        if (head == slots)
            wf_deque_new_epoch(&deque);
        if (round % 65536 == 0)
            CHECK(wf_deque_settle(&deque) == head);
    }
    while (head > slots) {
        if (weft_slot_pop(&deque.face, --head))
            finish(head);
        CHECK(cells[head - slots] == 1);
        ran++;
    }
    wf_store(&stop, 1, WF_RELAXED);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(threads[i], NULL);
    CHECK(spawned == ran);
    CHECK(!wf_deque_word_has_work(wf_deque_look(&deque)));
    printf("%" PRIu64 " tasks, %" PRIu64 " stolen, %" PRIu64 " times forced\n", ran, (uint64_t)stolen, (uint64_t)forced);
    return 0;
}
