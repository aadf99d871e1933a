/* scheduler/: pools from creation to end, what they promise about threads, and what they refuse. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "weft.h"

#define FOUR_NODES "node:4 core:2 pu:1"

static weft_pool *make(const char *topology) {
    weft_pool *pool = NULL;
    weft_status status = weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
    cr_assert_eq(status, WEFT_OK, "%s", weft_error_detail());
    return pool;
}

static void refused(const weft_pool_options *options, const char *mentions) {
    weft_pool *pool = (weft_pool *)8;
    cr_assert_eq(weft_pool_create(&pool, options), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), mentions), "\"%s\" does not mention %s", weft_error_detail(), mentions);
    cr_assert_eq(pool, (weft_pool *)8, "outputs are written on success only");
}

Test(pool, has_one_worker_per_entry_of_its_plan) {
    weft_pool *pool = make(NULL);
    unsigned workers, nodes;
    weft_plan_workers(weft_pool_plan(pool), &workers);
    weft_plan_nodes(weft_pool_plan(pool), &nodes);
    cr_assert_gt(workers, 0);
    cr_assert_eq(weft_pool_workers(pool), workers);
    cr_assert_eq(weft_pool_nodes(pool), nodes);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

/* What the kernel says of each thread of this process but the main one. */
struct thread_facts {
    char name[32];
    unsigned long long blocked;
    cpu_set_t mask;
};

static unsigned read_threads(struct thread_facts *facts, unsigned max) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(directory));) {
        pid_t tid = (pid_t)atoi(entry->d_name);
        if (tid == 0 || tid == getpid() || count == max)
            continue;
        char path[64], line[256];
        snprintf(path, sizeof path, "/proc/self/task/%d/status", tid);
        FILE *file = fopen(path, "r");
        struct thread_facts *fact = &facts[count++];
        while (file && fgets(line, sizeof line, file)) {
            sscanf(line, "Name: %31s", fact->name);
            sscanf(line, "SigBlk: %llx", &fact->blocked);
        }
        fclose(file);
        sched_getaffinity(tid, sizeof fact->mask, &fact->mask);
    }
    closedir(directory);
    return count;
}

static unsigned count_named(const struct thread_facts *facts, unsigned count) {
    unsigned named = 0;
    for (unsigned i = 0; i < count; i++)
        named += !strncmp(facts[i].name, "weft:n", 6);
    return named;
}

static unsigned long long signals(const int *numbers, unsigned count) {
    unsigned long long bits = 0;
    for (unsigned i = 0; i < count; i++)
        bits |= 1ull << (numbers[i] - 1);
    return bits;
}

static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}, unblockable[] = {SIGKILL, SIGSTOP};

Test(pool, workers_are_named_bound_to_their_pu_and_block_signals) {
    weft_pool *pool;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .pin = WEFT_PIN_CORE};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
    unsigned workers;
    const weft_plan_worker *planned = weft_plan_workers(weft_pool_plan(pool), &workers);
    const weft_plan_node *nodes = weft_plan_nodes(weft_pool_plan(pool), NULL);
    static struct thread_facts facts[1024];
    weft_group *group;
    cr_assert_eq(weft_group_create(&group, pool), WEFT_OK);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    unsigned threads = read_threads(facts, 1024), found = 0;
    while (count_named(facts, threads) < workers) { /* a worker names itself after it has reported */
        usleep(1000);
        threads = read_threads(facts, 1024);
    }
    for (unsigned w = 0; w < workers; w++) {
        char name[32];
        snprintf(name, sizeof name, "weft:n%dw%u", nodes[planned[w].node].os_index, w);
        for (unsigned t = 0; t < threads; t++)
            if (!strcmp(facts[t].name, name)) {
                found++;
                cr_assert_eq(CPU_COUNT(&facts[t].mask), 1);
                cr_assert(CPU_ISSET(planned[w].pu, &facts[t].mask));
                /* all but faults, SIGKILL, SIGSTOP and the two that glibc keeps for itself */
                cr_assert_eq(facts[t].blocked & signals(faults, 6), 0);
                cr_assert_eq(facts[t].blocked | signals(faults, 6) | signals(unblockable, 2) | 3ull << 31, ~0ull);
            }
    }
    cr_assert_eq(found, workers);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(pool, leaves_the_callers_affinity_and_signal_mask_alone) {
    cpu_set_t before, after;
    sigset_t blocked_before, blocked_after; /* the kernel writes only part of them */
    memset(&blocked_before, 0, sizeof blocked_before);
    memset(&blocked_after, 0, sizeof blocked_after);
    sched_getaffinity(0, sizeof before, &before);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked_before);
    weft_pool *pool = make(NULL);
    sched_getaffinity(0, sizeof after, &after);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked_after);
    cr_assert(CPU_EQUAL(&before, &after));
    cr_assert_eq(memcmp(&blocked_before, &blocked_after, sizeof blocked_before), 0);
    weft_pool_destroy(pool);
}

