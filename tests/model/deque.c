/*
 * The deque: an owner that spawns and syncs on the fast paths that are compiled into programs, and on what lies behind them, and two
 * thieves that ask, steal and force. Every task runs exactly once; what the owner put into a slot, and what the runner left, is seen
 * without a race.
 */
#include "scheduler/deque.h"

#include "explorer.h"
#include "scheduler/park.h"

#define SLOTS 4
#define TASKS 3

static struct wf_deque deque;
static weft_slot slots[SLOTS + 1], *head;
static unsigned cells[8];
static unsigned pushed, finished;

static void set_up(void) {
    for (unsigned i = 0; i <= SLOTS; i++)
        slots[i] = (weft_slot){0};
    for (unsigned i = 0; i < 8; i++)
        cells[i] = 0;
    wf_deque_init(&deque, slots, SLOTS, SLOTS);
    head = slots;
    pushed = finished = 0;
}

static void finish(weft_slot *slot) {
    unsigned *cell = slot->payload.plain.arg;
    EXPLORE_CHECK(cell);
    ++*cell;
}

static void push(void) {
    head->payload.plain.arg = &cells[pushed++];
    weft_slot_push(&deque.face, head++, NULL);
}

static uint32_t live(void) {
    return (uint32_t)(head - slots);
}

static void publish(uint32_t most) {
    wf_deque_answer(&deque);
    if (!wf_deque_publish(&deque, live(), most))
        wf_deque_answer_later(&deque);
    wf_deque_open(&deque, live());
}

/* Behind the fast paths; head is in a variable of this thread, as in a program's register. */
void weft_slot_spawned(weft_deque *face, weft_slot *slot) {
    EXPLORE_CHECK(face == &deque.face && slot == head - 1 && wf_deque_asked(&deque));
    publish(2);
}

int weft_slot_sync(weft_deque *face, weft_slot *slot) {
    EXPLORE_CHECK(face == &deque.face && slot == head);
    wf_store(wf_slot_live(slot), WF_SLOT_TYPED, WF_RELEASE);
    if (wf_deque_pop(&deque, live() + 1)) {
        if (wf_deque_asked(&deque))
            publish(1);
        return 1;
    }
    while (!(wf_load(wf_slot_state(slot), WF_ACQUIRE) & WF_SLOT_DONE))
        explore_yield();
    wf_deque_drop(&deque, live() + 1);
    return 0;
}

static void join(void) {
    if (weft_slot_pop(&deque.face, --head))
        finish(head);
    head->payload.plain.arg = NULL; /* the slot is the owner's again */
    finished++;
}

/* Two rounds, so that slots are used again while slow thieves still hold old words. */
static void owner(void) {
    for (unsigned i = 0; i < TASKS; i++)
        push();
    publish(TASKS);
    join();
    join();
    push();
    wf_deque_new_epoch(&deque);
    join();
    join();
    push();
    publish(1);
    join();
}

/* Spawns and syncs only, as programs do: nothing is public unless thieves see to it. */
static void program(void) {
    push();
    push();
    join();
    push();
    join();
    join();
    push();
    join();
    push();
    join();
}

static bool steal(void) {
    uint64_t word = wf_deque_look(&deque);
    weft_slot *slot = wf_deque_word_has_work(word) ? wf_deque_steal(&deque, word) : NULL;
    if (!slot)
        return false;
    finish(slot);
    wf_fetch_or(wf_slot_state(slot), WF_SLOT_DONE, WF_RELEASE);
    return true;
}

static void thief(void) {
    for (unsigned i = 0; i < 3; i++) {
        if (!wf_deque_word_has_work(wf_deque_look(&deque)))
            wf_deque_ask(&deque, WF_DEQUE_ANYWAY);
        steal();
    }
}

static void forcing_thief(void) {
    for (unsigned i = 0; i < 2; i++) {
        wf_deque_force(&deque);
        steal();
    }
}

/* As short as can be, for a thief that is overtaken by the owner and by another thief. */
static void two_tasks(void) {
    push();
    join();
    push();
    join();
}

/* An owner that leaves a slow path while a thief forces. */
static void open_and_join(void) {
    push();
    wf_deque_open(&deque, live());
    join();
}

static void force_and_steal(void) {
    wf_deque_force(&deque);
    steal();
}

static void force_only(void) {
    wf_deque_force(&deque);
}

static void check_one(void) {
    EXPLORE_CHECK(cells[0] == 1 && finished == 1);
}

static void check_two(void) {
    EXPLORE_CHECK(cells[0] == 1 && cells[1] == 1 && finished == 2);
}

static void check(void) {
    EXPLORE_CHECK(pushed == 5 && finished == pushed && head == slots);
    for (unsigned i = 0; i < pushed; i++)
        EXPLORE_CHECK(cells[i] == 1);
    EXPLORE_CHECK(wf_deque_settle(&deque) == slots && !wf_deque_word_has_work(deque.word));
    for (unsigned i = 0; i <= SLOTS; i++)
        EXPLORE_CHECK(!slots[i].live && !slots[i].state);
}

/* An owner in a leaf that does not end before its child has run: only force can find it. */
static wf_atomic_u32 ran_elsewhere;

static void leaf(void) {
    push();
    while (!wf_load(&ran_elsewhere, WF_RELAXED))
        explore_yield();
    join();
}

static void forcing_helper(void) {
    while (!wf_load(&ran_elsewhere, WF_RELAXED)) {
        wf_deque_force(&deque);
        if (steal())
            wf_store(&ran_elsewhere, 1, WF_RELAXED);
        else
            explore_yield();
    }
}

static void set_up_leaf(void) {
    set_up();
    ran_elsewhere = 0;
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
    wf_deque_publish(&deque, live(), 1);
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
    {.name = "deque/force", .set_up = set_up, .threads = {program, forcing_thief}, .check = check, .schedules = 30, .bound = 3},
    {.name = "deque/force_two",
     .set_up = set_up,
     .threads = {program, forcing_thief, forcing_thief},
     .check = check,
     .schedules = 30},
    {.name = "deque/force_ask", .set_up = set_up, .threads = {owner, thief, forcing_thief}, .check = check, .schedules = 30},
    {.name = "deque/open",
     .set_up = set_up,
     .threads = {open_and_join, force_and_steal},
     .check = check_one,
     .schedules = 100,
     .bound = 4},
    {.name = "deque/force_again",
     .set_up = set_up,
     .threads = {two_tasks, force_and_steal, force_only},
     .check = check_two,
     .schedules = 60,
     .bound = 3},
    {.name = "deque/leaf", .set_up = set_up_leaf, .threads = {leaf, forcing_helper}, .check = check_one},
    {.name = "deque/sleep", .set_up = set_up_sleep, .threads = {publisher, sleeper}},
};

int main(int argc, char **argv) {
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
