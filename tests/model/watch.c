/*
 * The watch's sleep while no pool has work (scheduler/watch.h), against work from outside: whoever begins to work while it sleeps, or
 * is about to, wakes it. The work waits until the watch is awake, so a wake-up that is lost is a deadlock.
 */
#include "world.h"

#include "internal.h"

#include "scheduler/watch.c"
#include "weft/loop.h"

static struct wf_replan replan;
static wf_atomic_u32 awake;
static unsigned ran;

static void set_up(void) {
    world_set_up(1);
    replan = (struct wf_replan){0};
    world_pool.replan = &replan;
    pools = &world_pool;
    wf_watch_asleep = awake = ran = 0;
}

static void watch_until_awake(void) {
    pthread_mutex_lock(&lock);
    if (all_idle())
        sleep_while_idle();
    pthread_mutex_unlock(&lock);
    wf_store(&awake, 1, WF_RELAXED);
    wf_futex_wake(&awake, EXPLORE_THREADS);
}

static void wait_for_watch(void *arg) {
    while (!wf_load(&awake, WF_RELAXED))
        wf_futex_wait(&awake, 0);
    ++*(unsigned *)arg;
}

static void submit_one(void) {
    EXPLORE_CHECK(weft_submit(&world_pool, wait_for_watch, &ran, NULL) == WEFT_OK);
    world_end();
}

static void loop_body(void *arg, weft_range range) {
    (void)range;
    wait_for_watch(arg);
}

/* The caller takes the worker's place if that sleeps. */
static void loop_once(void) {
    EXPLORE_CHECK(weft_for(&world_pool, 1, loop_body, &ran, NULL) == WEFT_OK);
    world_end();
}

static void set_up_parked(void) {
    set_up();
    world_park();
}

static void check_ran(void) {
    EXPLORE_CHECK(ran == 1);
    pools = NULL;
}

static const struct explore_case cases[] = {
    {.name = "watch/work", .set_up = set_up, .threads = {world_work, submit_one, watch_until_awake}, .check = check_ran},
    {.name = "watch/new", .set_up = set_up_parked, .threads = {world_work, submit_one, watch_until_awake}, .check = check_ran},
    {.name = "watch/loop", .set_up = set_up_parked, .threads = {world_work, loop_once, watch_until_awake}, .check = check_ran},
};

int main(int argc, char **argv) {
    world_begin();
    return explore_main(argc, argv, cases, sizeof cases / sizeof *cases);
}
