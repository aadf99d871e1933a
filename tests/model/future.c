/*
 * Futures on two workers: set outside while others follow them and wait; functions that a waiting task has to run itself. What
 * follows reads what came before by plain reads; who waited releases its future at once, so that who still touches it is seen.
 */
#include "weft/future.h"

#include "world.h"

static weft_future *first, *second;
static unsigned cells[4];
static wf_atomic_u32 left, told;

static void set_up(unsigned workers, uint32_t outside) {
    world_set_up(workers);
    for (unsigned i = 0; i < 4; i++)
        cells[i] = 0;
    left = outside;
    told = 0;
}

static void end_if_last(void) {
    if (wf_fetch_sub(&left, 1, WF_ACQ_REL) == 1)
        world_end();
}

static weft_status give(void *arg, void **value) {
    ++*(unsigned *)arg;
    *value = arg;
    return WEFT_OK;
}

static weft_status follow(void *arg, weft_status status, void *before, void **value) {
    EXPLORE_CHECK(!status && *(const unsigned *)before == 1);
    return give(arg, value);
}

static void expect(weft_future *future, const unsigned *cell) {
    void *value = NULL;
    EXPLORE_CHECK(!weft_future_wait(future, &value));
    EXPLORE_CHECK(value == cell && *(const unsigned *)value == 1);
    weft_future_release(future);
}

/* One sets, one follows and waits, at the same time. */
static void set_up_set(void) {
    set_up(1, 2);
    EXPLORE_CHECK(!weft_future_create(&first, &world_pool));
    second = weft_future_retain(first);
}

static void set(void) {
    cells[0] = 1;
    EXPLORE_CHECK(!weft_future_set(first, WEFT_OK, &cells[0]));
    weft_future_release(first);
    end_if_last();
}

static void follow_and_wait(void) {
    weft_future *next;
    EXPLORE_CHECK(!weft_future_then(second, &next, follow, &cells[1], NULL));
    expect(next, &cells[1]);
    weft_future_release(second);
    end_if_last();
}

/* One is cancelled while it is set, or waited for: one of the two wins, and what follows is as it says. */
static void cancel(void) {
    weft_status status = weft_future_cancel(second);
    EXPLORE_CHECK(status == WEFT_OK || status == WEFT_EAGAIN);
    weft_future_release(second);
    end_if_last();
}

static void set_or_not(void) {
    weft_status status = weft_future_set(first, WEFT_OK, &cells[0]);
    EXPLORE_CHECK(status == WEFT_OK || status == WEFT_ECANCELED);
    EXPLORE_CHECK(weft_future_wait(first, NULL) == (status ? WEFT_ECANCELED : WEFT_OK));
    weft_future_release(first);
    end_if_last();
}

/* All and any of two that are set at the same time; the last references are given back by whoever is last. */
static weft_future *all, *any;

static void set_up_two(void) {
    set_up(1, 3);
    EXPLORE_CHECK(!weft_future_create(&first, &world_pool) && !weft_future_create(&second, &world_pool));
    weft_future *const both[] = {first, second};
    EXPLORE_CHECK(!weft_future_all(&all, &world_pool, both, 2) && !weft_future_any(&any, &world_pool, both, 2));
}

static void set_second(void) {
    cells[1] = 1;
    EXPLORE_CHECK(!weft_future_set(second, WEFT_OK, &cells[1]));
    weft_future_release(second);
    end_if_last();
}

static void wait_for_both(void) {
    void *value = NULL;
    EXPLORE_CHECK(!weft_future_wait(any, &value) && value == &cells[weft_future_which(any)] && *(unsigned *)value == 1);
    weft_future_release(any);
    EXPLORE_CHECK(!weft_future_wait(all, NULL) && cells[0] == 1 && cells[1] == 1);
    weft_future_release(all);
    end_if_last();
}

/* A task waits for what follows a function that another worker may have begun, or for what is set outside. */
static weft_status wait_task(void *arg, void **value) {
    weft_future *alone, *before, *next;
    (void)arg;
    (void)value;
    EXPLORE_CHECK(!weft_async(&world_pool, &alone, give, &cells[2], NULL));
    expect(alone, &cells[2]);
    EXPLORE_CHECK(!weft_async(&world_pool, &before, give, &cells[0], NULL));
    EXPLORE_CHECK(!weft_future_then(before, &next, follow, &cells[1], NULL));
    weft_future_release(before);
    expect(next, &cells[1]);
    return WEFT_OK;
}

/* The pool is closed once it has ended: a closed one takes no functions. */
static void wait_for_task(weft_async_fn fn, void *arg) {
    weft_future *task;
    EXPLORE_CHECK(!weft_async(&world_pool, &task, fn, arg, NULL));
    EXPLORE_CHECK(!weft_future_wait(task, NULL));
    weft_future_release(task);
    end_if_last();
}

static void submit_wait(void) {
    wait_for_task(wait_task, NULL);
}

static void set_up_inside(void) {
    set_up(2, 1);
}

/* Of two workers one waits for what follows a future, and the other one sets that in a task that then waits for the first by other
 * means: nobody but the waiter can run what follows. */
static weft_status wait_and_tell(void *arg, void **value) {
    weft_future *next = arg;
    (void)value;
    expect(next, &cells[1]);
    wf_store(&told, 1, WF_RELEASE);
    wf_futex_wake(&told, EXPLORE_THREADS);
    return WEFT_OK;
}

static void set_and_wait(void *arg) {
    (void)arg;
    cells[0] = 1;
    EXPLORE_CHECK(!weft_future_set(first, WEFT_OK, &cells[0]));
    weft_future_release(first);
    while (!wf_load(&told, WF_ACQUIRE))
        wf_futex_wait(&told, 0);
}

static void set_up_hidden(void) {
    set_up(2, 1);
    EXPLORE_CHECK(!weft_future_create(&first, &world_pool));
    EXPLORE_CHECK(!weft_future_then(first, &second, follow, &cells[1], NULL));
}

static void submit_hidden(void) {
    EXPLORE_CHECK(!weft_submit(&world_pool, set_and_wait, NULL, NULL));
    wait_for_task(wait_and_tell, second);
}

static const struct explore_case cases[] = {
    {.name = "future/set", .set_up = set_up_set, .threads = {world_work, set, follow_and_wait}, .schedules = 10},
    {.name = "future/cancel", .set_up = set_up_set, .threads = {world_work, set_or_not, cancel}, .schedules = 10},
    {.name = "future/two", .set_up = set_up_two, .threads = {world_work, set, set_second, wait_for_both}, .schedules = 10},
    {.name = "future/inside", .set_up = set_up_inside, .threads = {world_work, world_work, submit_wait}, .schedules = 10},
    {.name = "future/hidden", .set_up = set_up_hidden, .threads = {world_work, world_work, submit_hidden}, .schedules = 10},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
