/*
 * The deque alone: one owner that spawns and joins nested tasks, thieves that steal and finish them. Every task runs exactly
 * once, results of stolen tasks are visible to the owner, and the deque is empty at the end.
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
static struct wf_slot slots[SLOTS];
static _Atomic(uint32_t) stop;
static _Atomic(uint64_t) stolen;

/* arg carries the task's cell: the runner adds one, plainly, so that a race or a second run is seen. */
static void finish(struct wf_slot *slot) {
    uint64_t *cell = slot->arg;
    *cell += 1;
}

static void *thief(void *unused) {
    (void)unused;
    for (uint64_t look = 0; !wf_load(&stop, WF_RELAXED); look++) {
        if (look % 256 == 0)
            sched_yield(); /* more threads than CPUs: the owner may wait for a thief that has lost its turn */
        uint64_t word = wf_deque_look(&deque);
        if (!wf_deque_word_has_work(word)) {
            wf_deque_ask(&deque);
            continue;
        }
        struct wf_slot *slot = wf_deque_steal(&deque, word);
        if (!slot)
            continue;
        finish(slot);
        atomic_fetch_add_explicit(&stolen, 1, memory_order_relaxed);
        wf_fetch_or(&slot->state, WF_SLOT_DONE, WF_RELEASE);
    }
    return NULL;
}

static void poll_request(void) {
    if (!wf_deque_asked(&deque))
        return;
    wf_deque_publish(&deque);
    wf_exchange(&deque.request, 0, WF_SEQ_CST);
}

static void join_newest(void) {
    struct wf_slot *slot = wf_deque_pop(&deque);
    if (slot) {
        finish(slot);
        return;
    }
    struct wf_slot *top = &deque.slots[deque.head - 1];
    while (!(wf_load(&top->state, WF_ACQUIRE) & WF_SLOT_DONE))
        sched_yield();
    wf_deque_drop(&deque);
}

int main(void) {
    static uint64_t cells[SLOTS];
    uint64_t random = stress_seed(), rounds = stress_scale(2000000), spawned = 0, ran = 0;
    pthread_t threads[THIEVES];
    wf_deque_init(&deque, slots, SLOTS);
    for (int i = 0; i < THIEVES; i++)
        CHECK(!pthread_create(&threads[i], NULL, thief, NULL));
    for (uint64_t round = 0; round < rounds || stolen < STEALS_LEAST; round++) {
        if (round % 8192 == 0)
            sched_yield(); /* on a busy machine the thieves want a turn */
        uint32_t up = wf_rng_below(&random, 12), down = wf_rng_below(&random, 12);
        for (uint32_t i = 0; i < up && wf_deque_next(&deque); i++) {
            struct wf_slot *slot = wf_deque_next(&deque);
            cells[deque.head] = 0;
            slot->arg = &cells[deque.head];
            wf_deque_push(&deque);
            spawned++;
            poll_request();
        }
        for (uint32_t i = 0; i < down && deque.head; i++) {
            join_newest();
            CHECK(cells[deque.head] == 1);
            ran++;
            poll_request();
        }
        if (!deque.head)
            wf_deque_new_epoch(&deque);
    }
    while (deque.head) {
        join_newest();
        CHECK(cells[deque.head] == 1);
        ran++;
    }
    wf_store(&stop, 1, WF_RELAXED);
    for (int i = 0; i < THIEVES; i++)
        pthread_join(threads[i], NULL);
    CHECK(spawned == ran);
    CHECK(!wf_deque_word_has_work(wf_deque_look(&deque)));
    printf("%" PRIu64 " tasks, %" PRIu64 " stolen\n", ran, (uint64_t)stolen);
    return 0;
}
