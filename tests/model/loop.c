/*
 * Loops by broadcast as they are shipped, with room for one: every iteration runs once and is seen by the caller, a slot is
 * filled anew only when nobody is inside, and static parts are served by their owners even while those wait.
 */
#include "world.h"

#include "parallel/loop.h"

#define MOST 6u

static unsigned cells[2][MOST];
static unsigned ran;
static bool placed; /* the bodies place memory: callers from outside take no part */
static wf_atomic_u32 ended;

static void set_up(void) {
    world_set_up(2);
    for (unsigned i = 0; i < 2 * MOST; i++)
        cells[i / MOST][i % MOST] = 0;
    ran = 0;
    ended = 0;
    placed = false;
}

static void set_up_apart(void) {
    set_up();
    world_set_up_apart();
}

static void set_up_placed(void) {
    set_up();
    placed = true;
}

static void set_up_three(void) {
    set_up();
    world_set_up(3);
}

static void body(void *arg, weft_range range) {
    unsigned *cell = arg;
    EXPLORE_CHECK(range.first < range.last && range.last <= MOST);
    for (size_t i = range.first; i < range.last; i++)
        EXPLORE_CHECK(!cell[i]++);
}

static void loop(unsigned which, size_t n, weft_schedule schedule) {
    weft_loop_report report = {0};
    struct wf_loop_request request = {
        .n = n, .body = body, .arg = cells[which], .schedule = schedule, .grain = 1, .placed = placed, .report = &report};
    EXPLORE_CHECK(!wf_loop_run(&world_pool, &request));
    EXPLORE_CHECK(report.iterations == n);
    for (size_t i = 0; i < n; i++)
        EXPLORE_CHECK(cells[which][i] == 1);
}

static void outside(void) {
    loop(0, 3, WEFT_SCHEDULE_STEAL);
    world_end();
}

/* The slot's second job, while somebody may still be inside the first. */
static void again(void) {
    loop(0, 2, WEFT_SCHEDULE_STEAL);
    loop(1, 2, WEFT_SCHEDULE_STEAL);
    world_end();
}

/* Parts of three: what a thief takes is more than it keeps in hand. */
static void threes(void) {
    loop(0, 6, WEFT_SCHEDULE_STEAL);
    loop(1, 6, WEFT_SCHEDULE_STEAL);
    world_end();
}

/* Loops of automatic grain, which the caller begins alone and may have to share. */
static void automatic(void) {
    for (unsigned which = 0; which < 2; which++) {
        EXPLORE_CHECK(!weft_for(&world_pool, 6, body, cells[which], NULL));
        for (size_t i = 0; i < 6; i++)
            EXPLORE_CHECK(cells[which][i] == 1);
    }
    world_end();
}

static void loop_task(void *arg) {
    (void)arg;
    loop(0, 4, WEFT_SCHEDULE_STEAL);
    ran++;
}

static void static_task(void *arg) {
    (void)arg;
    loop(0, 2, WEFT_SCHEDULE_STATIC);
    ran++;
}

static void submit_loop(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, loop_task, NULL, NULL));
    world_end();
    EXPLORE_CHECK(ran == 1);
}

static void submit_static(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, static_task, NULL, NULL));
    world_end();
    EXPLORE_CHECK(ran == 1);
}

/* A child that a thief holds while both workers have a static part: the owner of the child serves its part while it waits. */
static void nothing(void *arg) {
    (void)arg;
}

static void spawning_task(void *arg) {
    EXPLORE_CHECK(!weft_spawn(nothing, arg));
    EXPLORE_CHECK(!weft_spawn(static_task, NULL));
    EXPLORE_CHECK(!weft_sync());
    EXPLORE_CHECK(ran == 1);
}

static void submit_spawning(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, spawning_task, NULL, NULL));
    world_end();
    EXPLORE_CHECK(ran == 1);
}

/* Two callers for the one slot. */
static void caller(void) {
    loop(explore_self() - 2, 2, WEFT_SCHEDULE_STEAL);
    if (wf_fetch_add(&ended, 1, WF_RELAXED) == 1)
        world_end();
}

