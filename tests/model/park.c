/*
 * How workers fall asleep and who wakes them: find_work(), wf_pool_offer() and the inbox as they are shipped, under tasks that
 * come from outside. A lost wake-up is a deadlock. Also the end of a pool: what was admitted runs, and all workers end.
 */
#include "world.h"

static unsigned ran[4];
static wf_atomic_u32 met;
static uint32_t meeting; /* how many of them wait for each other */
static wf_atomic_u32 submitted;

static void set_up_tasks(void) {
    for (unsigned i = 0; i < 4; i++)
        ran[i] = 0;
    met = submitted = 0;
    meeting = 2;
}

static void set_up(unsigned workers) {
    world_set_up(workers);
    set_up_tasks();
}

static void set_up_one(void) {
    set_up(1);
}

/* Two workers on a node each. */
static void set_up_apart(void) {
    world_set_up_apart();
    set_up_tasks();
}

static void set_up_uneven(void) {
    world_set_up_uneven();
    set_up_tasks();
    meeting = 3;
}

static void set_up_three(void) {
    set_up(3);
}

static void set_up_two(void) {
    set_up(2);
}

/* As in a new pool, where nobody has searched yet. */
static void set_up_two_parked(void) {
    set_up(2);
    world_park();
}

static void count_task(void *arg) {
    ++*(unsigned *)arg;
}

static void submit(weft_task_fn fn, unsigned *cell) {
    EXPLORE_CHECK(weft_submit(&world_pool, fn, cell, NULL) == WEFT_OK);
}

static void submit_one(void) {
    submit(count_task, &ran[0]);
    world_end();
}

static void submit_two(void) {
    submit(count_task, &ran[0]);
    submit(count_task, &ran[1]);
    world_end();
}

static void wait_until_met(void) {
    for (uint32_t seen; (seen = wf_load(&met, WF_RELAXED)) < meeting;)
        wf_futex_wait(&met, seen);
}

/* Tasks that wait for each other: all workers must run, whatever the order of offers and naps. */
static void meet_task(void *arg) {
    ++*(unsigned *)arg;
    wf_fetch_add(&met, 1, WF_RELAXED);
    wf_futex_wake(&met, EXPLORE_THREADS);
    wait_until_met();
}

static void submit_meeting(void) {
    submit(meet_task, &ran[0]);
    submit(meet_task, &ran[1]);
    world_end();
}

/* All three on one node: two of the tasks wait for each other, the last wakes go on. */
static void submit_meeting_and_one(void) {
    submit(count_task, &ran[2]);
    submit(meet_task, &ran[0]);
    submit(meet_task, &ran[1]);
    world_end();
}

/* Both for the first node, whose one worker cannot run both: the other node's must take one out of the inbox. */
static void submit_meeting_to_one_node(void) {
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true};
    EXPLORE_CHECK(weft_submit(&world_pool, meet_task, &ran[0], &there) == WEFT_OK);
    EXPLORE_CHECK(weft_submit(&world_pool, meet_task, &ran[1], &there) == WEFT_OK);
    world_end();
}

/* Three that meet, all for the node of one worker or two. */
static void submit_meeting_of_three(void) {
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = explore_choose(2)};
    for (unsigned i = 0; i < 3; i++)
        EXPLORE_CHECK(weft_submit(&world_pool, meet_task, &ran[i], &there) == WEFT_OK);
    world_end();
}

/* The same from two threads: the first to come leaves the end to the other. */
static void submit_from(unsigned which, weft_task_fn fn) {
    submit(fn, &ran[which]);
    if (wf_fetch_add(&submitted, 1, WF_RELAXED) == 1)
        world_end();
}

static void submit_meeting_first(void) {
    submit_from(0, meet_task);
}

static void submit_meeting_second(void) {
    submit_from(1, meet_task);
}

/* A task that submits another to its own worker's queue, and waits for it. */
static void submitting_task(void *arg) {
    submit(meet_task, &ran[1]);
    meet_task(arg);
}

static void submit_submitting(void) {
    submit(submitting_task, &ran[0]);
    wait_until_met(); /* before the pool takes no more */
    world_end();
}

/* A task that leaves another in its own worker's queue. */
static void leaving_task(void *arg) {
    submit(count_task, &ran[1]);
    ++*(unsigned *)arg;
    wf_fetch_add(&met, 2, WF_RELAXED);
    wf_futex_wake(&met, EXPLORE_THREADS);
}

/* Submit against the end: the task runs, or it was refused. */
static void submit_late(void) {
    bool accepted = weft_submit(&world_pool, count_task, &ran[1], NULL) == WEFT_OK;
    explore_join(2);
    EXPLORE_CHECK(ran[1] == accepted);
}

/* One worker is told to rest while tasks come. */
static void submit_two_of_two(void) {
    submit(count_task, &ran[0]);
    submit(count_task, &ran[1]);
    world_end_if_last();
}

static void submit_submitting_of_two(void) {
    submit(leaving_task, &ran[0]);
    wait_until_met(); /* before the pool takes no more */
    world_end_if_last();
}

static void set_up_swap(void) {
    set_up(2);
    world_rest_second();
}

static void check_one(void) {
    EXPLORE_CHECK(ran[0] == 1);
}

static void check_three(void) {
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1 && ran[2] == 1);
}

static void check_two(void) {
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1);
}

static const struct explore_case cases[] = {
    {.name = "park/one", .set_up = set_up_one, .threads = {world_work, submit_one}, .check = check_one},
    {.name = "park/two", .set_up = set_up_two, .threads = {world_work, world_work, submit_two}, .check = check_two},
    {.name = "park/meet", .set_up = set_up_two, .threads = {world_work, world_work, submit_meeting}, .check = check_two},
    {.name = "park/meet_new",
     .set_up = set_up_two_parked,
     .threads = {world_work, world_work, submit_meeting},
     .check = check_two},
    {.name = "park/retire_new",
     .set_up = set_up_two_parked,
     .threads = {world_work, world_work, submit_two_of_two, world_retire_first},
     .check = check_two},
    {.name = "park/meet_from_task",
     .set_up = set_up_two,
     .threads = {world_work, world_work, submit_submitting},
     .check = check_two},
    {.name = "park/meet_from_two",
     .set_up = set_up_two,
     .threads = {world_work, world_work, submit_meeting_first, submit_meeting_second},
     .check = check_two},
    {.name = "park/retire",
     .set_up = set_up_two,
     .threads = {world_work, world_work, submit_two_of_two, world_retire_first},
     .check = check_two},
    {.name = "park/retire_busy",
     .set_up = set_up_two,
     .threads = {world_work, world_work, submit_submitting_of_two, world_retire_first},
     .check = check_two},
    {.name = "park/swap",
     .set_up = set_up_swap,
     .threads = {world_work, world_work, submit_two_of_two, world_swap},
     .check = check_two},
    {.name = "park/meet_among_three",
     .set_up = set_up_three,
     .threads = {world_work, world_work, world_work, submit_meeting_and_one},
     .check = check_three},
    {.name = "park/meet_across_nodes",
     .set_up = set_up_apart,
     .threads = {world_work, world_work, submit_meeting_to_one_node},
     .check = check_two},
    {.name = "park/meet_on_two_nodes",
     .set_up = set_up_uneven,
     .threads = {world_work, world_work, world_work, submit_meeting_of_three},
     .check = check_three},
    {.name = "park/close", .set_up = set_up_one, .threads = {world_work, submit_late, submit_one}, .check = check_one},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
