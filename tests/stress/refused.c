/*
 * System calls that a container refuses (seccomp; EPERM as Docker and podman have it, ENOSYS as gVisor): a pool works all the
 * same, arrays of all placements hold what was written, and the effective state and the placement say what was refused. Strict
 * modes fail with WEFT_ESTRICT. Nothing is printed. Each case runs in a child of its own, filtered before its pool is made or
 * afterwards. Where the pages come to lie on several nodes is held by tests/numa/refused.c.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/refuse.h"
#include "stress.h"
#include "weft.h"

#define N 300000

static const struct refusal {
    const char *name;
    int numbers[REFUSE_MOST];
    unsigned count;
    bool policies, questions, masks; /* what this takes away: mbind, move_pages, sched_setaffinity */
} refusals[] = {
    {"mbind", {SYS_mbind}, 1, true, false, false},
    {"move_pages", {SYS_move_pages}, 1, false, true, false},
    {"set_mempolicy, get_mempolicy", {SYS_set_mempolicy, SYS_get_mempolicy}, 2, false, false, false},
    {"migrate_pages, membarrier", {SYS_migrate_pages, SYS_membarrier}, 2, false, false, false},
    {"mincore", {SYS_mincore}, 1, false, false, false},
    {"madvise", {SYS_madvise}, 1, false, false, false},
    {"sched_setaffinity", {SYS_sched_setaffinity}, 1, false, false, true},
    {"all memory policy calls", /* what Docker refuses without CAP_SYS_NICE, and more */
     {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_move_pages, SYS_migrate_pages},
     5,
     true,
     true,
     false},
    {"all of these",
     {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_move_pages, SYS_migrate_pages, SYS_membarrier, SYS_mincore,
      SYS_madvise, SYS_sched_setaffinity},
     9,
     true,
     true,
     true},
};

static const char *line_of(weft_pool *pool, const char *feature, bool reason) {
    static weft_effective lines[32];
    size_t count = weft_pool_effective(pool, lines, 32);
    for (size_t i = 0; i < count && i < 32; i++)
        if (!strcmp(lines[i].feature, feature))
            return reason ? lines[i].reason : lines[i].got;
    return "";
}

static void check_effective(weft_pool *pool, const struct refusal *refusal, int error) {
    const char *memory = line_of(pool, "memory", false), *binding = line_of(pool, "binding", false);
    if (!strcmp(memory, "the only node")) {
        CHECK(weft_pool_nodes(pool) == 1);
    } else if (refusal->policies) {
        CHECK(!strcmp(memory, "first touch"));
        CHECK(strstr(line_of(pool, "memory", true), error == EPERM ? "refused" : "mbind"));
    } else {
        CHECK(strstr(memory, "policy"));
    }
    if (refusal->masks) {
        CHECK(!strcmp(binding, "none"));
        CHECK(strstr(line_of(pool, "binding", true), strerror(error)));
    } else {
        CHECK(!strcmp(binding, "every worker"));
    }
}

static void add_index(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((unsigned *)arg)[i] += (unsigned)i;
}

static void check_placement(weft_array *array, const struct refusal *refusal, int error) {
    weft_placement placement, same;
    weft_migration moved;
    size_t on[8];
    weft_status expected = !refusal->questions ? WEFT_OK : error == EPERM ? WEFT_EPERM : WEFT_ENOTSUP;
    CHECK(weft_array_placement(array, &placement, on, 8) == expected);
    CHECK(weft_memory_placement(weft_array_data(array), N, &same, NULL, 0) == expected);
    CHECK(weft_array_migrate(array, &moved) == expected);
    if (expected) {
        CHECK(strstr(weft_error_detail(), "move_pages") && strstr(weft_error_detail(), strerror(error)));
    } else {
        CHECK(placement.pages >= (N * sizeof(unsigned) - 1) / placement.page_bytes + 1);
        CHECK(!refusal->policies || strstr(placement.reason, "mbind") || strstr(placement.reason, "NUMA balancing"));
    }
}

static void check_array(weft_pool *pool, weft_place place, const struct refusal *refusal, int error) {
    weft_array *array = NULL;
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &report};
    static unsigned items[N];
    CHECK(!weft_array_create(&array, pool, N, sizeof(unsigned), &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = place}));
    unsigned *data = weft_array_data(array);
    if (place == WEFT_REPLICATED) {
        for (size_t i = 0; i < N; i++)
            items[i] = (unsigned)i;
        CHECK(!weft_array_replicate(array, items));
        CHECK(!weft_for_array(array, add_index, data, &options));
    } else {
        CHECK(!weft_for_array(array, add_index, data, NULL));
        CHECK(!weft_array_touch(array));
        CHECK(!weft_for_array(array, add_index, data, &options));
    }
    for (size_t i = 0; i < N; i++)
        CHECK(data[i] == 2 * (unsigned)i);
    CHECK(report.iterations == N && (!refusal->questions || report.iterations_unknown == N));
    check_placement(array, refusal, error);
    weft_array_destroy(array);
}