Test(pool, runs_on_one_cpu_when_only_one_is_allowed) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    weft_pool *pool = make(NULL);
    cr_assert_eq(weft_pool_workers(pool), 1);
    weft_effective lines[16];
    size_t count = weft_pool_effective(pool, lines, 16);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(lines[i].feature, "spin"))
            cr_assert_str_eq(lines[i].got, "0 us"); /* spinning would keep the caller off its only CPU */
    weft_pool_destroy(pool);
}

Test(pool, says_what_it_asked_and_got_and_why) {
    weft_pool *pool = make(FOUR_NODES);
    weft_effective lines[16];
    size_t count = weft_pool_effective(pool, NULL, 0);
    cr_assert_gt(count, 4);
    cr_assert_eq(weft_pool_effective(pool, lines, 16), count);
    bool unbound = false;
    for (size_t i = 0; i < count; i++) {
        cr_assert(*lines[i].feature && *lines[i].asked && *lines[i].got && *lines[i].reason, "%s", lines[i].feature);
        unbound |= !strcmp(lines[i].feature, "binding") && !strcmp(lines[i].got, "none");
    }
    cr_assert(unbound, "a foreign topology binds nobody");
    cr_assert_eq(weft_pool_effective(NULL, lines, 16), 0);
    weft_pool_destroy(pool);
}

Test(pool, strict_mode_fails_where_less_is_granted) {
    weft_pool *pool = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .strict = true, .topology = FOUR_NODES};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_ESTRICT);
    cr_assert(strstr(weft_error_detail(), "not this machine's"));
    cr_assert_null(pool);
    options.topology = NULL;
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK, "%s", weft_error_detail());
    weft_pool_destroy(pool);
}

Test(pool, pinning_can_be_chosen_by_option_and_environment) {
    static const char *const names[] = {"core", "cache", "node", "none"};
    for (int i = 0; i < 4; i++) {
        weft_pool *pool;
        setenv("WEFT_PIN", names[i], 1);
        cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK);
        weft_effective lines[16];
        weft_pool_effective(pool, lines, 16);
        cr_assert_str_eq(lines[1].feature, "pin");
        cr_assert_str_eq(lines[1].got, names[i]);
        weft_pool_destroy(pool);
        weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .pin = (weft_pin)(i + 1)};
        setenv("WEFT_PIN", "none", 1);
        cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
        weft_pool_effective(pool, lines, 16);
        cr_assert_str_eq(lines[1].got, names[i], "the program's own option wins");
        weft_pool_destroy(pool);
    }
}

Test(pool, a_second_pool_is_not_pinned_to_the_same_cores_by_default) {
    weft_pool *first = make(NULL), *second = make(NULL);
    weft_effective lines[16];
    weft_pool_effective(first, lines, 16);
    bool first_on_cores = !strcmp(lines[1].got, "core");
    weft_pool_effective(second, lines, 16);
    cr_assert_str_neq(lines[1].got, "core");
    weft_pool_destroy(second);
    weft_pool_destroy(first);
    weft_pool *third = make(NULL);
    weft_pool_effective(third, lines, 16);
    cr_assert_eq(!strcmp(lines[1].got, "core"), first_on_cores, "the cores are free again");
    weft_pool_destroy(third);
}

