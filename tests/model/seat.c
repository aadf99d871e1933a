/*
 * Callers from outside that are a worker for a while, as they are shipped: what others offer meanwhile is not lost, whoever gets
 * the worker next finds its memory in order, and the pool's end waits for them.
 */
#include "world.h"

#include "scheduler/seat.h"

static unsigned ran[3];
static wf_atomic_u32 ended;

static void set_up(unsigned workers) {
    world_set_up(workers);
    for (unsigned i = 0; i < 3; i++)
        ran[i] = 0;
    ended = 0;
}

static void set_up_one(void) {
    set_up(1);
}

static void set_up_two(void) {
    set_up(2);
}

static void end_if_last(void) {
    if (wf_fetch_add(&ended, 1, WF_RELAXED) == 1)
        world_end();
}

static void count(void *arg) {
    ++*(unsigned *)arg;
}

/* Runs `fn` on a seat if there is one. */
static void sit(void (*fn)(unsigned *cell), unsigned *cell) {
    struct wf_seat seat;
    EXPLORE_CHECK(!wf_pool_admit(&world_pool, 0));
    if (wf_seat_take(&world_pool, &seat)) {
        EXPLORE_CHECK(weft_current_worker() == (int)seat.worker->id);
        fn(cell);
        wf_seat_leave(&seat);
        EXPLORE_CHECK(weft_current_worker() == -1);
    } else {
        ++*cell;
    }
    wf_pool_release(&world_pool, 0);
}

/* Writes to the worker's own memory: records, deque, counters. */
static void spawn_one(unsigned *cell) {
    EXPLORE_CHECK(!weft_spawn(count, cell));
    EXPLORE_CHECK(!weft_sync());
}

static void submit_one(unsigned *cell) {
    EXPLORE_CHECK(!weft_submit(&world_pool, count, cell, NULL));
}

/* A task that comes while the only worker is a caller's. */
static void sit_and_spawn(void) {
    sit(spawn_one, &ran[0]);
    end_if_last();
}

static void submit_from_outside(void) {
    submit_one(&ran[1]);
    end_if_last();
}

/* A task that a caller leaves in its worker's queue. */
static void sit_and_submit(void) {
    sit(submit_one, &ran[0]);
    world_end();
}

/* Two callers for one seat. */
static void sit_and_spawn_too(void) {
    sit(spawn_one, &ran[1]);
    end_if_last();
}

static void sit_and_leave_to_rest(void) {
    sit(submit_one, &ran[0]);
    world_end_if_last();
}

static void check_one(void) {
    EXPLORE_CHECK(ran[0] == 1);
}

static void check_two(void) {
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1);
}

static const struct explore_case cases[] = {
    {.name = "seat/offer", .set_up = set_up_one, .threads = {world_work, sit_and_spawn, submit_from_outside}, .check = check_two},
    {.name = "seat/leaves_work", .set_up = set_up_one, .threads = {world_work, sit_and_submit}, .check = check_one},
    {.name = "seat/two_callers",
     .set_up = set_up_one,
     .threads = {world_work, sit_and_spawn, sit_and_spawn_too},
     .check = check_two},
    {.name = "seat/thief",
     .set_up = set_up_two,
     .threads = {world_work, world_work, sit_and_spawn, submit_from_outside},
     .check = check_two},
    {.name = "seat/retire",
     .set_up = set_up_two,
     .threads = {world_work, world_work, sit_and_leave_to_rest, world_retire_first},
     .check = check_one},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
