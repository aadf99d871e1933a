/* Re-planning a running pool, as far as a machine with one node can show it: masks of all threads, options, statuses, reports. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refuse.h"
#include "weft.h"

static weft_pool *make(weft_pool_options options) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    return pool;
}

static weft_effective line_of(const weft_pool *pool, const char *feature) {
    weft_effective lines[16];
    size_t count = weft_pool_effective(pool, lines, 16);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(lines[i].feature, feature))
            return lines[i];
    cr_assert_fail("no line about %s", feature);
    return lines[0];
}

/* As taskset -a does. */
static void bind_all_threads(const cpu_set_t *cpus) {
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(directory));)
        if (*entry->d_name != '.')
            sched_setaffinity(atoi(entry->d_name), sizeof *cpus, cpus);
    closedir(directory);
}

static cpu_set_t own_mask(void) {
    cpu_set_t mask;
    cr_assert_eq(sched_getaffinity(getpid(), sizeof mask, &mask), 0);
    return mask;
}

static cpu_set_t lowest_of(const cpu_set_t *cpus) {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE && !CPU_COUNT(&one); cpu++)
        if (CPU_ISSET(cpu, cpus))
            CPU_SET(cpu, &one);
    return one;
}

/* Wait until as many workers take work; a change is followed within a second, a loaded machine gets more. */
static bool comes_to(const weft_pool *pool, unsigned active) {
    for (int i = 0; i < 2000 && weft_pool_active(pool) != active; i++)
        usleep(10000);
    return weft_pool_active(pool) == active;
}

static void expect_bound_inside(const weft_pool *pool, const cpu_set_t *cpus) {
    for (unsigned id = 0; id < weft_pool_workers(pool); id++) {
        weft_worker worker;
        cpu_set_t mask, both;
        CPU_ZERO(&mask);
        cr_assert_eq(weft_pool_worker(pool, id, &worker), WEFT_OK);
        cr_assert_eq(sched_getaffinity(worker.thread, sizeof mask, &mask), 0);
        CPU_AND(&both, &mask, cpus);
        cr_assert(CPU_EQUAL(&both, &mask), "worker %u may leave what is allowed", id);
        cr_assert(worker.bound);
        cr_assert(!worker.active || CPU_ISSET(worker.pu, cpus));
    }
}

static void count(void *arg, weft_range range) {
    __atomic_fetch_add((size_t *)arg, range.last - range.first, __ATOMIC_RELAXED);
}

static size_t run_loop(weft_pool *pool, weft_schedule schedule) {
    size_t ran = 0;
    cr_assert_eq(weft_for(pool, 1000, count, &ran, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = schedule}), WEFT_OK);
    return ran;
}

Test(replan, follows_the_mask_of_all_threads_there_and_back) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    unsigned workers = weft_pool_workers(pool);
    if (workers < 2)
        cr_skip_test("one core only");
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    cr_assert_eq(weft_pool_active(pool), workers);
    bind_all_threads(&one);
    cr_assert(comes_to(pool, 1));
    expect_bound_inside(pool, &one);
    cr_assert_str_eq(line_of(pool, "spin").got, "0 us", "one CPU: spinning keeps work off it");
    cr_assert(strstr(line_of(pool, "workers").got, "rest"));
    cr_assert_eq(run_loop(pool, WEFT_SCHEDULE_STEAL), 1000);
    cr_assert_eq(run_loop(pool, WEFT_SCHEDULE_STATIC), 1000, "who rests serves its own static parts");
    bind_all_threads(&all);
    cr_assert(comes_to(pool, workers));
    expect_bound_inside(pool, &all);
    cr_assert_eq(atoi(line_of(pool, "changes").got), 2);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, takes_the_main_threads_own_mask_when_asked_only) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    unsigned workers = weft_pool_workers(pool);
    if (workers < 2)
        cr_skip_test("one core only");
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    usleep(1200000);
    cr_assert_eq(weft_pool_active(pool), workers, "an OpenMP runtime binds its main thread as well");
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_eq(weft_pool_active(pool), 1);
    expect_bound_inside(pool, &one);
    usleep(1200000);
    cr_assert_eq(weft_pool_active(pool), 1, "what was asked for stays");
    cr_assert_eq(sched_setaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_eq(weft_pool_active(pool), workers);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, grows_where_room_was_made) {
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_eq(sched_setaffinity(getpid(), sizeof one, &one), 0);
    weft_pool *small = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .grow = true});
    cr_assert_eq(weft_pool_workers(small), 1);
    cr_assert_gt(weft_pool_workers(pool), 1);
    cr_assert_eq(weft_pool_active(pool), 1);
    expect_bound_inside(pool, &one);
    cr_assert_eq(run_loop(pool, WEFT_SCHEDULE_STEAL), 1000);
    cr_assert_eq(run_loop(pool, WEFT_SCHEDULE_STATIC), 1000);
    bind_all_threads(&all);
    cr_assert(comes_to(pool, weft_pool_workers(pool)), "%u", weft_pool_active(pool));
    cr_assert_eq(weft_pool_active(small), 1);
    expect_bound_inside(pool, &all);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(small), WEFT_OK);
}

