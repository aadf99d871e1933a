/*
 * Pools with a limit: submitters that wait for room, as wf_submit(), wf_task_run() and the end of a pool are shipped. Who is not woken is
 * a deadlock. No more tasks run or wait than the limit says, and all that was accepted runs.
 */
#include "scheduler/room.h"

#include "scheduler/submit.h"
#include "world.h"

static unsigned ran[4];      /* plain: each has one task at a time */
static wf_atomic_u32 inside; /* tasks that were accepted and have not ended, at least */
static wf_atomic_u32 seen;   /* by the holder of room, that it may end */
static unsigned accepted;

static void set_up(unsigned limit) {
    world_set_up(1);
    world_pool.submit_limit = limit;
    for (unsigned i = 0; i < 4; i++)
        ran[i] = 0;
    inside = seen = 0;
    accepted = 0;
}

static void set_up_one(void) {
    set_up(1);
}

static void set_up_two(void) {
    set_up(2);
}

static void count_task(void *arg) {
    EXPLORE_CHECK(wf_load(&world_pool.nodes[0]->room.state, WF_RELAXED) / WF_ROOM_ONE <= world_pool.submit_limit);
    ++*(unsigned *)arg;
    wf_fetch_sub(&inside, 1, WF_RELAXED);
}

static void note_accepted(uint32_t count) {
    EXPLORE_CHECK((int32_t)(wf_fetch_add(&inside, count, WF_RELAXED) + count) <= (int32_t)world_pool.submit_limit);
}

static void submit_one(unsigned *cell) {
    EXPLORE_CHECK(!weft_submit(&world_pool, count_task, cell, NULL));
    note_accepted(1);
}

static void submit_ones(void) {
    unsigned self = explore_self() - 1;
    submit_one(&ran[2 * self]);
    submit_one(&ran[2 * self + 1]);
    world_end_if_last();
}

/* Needs the whole room. */
static void submit_pair(void) {
    void *args[2] = {&ran[2], &ran[3]};
    EXPLORE_CHECK(!weft_submit_batch(&world_pool, count_task, args, 2, NULL));
    note_accepted(2);
    world_end_if_last();
}

static void check_all(void) {
    for (unsigned i = 0; i < 4; i++)
        EXPLORE_CHECK(ran[i] == 1);
    EXPLORE_CHECK(wf_load(&world_pool.nodes[0]->room.state, WF_RELAXED) < WF_ROOM_ONE);
}

/* Holds its room until the submitter has given up, which only the close can make it do. */
static void hold_task(void *arg) {
    while (!wf_load(&seen, WF_ACQUIRE))
        wf_futex_wait(&seen, 0);
    ++*(unsigned *)arg;
}

static void submit_into_close(void) {
    weft_status first = weft_submit(&world_pool, hold_task, &ran[0], NULL);
    EXPLORE_CHECK(!first || first == WEFT_ECLOSED);
    EXPLORE_CHECK(weft_submit(&world_pool, count_task, &ran[1], NULL) == WEFT_ECLOSED);
    accepted = !first;
    wf_store(&seen, 1, WF_RELEASE);
    wf_futex_wake(&seen, EXPLORE_THREADS);
}

static void check_closed(void) {
    EXPLORE_CHECK(ran[0] == accepted && !ran[1]);
    EXPLORE_CHECK(wf_load(&world_pool.nodes[0]->room.state, WF_RELAXED) < WF_ROOM_ONE);
}

static const struct explore_case cases[] = {
    {.name = "room/block", .set_up = set_up_one, .threads = {world_work, submit_ones, submit_ones}, .check = check_all},
    {.name = "room/batch", .set_up = set_up_two, .threads = {world_work, submit_ones, submit_pair}, .check = check_all},
    {.name = "room/close", .set_up = set_up_one, .threads = {world_work, submit_into_close, world_end}, .check = check_closed},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