static void check_strict(weft_pool *pool, const struct refusal *refusal) {
    weft_array *array = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .strict = true};
    weft_status expected = refusal->policies || refusal->questions ? WEFT_ESTRICT : WEFT_OK;
    CHECK(weft_array_create(&array, pool, N, 1, &options) == expected);
    CHECK(!expected == !!array);
    CHECK(!expected || strstr(weft_error_detail(), "node 0"));
    weft_array_destroy(array);
}

static void check_strict_pool(const struct refusal *refusal) {
    weft_pool *pool = NULL;
    bool several = false;
    weft_plan *plan;
    unsigned nodes;
    CHECK(!weft_plan_create(&plan, NULL));
    weft_plan_nodes(plan, &nodes);
    several = nodes > 1;
    weft_plan_destroy(plan);
    weft_status expected = refusal->masks || (refusal->policies && several) ? WEFT_ESTRICT : WEFT_OK;
    CHECK(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .strict = true}) == expected);
    CHECK(!expected == !!pool);
    CHECK(!expected || strstr(weft_error_detail(), refusal->masks ? "bound" : "memory policies"));
    weft_pool_destroy(pool);
}

static void task(void *arg) {
    __atomic_fetch_add((int *)arg, 1, __ATOMIC_RELAXED);
}

static void check_work(weft_pool *pool) {
    weft_group *group;
    int ran = 0;
    CHECK(!weft_group_create(&group, pool));
    for (int i = 0; i < 1000; i++)
        CHECK(!(i % 2 ? weft_group_spawn(group, task, &ran)
                      : weft_submit(pool, task, &ran, &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .group = group})));
    CHECK(!weft_group_wait(group));
    CHECK(ran == 1000);
    CHECK(!weft_group_destroy(group));
}

/* The order in which a container and a program that sandboxes itself have it. */
static void run_child(const struct refusal *refusal, int error, bool before) {
    weft_pool *pool;
    static const struct refusal nothing;
    alarm(60);
    if (before && !refuse_calls(refusal->numbers, refusal->count, error))
        exit(77);
    CHECK(!weft_pool_create(&pool, NULL));
    check_work(pool); /* also so that what is asked of the kernel once has been asked */
    if (!before && !refuse_calls(refusal->numbers, refusal->count, error))
        exit(77);
    check_effective(pool, before ? refusal : &nothing, error);
    check_work(pool);
    for (int place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++)
        check_array(pool, (weft_place)place, refusal, error);
    check_strict(pool, refusal);
    CHECK(!weft_pool_destroy(pool));
    check_strict_pool(refusal);
}

/* The mask itself cannot be read: there is no plan, and a status says so. */
static void run_child_without_mask(int error) {
    weft_pool *pool = NULL;
    alarm(60);
    if (!refuse_calls((const int[]){SYS_sched_getaffinity}, 1, error))
        exit(77);
    CHECK(weft_pool_create(&pool, NULL) == WEFT_EPERM);
    CHECK(!pool && strstr(weft_error_detail(), "affinity mask") && strstr(weft_error_detail(), strerror(error)));
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
    check_work(pool);
    CHECK(!weft_pool_destroy(pool));
}

/* Run a case in a child whose output is kept; true unless filters cannot be had. */
static bool run_case(const struct refusal *refusal, int error, bool before) {
    FILE *output = tmpfile();
    int status;
    CHECK(output);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        dup2(fileno(output), 1);
        dup2(fileno(output), 2);
        if (refusal)
            run_child(refusal, error, before);
        else
            run_child_without_mask(error);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        return false;
    rewind(output);
    char text[512];
    size_t length = fread(text, 1, sizeof text - 1, output);
    text[length] = 0;
    fclose(output);
    if (status || length)
        printf("%s, %s, %s the pool: wait status %d, printed \"%s\"\n", refusal ? refusal->name : "sched_getaffinity",
               error == EPERM ? "EPERM" : "ENOSYS", before ? "before" : "after", (unsigned)status, text);
    CHECK(!status && !length);
    return true;
}

int main(void) {
    static const int errors[] = {EPERM, ENOSYS};
    unsigned cases = 0;
    for (size_t e = 0; e < 2; e++) {
        for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
            for (int before = 0; before < 2; before++, cases++)
                if (!run_case(&refusals[i], errors[e], before)) {
                    printf("skipped: no seccomp filter can be installed here\n");
                    return 77;
                }
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* their own threads begin with that question */
        run_case(NULL, errors[e], true);
        cases++;
#endif
    }
    printf("%u cases of refused system calls\n", cases);
    return 0;
}
