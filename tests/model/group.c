/*
 * Groups: threads inside and outside the pool fill them and wait for them. The waiter destroys the group at once, so that a
 * worker that still touches it is seen; freed memory is watched.
 */
#include "scheduler/submit.h"
#include "world.h"

static weft_group *group;
static unsigned ran[4];
static wf_atomic_u32 left; /* threads outside that have not ended */

static void set_up(unsigned workers, uint32_t outside) {
    world_set_up(workers);
    for (unsigned i = 0; i < 4; i++)
        ran[i] = 0;
    group = NULL;
    left = outside;
}

static void set_up_one(void) {
    set_up(1, 1);
}

static void set_up_two(void) {
    set_up(2, 1);
}

/* The group is there from the beginning, for two threads outside. */
static void set_up_shared(void) {
    set_up(1, 2);
    EXPLORE_CHECK(!weft_group_create(&group, &world_pool));
}

static void count_task(void *arg) {
    ++*(unsigned *)arg;
}

static void end_if_last(void) {
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) != 1)
        return;
    EXPLORE_CHECK(!weft_group_destroy(group));
    world_end();
}

static void wait_outside(void) {
    EXPLORE_CHECK(!weft_group_create(&group, &world_pool));
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[0]));
    EXPLORE_CHECK(!weft_group_wait(group));
    EXPLORE_CHECK(ran[0] == 1);
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[1])); /* used again */
    EXPLORE_CHECK(!weft_group_wait(group));
    EXPLORE_CHECK(ran[1] == 1);
    end_if_last();
}

/* Each adds one and waits for all there are. */
static void share(void) {
    unsigned *cell = &ran[explore_self()];
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, cell));
    EXPLORE_CHECK(!weft_group_wait(group));
    EXPLORE_CHECK(*cell == 1);
    end_if_last();
}

/* A task that fills a group by spawning, and waits for it on its worker. */
static void waiting_task(void *arg) {
    weft_group *own;
    EXPLORE_CHECK(!weft_group_create(&own, &world_pool));
    EXPLORE_CHECK(!weft_group_spawn(own, count_task, &ran[1]));
    EXPLORE_CHECK(!weft_group_spawn(own, count_task, &ran[2]));
    EXPLORE_CHECK(!weft_group_wait(own));
    EXPLORE_CHECK(ran[1] == 1 && ran[2] == 1);
    EXPLORE_CHECK(!weft_group_destroy(own));
    count_task(arg);
}

static void submit_waiting(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, waiting_task, &ran[0], NULL));
    end_if_last();
}

/* A task waits on the only worker for a group that a thread outside fills: it has to run the group's task itself. */
static void wait_task(void *arg) {
    EXPLORE_CHECK(!weft_group_wait(group));
    count_task(arg);
}

static void fill(void) {
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[1]));
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[2]));
    EXPLORE_CHECK(!weft_group_wait(group));
    EXPLORE_CHECK(ran[1] == 1 && ran[2] == 1);
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) == 1)
        world_end();
}

static void submit_waiter(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, wait_task, &ran[0], NULL));
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) == 1)
        world_end();
}

static void check_filled(void) {
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1 && ran[2] == 1);
}

/* Children on both nodes, where a worker each is: the other node takes one, or the parent does when it syncs. */
static void placing_task(void *arg) {
    EXPLORE_CHECK(!weft_spawn_at(1 - wf_self->node, count_task, &ran[1]));
    EXPLORE_CHECK(!weft_spawn_at(wf_self->node, count_task, &ran[2]));
    EXPLORE_CHECK(!weft_sync());
    EXPLORE_CHECK(ran[1] == 1 && ran[2] == 1);
    count_task(arg);
}

static void submit_placing(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, placing_task, &ran[0], NULL));
    end_if_last();
}

static void set_up_apart(void) {
    set_up(1, 1);
    world_set_up_apart();
}

/* What was accepted, and all it makes, has ended when close returns. */
static void submit_and_close(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, waiting_task, &ran[0], NULL));
    EXPLORE_CHECK(!weft_pool_close(&world_pool));
    EXPLORE_CHECK(ran[0] == 1);
    EXPLORE_CHECK(weft_group_spawn(group, count_task, &ran[3]) == WEFT_ECLOSED);
    end_if_last();
}

static void set_up_close(void) {
    set_up(2, 1);
    EXPLORE_CHECK(!weft_group_create(&group, &world_pool));
}

/*
 * Of two workers one waits for the group inside a task, and the other one's task waits for that, by other means than weft's. So
 * nobody but the waiter can run the group's task, wherever it lies: in the inbox, or in the other one's ready queue.
 */
static wf_atomic_u32 waited;

static void wait_and_tell_task(void *arg) {
    wait_task(arg);
    wf_store(&waited, 1, WF_RELEASE);
    wf_futex_wake(&waited, EXPLORE_THREADS);
}

static void wait_by_other_means(void *arg) {
    while (!wf_load(&waited, WF_ACQUIRE))
        wf_futex_wait(&waited, 0);
    count_task(arg);
}

static void set_up_hidden(void) {
    set_up(2, 2);
    waited = 0;
    EXPLORE_CHECK(!weft_group_create(&group, &world_pool));
}

static void submit_hidden(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, wait_by_other_means, &ran[2], NULL));
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[1]));
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) == 1)
        world_end();
}

static void submit_wait_and_tell(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, wait_and_tell_task, &ran[0], NULL));
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) == 1)
        world_end();
}

/* The same without a search: one waits, the other has just moved the group's task when its own begins. */
static void set_up_moved(void) {
    set_up_hidden();
    EXPLORE_CHECK(!weft_submit(&world_pool, wait_by_other_means, &ran[2], NULL));
    EXPLORE_CHECK(!weft_group_spawn(group, count_task, &ran[1]));
}

static void wait_alone(void) {
    wf_self = world_pool.workers[0];
    wf_run_call(wf_self, wait_and_tell_task, &ran[0], NULL, NULL);
}

static void move_alone(void) {
    struct wf_worker *worker = wf_self = world_pool.workers[1];
    struct wf_task task;
    unsigned count = wf_inbox_take(&world_pool.nodes[0]->inbox, 0, &worker->ready, wf_ready_queue_room(&worker->ready), &task);
    if (!count)
        return;
    wf_tasks_share(worker, count - 1);
    if (wf_task_claim(worker, &task)) {
        wf_task_run(worker, &task);
        wf_tasks_tell(worker);
    }
}

static void check_moved(void) {
    EXPLORE_CHECK(ran[0] == 1 && ran[1] == 1);
}

static const struct explore_case cases[] = {
    {.name = "group/outside", .set_up = set_up_one, .threads = {world_work, wait_outside}},
    {.name = "group/shared", .set_up = set_up_shared, .threads = {world_work, share, share}},
    {.name = "group/inside", .set_up = set_up_two, .threads = {world_work, world_work, submit_waiting}, .check = check_filled},
    {.name = "group/helps", .set_up = set_up_shared, .threads = {world_work, fill, submit_waiter}, .check = check_filled},
    {.name = "group/close", .set_up = set_up_close, .threads = {world_work, world_work, submit_and_close}, .check = check_filled},
    {.name = "group/hidden",
     .set_up = set_up_hidden,
     .threads = {world_work, world_work, submit_hidden, submit_wait_and_tell},
     .check = check_filled,
     .schedules = 60},
    {.name = "group/moved", .set_up = set_up_moved, .threads = {wait_alone, move_alone}, .check = check_moved},
    {.name = "group/placed", .set_up = set_up_apart, .threads = {world_work, world_work, submit_placing}, .check = check_filled},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