Test(replan, leaves_a_fixed_pool_alone) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .fixed = true});
    setenv("WEFT_FIXED", "1", 1);
    weft_pool *other = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    unsigned workers = weft_pool_workers(pool);
    cr_assert_str_eq(line_of(pool, "changes").asked, "fixed");
    cr_assert_str_eq(line_of(other, "changes").asked, "fixed");
    bind_all_threads(&one);
    usleep(1200000);
    cr_assert_eq(weft_pool_active(pool), workers);
    cr_assert_eq(weft_pool_active(other), workers);
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK, "asked for, it follows");
    cr_assert_eq(weft_pool_active(pool), 1);
    bind_all_threads(&all);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(other), WEFT_OK);
}

Test(replan, puts_a_worker_back_that_somebody_else_has_bound) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .pin = WEFT_PIN_CORE});
    weft_worker worker;
    cpu_set_t all = own_mask(), mask;
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_eq(weft_pool_worker(pool, 0, &worker), WEFT_OK);
    cr_assert_eq(sched_setaffinity(worker.thread, sizeof all, &all), 0);
    for (int i = 0; i < 2000; i++) {
        CPU_ZERO(&mask);
        sched_getaffinity(worker.thread, sizeof mask, &mask);
        if (CPU_COUNT(&mask) == 1)
            break;
        usleep(10000);
    }
    cr_assert(CPU_COUNT(&mask) == 1 && CPU_ISSET(worker.pu, &mask));
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, says_what_is_wrong) {
    weft_worker worker;
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"});
    cr_assert_eq(weft_pool_replan(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pool_replan(pool), WEFT_ENOTSUP);
    cr_assert(strstr(weft_error_detail(), "not this machine's"));
    cr_assert_eq(weft_pool_worker(NULL, 0, &worker), WEFT_EINVAL);
    cr_assert_eq(weft_pool_worker(pool, 0, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pool_worker(pool, 4, &worker), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "0 to 3"));
    cr_assert_eq(weft_pool_worker(pool, 3, &worker), WEFT_OK);
    cr_assert(worker.active && !worker.bound);
    cr_assert_eq(weft_pool_active(NULL), 0);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    setenv("WEFT_FIXED", "perhaps", 1);
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "WEFT_FIXED"));
}

Test(replan, keeps_the_plan_when_there_is_no_new_one) {
    weft_pool *pool;
    if (weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .reserved_cores = 1}))
        cr_skip_test("one core only");
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    bind_all_threads(&one);
    cr_assert_eq(weft_pool_replan(pool), WEFT_EINVAL, "the only core left is reserved");
    cr_assert(*weft_error_detail());
    cr_assert_eq(weft_pool_active(pool), weft_pool_workers(pool));
    cr_assert(strstr(line_of(pool, "changes").reason, "could not be followed"));
    cr_assert_eq(run_loop(pool, WEFT_SCHEDULE_STEAL), 1000);
    bind_all_threads(&all);
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, is_the_parents_business_after_a_fork) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    usleep(100000); /* AddressSanitizer's allocator does not survive a fork while a starting thread allocates */
    pid_t child = fork();
    if (!child) {
        weft_worker worker;
        weft_pool *own = NULL;
        bool right = weft_pool_replan(pool) == WEFT_EFORK && weft_pool_worker(pool, 0, &worker) == WEFT_EFORK &&
                     !weft_pool_create(&own, NULL) && !weft_pool_replan(own) && !weft_pool_destroy(own) &&
                     !weft_pool_destroy(pool);
        _exit(right ? 0 : 1);
    }
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

/* For longer than it takes to look again. */
static void expect_one_worker_stays_on(const weft_pool *pool, const cpu_set_t *cpus) {
    usleep(1200000);
    cr_assert_eq(weft_pool_active(pool), 1);
    cr_assert_eq(atoi(line_of(pool, "changes").got), 0, "%s", line_of(pool, "changes").reason);
    expect_bound_inside(pool, cpus);
}

static cpu_set_t without(cpu_set_t cpus, const cpu_set_t *others) {
    CPU_XOR(&cpus, &cpus, others);
    return lowest_of(&cpus);
}