/* From the top downwards, as calls would: a jump past the guard page would land in the stack of another thread. */
static void overflow_stack(void *arg) {
    volatile char big[192 * 1024];
    for (size_t i = sizeof big; i > 0; i -= 1024)
        big[i - 1] = 1;
    *(int *)arg = big[sizeof big - 1];
}

Test(pool, takes_a_stack_size) {
    weft_pool *pool;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .stack_bytes = 1 << 20};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
    int touched = 0;
    weft_group *group;
    weft_group_create(&group, pool);
    weft_group_spawn(group, overflow_stack, &touched);
    weft_group_wait(group);
    cr_assert_eq(touched, 1);
    weft_group_destroy(group);
    weft_pool_destroy(pool);
}

Test(pool, a_stack_overflow_meets_the_guard_page, .signal = SIGSEGV) {
    signal(SIGSEGV, SIG_DFL); /* AddressSanitizer's handler would report and exit */
    weft_pool *pool;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .stack_bytes = 128 * 1024};
    cr_assert_eq(weft_pool_create(&pool, &options), WEFT_OK);
    int touched;
    weft_group *group;
    weft_group_create(&group, pool);
    weft_group_spawn(group, overflow_stack, &touched);
    weft_group_wait(group);
}

Test(pool, refuses_nonsense_options) {
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = 1000000}, "1000000");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .pin = (weft_pin)9}, "pin");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .spin_us = 5000000}, "spin_us");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .stack_bytes = 100}, "stack_bytes");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .stack_bytes = SIZE_MAX}, "stack_bytes");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .deque_slots = 100}, "power of two");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .deque_slots = (size_t)1 << 21}, "deque_slots");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .submit_limit = (1u << 22) + 1}, "submit_limit");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .nodes = "0,"}, "0,");
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .reserved_cores = 100000}, "100000");
    refused(&(weft_pool_options){.size = 0}, "size");
    cr_assert_eq(weft_pool_create(NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_pool_destroy(NULL), WEFT_OK);
    cr_assert_eq(weft_pool_workers(NULL), 0);
    cr_assert_eq(weft_pool_plan(NULL), NULL);
}

Test(pool, takes_a_ready_plan_but_no_second_description) {
    weft_plan *plan;
    weft_pool *pool;
    cr_assert_eq(weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = FOUR_NODES}), WEFT_OK);
    refused(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .plan = plan, .workers = 2}, "plan");
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .plan = plan}), WEFT_OK);
    weft_plan_destroy(plan); /* the pool has its own reference */
    cr_assert_eq(weft_pool_workers(pool), 8);
    weft_pool_destroy(pool);
}

Test(pool, names_the_variable_of_nonsense_in_the_environment) {
    static const char *const variables[][2] = {{"WEFT_PIN", "sideways"},
                                               {"WEFT_SPIN_US", "-3"},
                                               {"WEFT_WORKERS", "many"},
                                               {"WEFT_WORKERS", "999999"},
                                               {"WEFT_SMT", "maybe"}};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        setenv(variables[i][0], variables[i][1], 1);
        refused(NULL, variables[i][0]);
        unsetenv(variables[i][0]);
    }
    weft_pool *pool;
    setenv("WEFT_TOPOLOGY", "/no/such/machine.xml", 1);
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_ETOPOLOGY);
    cr_assert(strstr(weft_error_detail(), "/no/such/machine.xml"));
}

Test(pool, reports_threads_that_the_system_refuses) {
    struct rlimit none = {0, 0};
    if (getuid() == 0) { /* root is not limited: become somebody who is */
        if (setuid(65534))
            cr_skip_test("cannot give up root");
    }
    setrlimit(RLIMIT_NPROC, &none);
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = FOUR_NODES}), WEFT_EPERM);
    cr_assert(strstr(weft_error_detail(), "thread 1 of 8"), "%s", weft_error_detail());
    cr_assert_null(pool);
}

