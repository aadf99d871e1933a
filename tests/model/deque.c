/*
 * The deque: an owner that pushes, publishes, pops and joins, and two thieves. Every task runs exactly once; what the owner put
 * into a slot, and what the runner left, is seen without a race.
 */
#include "scheduler/deque.h"

#include "explorer.h"
#include "scheduler/park.h"

#define SLOTS 4
#define TASKS 3

static struct wf_deque deque;
static struct wf_slot slots[SLOTS];
static unsigned cells[8];
static unsigned pushed, finished;

static void set_up(void) {
    for (unsigned i = 0; i < SLOTS; i++)
        slots[i] = (struct wf_slot){0};
    for (unsigned i = 0; i < 8; i++)
        cells[i] = 0;
    wf_deque_init(&deque, slots, SLOTS);
    pushed = finished = 0;
}

static void finish(struct wf_slot *slot) {
    unsigned *cell = slot->arg;
    EXPLORE_CHECK(cell);
    ++*cell;
}

static void push(void) {
    struct wf_slot *slot = wf_deque_next(&deque);
    EXPLORE_CHECK(slot);
    slot->arg = &cells[pushed++];
    wf_deque_push(&deque);
}

static void answer(void) {
    if (!wf_deque_asked(&deque))
        return;
    wf_deque_publish(&deque);
    wf_exchange(&deque.request, 0, WF_SEQ_CST);
}

static void join(void) {
    struct wf_slot *slot = wf_deque_pop(&deque);
    if (slot) {
        finish(slot);
        slot->arg = NULL; /* the slot is the owner's again */
    } else {
        struct wf_slot *top = &deque.slots[deque.head - 1];
        while (!(wf_load(&top->state, WF_ACQUIRE) & WF_SLOT_DONE))
            explore_yield();
        wf_deque_drop(&deque);
        top->arg = NULL;
    }
    finished++;
}

/* Two rounds, so that slots are used again while slow thieves still hold old words. */
static void owner(void) {
    for (unsigned i = 0; i < TASKS; i++)
        push();
    wf_deque_publish(&deque);
    join();
    join();
    push();
    answer();
    wf_deque_new_epoch(&deque);
    join();
    join();
    push();
    wf_deque_publish(&deque);
    join();
}

static void thief(void) {
    for (unsigned i = 0; i < 3; i++) {
        uint64_t word = wf_deque_look(&deque);
        if (!wf_deque_word_has_work(word)) {
            wf_deque_ask(&deque);
            continue;
        }
        struct wf_slot *slot = wf_deque_steal(&deque, word);
        if (!slot)
            continue;
        finish(slot);
        wf_fetch_or(&slot->state, WF_SLOT_DONE, WF_RELEASE);
    }
}

static void check(void) {
    EXPLORE_CHECK(pushed == 5 && finished == pushed);
    for (unsigned i = 0; i < pushed; i++)
        EXPLORE_CHECK(cells[i] == 1);
    EXPLORE_CHECK(!deque.head && !deque.split && !wf_deque_word_has_work(deque.word));
}

/* A thief on its way to sleep, and an owner that publishes and then looks for sleepers. */
static struct wf_parking parking;
static struct wf_signal signal_of_thief;

static void set_up_sleep(void) {
    set_up();
    parking = (struct wf_parking){.searching = 1, .count = 1};
    signal_of_thief.bits = 0;
}

static void publisher(void) {
    push();
    wf_deque_publish(&deque);
    unsigned worker;
    if (!wf_load(&parking.searching, WF_SEQ_CST) && wf_park_claim_any(&parking, 0, &worker)) {
        wf_search_begin(&parking);
        wf_signal_set(&signal_of_thief, WF_SIGNAL_TOKEN);
    }
}

static void sleeper(void) {
    wf_park_announce(&parking, 0);
    if (!wf_deque_word_has_work(wf_deque_look(&deque)))
        wf_signal_take(&signal_of_thief, WF_SIGNAL_TOKEN);
}

static const struct explore_case cases[] = {
    {.name = "deque", .set_up = set_up, .threads = {owner, thief, thief}, .check = check, .schedules = 30},
    {.name = "deque/sleep", .set_up = set_up_sleep, .threads = {publisher, sleeper}},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