Test(replan, widens_when_all_threads_are_freed_of_a_mask_from_the_start) {
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_eq(sched_setaffinity(getpid(), sizeof one, &one), 0);
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .grow = true});
    expect_one_worker_stays_on(pool, &one);
    bind_all_threads(&all);
    cr_assert(comes_to(pool, weft_pool_workers(pool)), "%u", weft_pool_active(pool));
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, leaves_a_pool_where_it_was_made_when_the_main_thread_goes_elsewhere) {
    cpu_set_t all = own_mask(), one = lowest_of(&all), other = without(all, &one);
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    weft_plan *plan = NULL;
    cr_assert_eq(sched_setaffinity(getpid(), sizeof other, &other), 0);
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    cr_assert_eq(weft_plan_create(&plan, NULL), WEFT_OK);
    cr_assert_eq(sched_setaffinity(getpid(), sizeof all, &all), 0);
    weft_pool *planned = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .plan = plan});
    expect_one_worker_stays_on(pool, &other);
    expect_one_worker_stays_on(planned, &other);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(planned), WEFT_OK);
    weft_plan_destroy(plan);
}

Test(replan, follows_all_threads_to_where_the_main_thread_was_bound_before) {
    cpu_set_t all = own_mask(), one = lowest_of(&all), other = without(all, &one);
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_eq(sched_setaffinity(getpid(), sizeof one, &one), 0);
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT});
    cr_assert_eq(sched_setaffinity(getpid(), sizeof other, &other), 0);
    expect_one_worker_stays_on(pool, &one);
    bind_all_threads(&other);
    weft_worker worker = {0};
    for (int i = 0; i < 2000 && !CPU_ISSET(worker.pu, &other); i++) {
        usleep(10000);
        cr_assert_eq(weft_pool_worker(pool, 0, &worker), WEFT_OK);
    }
    cr_assert(CPU_ISSET(worker.pu, &other), "%s", line_of(pool, "changes").reason);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, says_why_the_workers_are_bound_as_they_are_now) {
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = 1});
    weft_pool *pinned = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = 1, .pin = WEFT_PIN_CORE});
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_str_eq(line_of(pool, "pin").got, "node", "fewer workers than cores");
    bind_all_threads(&one);
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_str_eq(line_of(pool, "pin").got, "core", "as many as cores, and no other pool has them: %s",
                     line_of(pool, "pin").reason);
    cr_assert_eq(weft_pool_replan(pinned), WEFT_OK);
    cr_assert(strstr(line_of(pinned, "workers").reason, "room for 1"), "%s", line_of(pinned, "workers").reason);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pinned), WEFT_OK);
}

Test(replan, tells_of_what_was_refused_while_it_followed) {
    static const int memory[] = {SYS_mbind}, masks[] = {SYS_sched_setaffinity};
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .fixed = true, .pin = WEFT_PIN_CORE});
    cpu_set_t all = own_mask(), one = lowest_of(&all);
    bool policies = !strcmp(line_of(pool, "memory").got, "preferred policy and first touch");
    if (!refuse_calls(memory, 1, EPERM))
        cr_skip_test("no filters of system calls here");
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    cr_assert_str_eq(line_of(pool, "memory").got, policies ? "first touch" : "the only node", "nothing has changed but this");
    cr_assert_str_eq(line_of(pool, "binding").got, "every worker");
    bind_all_threads(CPU_COUNT(&all) > 1 ? &one : &all);
    cr_assert(refuse_calls(masks, 1, EPERM));
    cr_assert_eq(weft_pool_replan(pool), WEFT_OK);
    bool left = CPU_COUNT(&all) > 1;
    cr_assert_str_eq(line_of(pool, "binding").got, left ? "none" : "every worker");
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(replan, tells_of_a_worker_that_it_may_not_put_back) {
    static const int masks[] = {SYS_sched_setaffinity};
    weft_pool *pool = make((weft_pool_options){WEFT_POOL_OPTIONS_INIT, .pin = WEFT_PIN_CORE});
    weft_worker worker;
    cpu_set_t all = own_mask();
    int go[2];
    if (CPU_COUNT(&all) < 2)
        cr_skip_test("one CPU only");
    cr_assert_eq(weft_pool_worker(pool, 0, &worker), WEFT_OK);
    cr_assert_eq(pipe(go), 0);
    pid_t child = fork();
    if (!child) {
        char byte;
        _exit(read(go[0], &byte, 1) == 1 && !sched_setaffinity(worker.thread, sizeof all, &all) ? 0 : 1);
    }
    if (!refuse_calls(masks, 1, EPERM))
        cr_skip_test("no filters of system calls here");
    cr_assert_eq(write(go[1], "", 1), 1);
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "the child, which is not refused, binds the worker");
    for (int i = 0; i < 2000 && !strcmp(line_of(pool, "binding").got, "every worker"); i++)
        usleep(10000);
    cr_assert_str_eq(line_of(pool, "binding").got, "all but 1 workers");
    cr_assert_eq(weft_pool_worker(pool, 0, &worker), WEFT_OK);
    cr_assert(!worker.bound);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}