static void destroy_own(void *arg) {
    *(weft_status *)arg = weft_pool_destroy(weft_current_pool());
}

Test(pool, cannot_be_destroyed_by_its_own_worker) {
    weft_pool *pool = make(NULL);
    weft_status status = WEFT_OK;
    weft_group *group;
    weft_group_create(&group, pool);
    weft_group_spawn(group, destroy_own, &status);
    weft_group_wait(group);
    cr_assert_eq(status, WEFT_EDEADLK);
    weft_group_destroy(group);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

struct where {
    weft_pool *pool;
    int worker, node;
};

static void note_where(void *arg) {
    *(struct where *)arg = (struct where){weft_current_pool(), weft_current_worker(), weft_current_node()};
}

Test(pool, several_pools_at_once_keep_to_themselves) {
    weft_pool *pools[3] = {make("core:2 pu:1"), make(FOUR_NODES), make("core:1 pu:1")};
    for (int round = 0; round < 50; round++)
        for (int i = 0; i < 3; i++) {
            struct where where;
            weft_group *group;
            weft_group_create(&group, pools[i]);
            cr_assert_eq(weft_group_spawn(group, note_where, &where), WEFT_OK);
            weft_group_wait(group);
            weft_group_destroy(group);
            cr_assert_eq(where.pool, pools[i]);
            cr_assert_lt((unsigned)where.worker, weft_pool_workers(pools[i]));
            cr_assert_lt((unsigned)where.node, weft_pool_nodes(pools[i]));
        }
    cr_assert_eq(weft_current_pool(), NULL);
    cr_assert_eq(weft_current_worker(), -1);
    for (int i = 0; i < 3; i++)
        weft_pool_destroy(pools[i]);
}

Test(pool, counters_of_one_worker_and_the_sum) {
    weft_pool *pool = make("core:2 pu:1");
    weft_stats stats, one, sum = {0};
    struct where where;
    weft_group *group;
    weft_group_create(&group, pool);
    for (int i = 0; i < 20; i++)
        weft_group_spawn(group, note_where, &where);
    weft_group_wait(group);
    weft_group_destroy(group);
    cr_assert_eq(weft_pool_stats(pool, -1, &stats), WEFT_OK);
    cr_assert_eq(stats.tasks, 20);
    for (int w = 0; w < 2; w++) {
        cr_assert_eq(weft_pool_stats(pool, w, &one), WEFT_OK);
        sum.tasks += one.tasks;
    }
    cr_assert_eq(sum.tasks, 20);
    cr_assert_eq(weft_pool_stats(pool, 2, &one), WEFT_EINVAL);
    cr_assert_eq(weft_pool_stats(pool, -2, &one), WEFT_EINVAL);
    cr_assert_eq(weft_pool_stats(NULL, 0, &one), WEFT_EINVAL);
    cr_assert_eq(weft_pool_stats(pool, 0, NULL), WEFT_EINVAL);
    weft_pool_destroy(pool);
}

static uint64_t cpu_us(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000u +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* CPU time, not wall time: other load on the machine does not move it. */
Test(pool, uses_no_cpu_when_idle) {
    weft_pool *pool = make(FOUR_NODES);
    struct where where;
    weft_group *group;
    weft_group_create(&group, pool);
    for (int i = 0; i < 100; i++) {
        weft_group_spawn(group, note_where, &where);
        weft_group_wait(group);
    }
    weft_group_destroy(group);
    usleep(1000 + 8 * 50 * 1000); /* eight workers share few CPUs here: each may spin its 50 us late */
    uint64_t before = cpu_us();
    sleep(2);
    uint64_t used = cpu_us() - before;
    cr_log_info("%lu us of CPU in 2 s of idleness", (unsigned long)used);
    cr_assert_lt(used, 5000);
    weft_pool_destroy(pool);
}