/* The worker of the only part, or of a static one, is told to rest, or rests. */
static void one_part(void) {
    loop(0, 1, WEFT_SCHEDULE_STEAL);
    world_end_if_last();
}

static void one_part_again(void) {
    loop(0, 1, WEFT_SCHEDULE_STEAL);
    loop(1, 1, WEFT_SCHEDULE_STEAL);
    world_end_if_last();
}

static void static_parts(void) {
    loop(0, 2, WEFT_SCHEDULE_STATIC);
    world_end_if_last();
}

static void set_up_swap(void) {
    set_up();
    world_rest_second();
}

/* A loop from outside has begun when the pool is destroyed; afterwards the caller touches nothing of it. */
static void tell(void *arg, weft_range range) {
    (void)range;
    wf_store((wf_atomic_u32 *)arg, 1, WF_RELAXED);
}

static void telling_caller(void) {
    EXPLORE_CHECK(!weft_for(&world_pool, 1, tell, &ended, NULL));
}

/* A loop from outside while the pool is closed: refused, or run before the close returns. */
static void late_caller(void) {
    weft_status status = weft_for(&world_pool, 1, tell, &ended, NULL);
    EXPLORE_CHECK(status == WEFT_OK || status == WEFT_ECLOSED);
    EXPLORE_CHECK(wf_load(&ended, WF_RELAXED) == (status == WEFT_OK));
}

static void destroyer(void) {
    while (!wf_load(&ended, WF_RELAXED))
        explore_yield();
    world_destroy();
}

static void set_up_one(void) {
    world_set_up(1);
    ended = 0;
}

static const struct explore_case cases[] = {
    {.name = "loop/outside", .set_up = set_up, .threads = {world_work, world_work, outside}},
    {.name = "loop/apart", .set_up = set_up_apart, .threads = {world_work, world_work, outside}},
    {.name = "loop/placed", .set_up = set_up_placed, .threads = {world_work, world_work, outside}},
    {.name = "loop/placed_again", .set_up = set_up_placed, .threads = {world_work, world_work, again}},
    {.name = "loop/threes", .set_up = set_up, .threads = {world_work, world_work, threes}, .schedules = 40},
    {.name = "loop/placed_threes", .set_up = set_up_placed, .threads = {world_work, world_work, threes}, .schedules = 40},
    {.name = "loop/automatic", .set_up = set_up, .threads = {world_work, world_work, automatic}},
    {.name = "loop/retire_placed",
     .set_up = set_up_placed,
     .threads = {world_work, world_work, one_part, world_retire_first},
     .schedules = 80},
    {.name = "loop/three", .set_up = set_up_three, .threads = {world_work, world_work, world_work, outside}},
    {.name = "loop/again", .set_up = set_up, .threads = {world_work, world_work, again}},
    {.name = "loop/inside", .set_up = set_up, .threads = {world_work, world_work, submit_loop}},
    {.name = "loop/static", .set_up = set_up, .threads = {world_work, world_work, submit_static}},
    {.name = "loop/waiting_owner", .set_up = set_up, .threads = {world_work, world_work, submit_spawning}},
    {.name = "loop/two_callers", .set_up = set_up, .threads = {world_work, world_work, caller, caller}},
    {.name = "loop/retire", .set_up = set_up, .threads = {world_work, world_work, one_part, world_retire_first}},
    {.name = "loop/retire_again", .set_up = set_up, .threads = {world_work, world_work, one_part_again, world_retire_first}},
    {.name = "loop/retire_static", .set_up = set_up, .threads = {world_work, world_work, static_parts, world_retire_first}},
    {.name = "loop/swap_static", .set_up = set_up_swap, .threads = {world_work, world_work, static_parts, world_swap}},
    {.name = "loop/close", .set_up = set_up_one, .threads = {world_work, late_caller, world_end}},
    {.name = "loop/destroy", .set_up = set_up_one, .threads = {world_work, telling_caller, destroyer}},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
