/* scheduler/hot: who stays awake, for how long, and what is refused. */
#include <criterion/criterion.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "on_pool.h"
#include "weft.h"

#define THREE_WORKERS "core:3 pu:1" /* of a foreign topology: no worker has the caller's CPU */

static weft_pool *make(uint32_t spin_us) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = THREE_WORKERS, .spin_us = spin_us});
}

static uint64_t us_of(int who) {
    struct rusage usage;
    getrusage(who, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* CPU time of all threads but the caller's, in so many milliseconds: other load on the machine does not make it more. */
static uint64_t others_us(unsigned milliseconds) {
    uint64_t before = us_of(RUSAGE_SELF) - us_of(RUSAGE_THREAD);
    usleep(milliseconds * 1000);
    return us_of(RUSAGE_SELF) - us_of(RUSAGE_THREAD) - before;
}

/* Until nobody but the caller runs: a test that never comes here ends by its time limit. */
static void wait_for_sleep(void) {
    while (others_us(50) > 500)
        ;
}

static uint64_t wakes_of(const weft_pool *pool, int worker) {
    weft_stats stats;
    cr_assert_eq(weft_pool_stats(pool, worker, &stats), WEFT_OK);
    return stats.wakes;
}

static const char *spin_of(const weft_pool *pool, weft_effective *lines) {
    size_t count = weft_pool_effective(pool, lines, 16);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(lines[i].feature, "spin"))
            return lines[i].got;
    return "";
}

static void nothing(void *arg) {
    (void)arg;
}

Test(hot, begin_wakes_all_workers) {
    weft_pool *pool = make(50);
    cr_assert_eq(weft_hot_begin(pool, 1000000), WEFT_OK);
    for (int worker = 0; worker < 3; worker++)
        while (!wakes_of(pool, worker))
            usleep(1000);
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    weft_pool_destroy(pool);
}

/* A worker that somebody else keeps off its CPU sleeps, so each look begins with some work. */
Test(hot, workers_look_for_work_until_the_end) {
    weft_pool *pool = make(10);
    cr_assert_eq(weft_hot_begin(pool, 1000000), WEFT_OK);
    uint64_t used = 0;
    for (int i = 0; i < 50 && used < 20000; i++) {
        run(pool, nothing, NULL);
        used += others_us(2);
    }
    cr_assert_geq(used, 20000);
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    wait_for_sleep();
    weft_pool_destroy(pool);
}

Test(hot, workers_sleep_when_nothing_comes_for_long) {
    weft_pool *pool = make(10);
    cr_assert_eq(weft_hot_begin(pool, 1000), WEFT_OK);
    run(pool, nothing, NULL);
    wait_for_sleep();
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    weft_pool_destroy(pool);
}

Test(hot, the_longest_counts_until_all_have_ended) {
    weft_pool *pool = make(50);
    weft_effective lines[16];
    cr_assert_str_eq(spin_of(pool, lines), "50 us");
    cr_assert_eq(weft_hot_begin(pool, 200), WEFT_OK);
    cr_assert_str_eq(spin_of(pool, lines), "200 us");
    cr_assert_eq(weft_hot_begin(pool, 0), WEFT_OK);
    cr_assert_str_eq(spin_of(pool, lines), "10000 us");
    cr_assert_eq(weft_hot_begin(pool, 300), WEFT_OK);
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    cr_assert_str_eq(spin_of(pool, lines), "10000 us");
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    cr_assert_str_eq(spin_of(pool, lines), "50 us");
    cr_assert_eq(weft_hot_end(pool), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "not hot"));
    weft_pool_destroy(pool);
}

Test(hot, a_pool_that_does_not_spin_does_not_stay_awake) {
    weft_pool *pool = make(WEFT_SPIN_NONE);
    weft_effective lines[16];
    cr_assert_eq(weft_hot_begin(pool, 1000000), WEFT_OK);
    cr_assert_str_eq(spin_of(pool, lines), "0 us");
    run(pool, nothing, NULL);
    wait_for_sleep();
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    weft_pool_destroy(pool);
}

static void begin_and_end(void *arg) {
    weft_status *statuses = arg;
    statuses[0] = weft_hot_begin(weft_current_pool(), 0);
    statuses[1] = weft_hot_end(weft_current_pool());
}

Test(hot, tasks_may_begin_and_end_it) {
    weft_pool *pool = make(0);
    weft_status statuses[2] = {WEFT_EAGAIN, WEFT_EAGAIN};
    run(pool, begin_and_end, statuses);
    cr_assert_eq(statuses[0], WEFT_OK);
    cr_assert_eq(statuses[1], WEFT_OK);
    weft_pool_destroy(pool);
}

Test(hot, refuses_nonsense) {
    weft_pool *pool = make(0);
    cr_assert_eq(weft_hot_begin(NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_hot_end(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_hot_begin(pool, 1000001), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "1000001"));
    cr_assert_eq(weft_hot_begin(pool, 0), WEFT_OK);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_hot_begin(pool, 0), WEFT_ECLOSED);
    cr_assert_eq(weft_hot_end(pool), WEFT_OK, "what was begun before can be ended");
    weft_pool_destroy(pool);
}
