/*
 * A whole program under limits that it does not fit in: plans from all sources, pools, tasks, groups, loops with reports, a
 * reduction and all arrays, with RLIMIT_AS (ulimit -v) and RLIMIT_DATA from "nothing more can be mapped" to "all works" in steps,
 * each in a child. Every call gives WEFT_OK and the right result, or a documented status and a text; nothing hangs (alarm) or
 * crashes, and with the limit lifted everything works and nothing is left over. Above the first step that all fits in, all steps
 * do. Also without file descriptors, and with tiny and unlimited stacks.
 *
 * exhaust --table       prints what each step gave
 */
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "weft.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
int main(void) {
    printf("skipped: the sanitizers need terabytes of address space\n");
    return 77;
}
#else

#define N 200000
#define SHAPE "node:2 core:2 pu:1" /* 4 workers */
#define COARSE 64
#define NEEDED_FILES 4
#define FINE 64
#define FINE_BYTES ((size_t)4 << 10)

/* What a child came to, in memory that it shares with its parent. */
static struct report {
    unsigned calls, failures;
    const char *call; /* that failed first: a literal, at the same address in both */
    weft_status status;
    char detail[160];
    size_t space; /* of the process at its end */
} * report;

static unsigned broken; /* children that crashed, hung or found something wrong */

/* The sources of plans, and what each gives when nothing is short. */
static struct source {
    const char *topology;
    unsigned workers, nodes;
    bool memory; /* the first node's is known */
} sources[] = {{NULL, 0, 0, false}, {SHAPE, 0, 0, false}, {WEFT_TEST_TOPOLOGIES "/matrix-asymmetric.xml", 0, 0, false}};

/* A call under the limit: it succeeded, or told why not. */
static bool fine(const char *call, weft_status status) {
    report->calls++;
    if (!status)
        return true;
    CHECK(status == WEFT_ENOMEM || status == WEFT_EPERM);
    CHECK(*weft_error_detail());
    if (!report->failures++) {
        report->call = call;
        report->status = status;
        snprintf(report->detail, sizeof report->detail, "%s", weft_error_detail());
    }
    return false;
}

static struct source look_at_plan(const weft_plan *plan) {
    struct source found = {0};
    weft_plan_workers(plan, &found.workers);
    found.memory = weft_plan_nodes(plan, &found.nodes)->local_memory > 0;
    return found;
}

static void use_plan(const struct source *source) {
    weft_plan *plan = NULL;
    weft_plan_options options = {WEFT_PLAN_OPTIONS_INIT, .topology = source->topology};
    if (!fine("weft_plan_create", weft_plan_create(&plan, &options))) {
        CHECK(!plan);
        return;
    }
    struct source found = look_at_plan(plan); /* a plan that could not see the whole machine would be worse than none */
    CHECK(found.workers == source->workers && found.nodes == source->nodes && found.memory == source->memory);
    weft_plan_destroy(plan);
}

static void task(void *arg) {
    __atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

static void use_tasks(weft_pool *pool) {
    weft_group *group = NULL;
    unsigned ran = 0, accepted = 0;
    if (!fine("weft_group_create", weft_group_create(&group, pool)))
        return;
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .group = group};
    for (unsigned i = 0; i < 2000; i++)
        accepted += i % 2 ? fine("weft_submit", weft_submit(pool, task, &ran, &options))
                          : fine("weft_group_spawn", weft_group_spawn(group, task, &ran));
    CHECK(!weft_group_wait(group));
    CHECK(ran == accepted);
    CHECK(!weft_group_destroy(group));
}

static void count_range(void *arg, weft_range range) {
    __atomic_fetch_add((size_t *)arg, range.last - range.first, __ATOMIC_RELAXED);
}

static void count_tile(void *arg, weft_range2 tile) {
    __atomic_fetch_add((size_t *)arg, (tile.last[0] - tile.first[0]) * (tile.last[1] - tile.first[1]), __ATOMIC_RELAXED);
}

static void leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        *(size_t *)sum += i;
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(size_t *)left += *(const size_t *)right;
}

static void use_loops(weft_pool *pool) {
    weft_loop_report told;
    for (int schedule = 0; schedule < 2; schedule++) {
        size_t count = 0;
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)schedule, .report = &told};
        bool done = fine("weft_for", weft_for(pool, N, count_range, &count, &options));
        CHECK(count == (done ? N : 0) && (!done || told.iterations == N));
    }
    size_t tiles = 0, sum = 0;
    bool done = fine("weft_for_2d", weft_for_2d(pool, 300, 400, count_tile, &tiles, NULL));
    CHECK(tiles == (done ? 300 * 400 : 0));
    done = fine("weft_reduce", weft_reduce(pool, N, leaf, join, NULL, &sum, sizeof sum, NULL));
    CHECK(sum == (done ? (size_t)N * (N - 1) / 2 : 0));
}

static void add_index(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((unsigned *)arg)[i] += (unsigned)i;
}

static void use_array(weft_pool *pool, weft_place place) {
    weft_array *array = NULL;
    weft_loop_report told;
    weft_placement placement;
    size_t on[4];
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = place};
    if (!fine("weft_array_create", weft_array_create(&array, pool, N, sizeof(unsigned), &options))) {
        CHECK(!array);
        return;
    }
    unsigned *data = weft_array_data(array);
    fine("weft_array_touch", weft_array_touch(array));
    weft_for_options reported = {WEFT_FOR_OPTIONS_INIT, .report = &told, .align = 3};
    unsigned times = fine("weft_for_array", weft_for_array(array, add_index, data, NULL));
    times += fine("weft_for_array", weft_for_array(array, add_index, data, &reported));
    for (size_t i = 0; i < N; i++)
        CHECK(data[i] == times * (unsigned)i);
    if (place == WEFT_REPLICATED)
        fine("weft_array_replicate", weft_array_replicate(array, data));
    fine("weft_array_placement", weft_array_placement(array, &placement, on, 4));
    weft_array_destroy(array);
}

static void use_ready_pool(weft_pool *pool) {
    weft_effective lines[32];
    weft_stats stats;
    use_tasks(pool);
    use_loops(pool);
    for (int place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++)
        use_array(pool, (weft_place)place);
    CHECK(weft_pool_effective(pool, lines, 32) > 0);
    CHECK(!weft_pool_stats(pool, -1, &stats));
}

static void use_pool(const char *topology) {
    weft_pool *pool = NULL;
    if (!fine("weft_pool_create", weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology}))) {
        CHECK(!pool);
        return;
    }
    use_ready_pool(pool);
    CHECK(!weft_pool_destroy(pool));
}

static void use_everything(void) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        use_plan(&sources[i]);
    use_pool(SHAPE);
    use_pool(NULL);
}

static size_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    CHECK(file && fscanf(file, "%zu", &pages) == 1);
    fclose(file);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* What RLIMIT_DATA counts: "VmData:" in kB. */
static size_t data_space(void) {
    char line[128];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file) && sscanf(line, "VmData: %zu", &kib) != 1)
        ;
    CHECK(file && kib);
    fclose(file);
    return kib * 1024;
}

/* The stack grows into the limit too, and a fault there is no call that could fail: let it have grown before. */
static __attribute__((noinline)) void grow_stack(void) {
    volatile char stack[512 << 10];
    for (size_t i = 0; i < sizeof stack; i += 1024)
        stack[i] = 1;
}

/* What malloc() has in hand before it asks the system for more. */
struct eaten {
    struct eaten *next;
};

static struct eaten *eat_heap(void) {
    struct eaten *first = NULL;
    for (size_t bytes = 4096; bytes >= sizeof *first; bytes /= 2)
        for (struct eaten *block; (block = malloc(bytes)); first = block)
            block->next = first;
    return first;
}

static void free_eaten(struct eaten *first) {
    while (first) {
        struct eaten *next = first->next;
        free(first);
        first = next;
    }
}

static void set_soft(int resource, rlim_t soft) {
    struct rlimit limit;
    CHECK(!getrlimit((__rlimit_resource_t)resource, &limit));
    limit.rlim_cur = soft;
    CHECK(!setrlimit((__rlimit_resource_t)resource, &limit));
}

/* By which the heap's size differs from time to time though nothing is left in it; any area that is left is larger. */
#define HEAP_SPREAD ((size_t)1 << 20)

/* In a child: everything under the limit, then everything without it, and nothing is left. */
static void run_limited(int resource, rlim_t soft, size_t most_space) {
    struct rlimit before;
    alarm(60);
    grow_stack();
    CHECK(!getrlimit((__rlimit_resource_t)resource, &before));
    set_soft(resource, 1); /* RLIMIT_DATA takes 0 for no limit, for the sake of valgrind */
    struct eaten *eaten = soft == RLIM_INFINITY ? NULL : eat_heap();
    set_soft(resource, soft);
    use_everything();
    set_soft(resource, before.rlim_cur);
    free_eaten(eaten);
    CHECK(stress_threads_are(1));
    struct report limited = *report;
    use_everything();
    CHECK(report->failures == limited.failures); /* none more without the limit */
    *report = limited;
    CHECK(stress_threads_are(1));
    size_t space = address_space();
    if (most_space) {
        CHECK(space <= most_space + HEAP_SPREAD);
        return;
    }
    use_everything(); /* what others are compared with must not leak itself */
    CHECK(address_space() <= space + HEAP_SPREAD);
    report->space = space;
}

/* In a child: a pool made in time, then used with `more` bytes left. */
static void run_ready(int resource, rlim_t more, size_t unused) {
    weft_pool *pool;
    struct rlimit before;
    (void)unused;
    alarm(60);
    grow_stack();
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = SHAPE}));
    CHECK(!getrlimit((__rlimit_resource_t)resource, &before));
    size_t space = address_space();
    set_soft(resource, 1); /* RLIMIT_DATA takes 0 for no limit, for the sake of valgrind */
    struct eaten *eaten = eat_heap();
    set_soft(resource, space + more);
    use_ready_pool(pool);
    set_soft(resource, before.rlim_cur);
    free_eaten(eaten);
    struct report limited = *report;
    use_ready_pool(pool);
    CHECK(report->failures == limited.failures);
    *report = limited;
    CHECK(!weft_pool_destroy(pool));
}

/* In a child: as many file descriptors as that. What cannot be read is a failure and no smaller machine. */
static void run_without_files(int resource, rlim_t soft, size_t unused) {
    struct rlimit before;
    (void)unused;
    alarm(60);
    CHECK(!getrlimit((__rlimit_resource_t)resource, &before));
    set_soft(resource, soft);
    use_everything();
    set_soft(resource, before.rlim_cur);
    struct report limited = *report;
    use_everything();
    CHECK(report->failures == limited.failures);
    *report = limited;
}

/* In a child: the limit on stacks is the default size of a worker's, read when a program starts. */
static void run_with_stack(int resource, rlim_t soft, size_t unused) {
    (void)unused;
    set_soft(resource, soft);
    execl("/proc/self/exe", "exhaust", "--plain", (char *)NULL);
    exit(1);
}

typedef void (*trial_fn)(int resource, rlim_t soft, size_t space);

/* The number of calls that failed. The child's own words are on stderr already when it ended otherwise. */
static unsigned try_limit(trial_fn run, int resource, rlim_t soft, size_t most_space) {
    int status;
    memset(report, 0, sizeof *report);
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        run(resource, soft, most_space);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    if (status) {
        fprintf(stderr, "limit %d of %llu bytes: %s %d after %u calls; first failure: %s: %s\n", resource,
                (unsigned long long)soft, WIFSIGNALED(status) ? "signal" : "exit code",
                WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), report->calls, report->call ? report->call : "none",
                report->detail);
        broken++;
    }
    return status ? 1 : report->failures;
}

static void print_step(rlim_t soft) {
    if (report->failures)
        printf("%10llu KiB  %4u of %5u calls failed, first %s: %s (%s)\n", (unsigned long long)soft >> 10, report->failures,
               report->calls, report->call, weft_status_name(report->status), report->detail);
    else
        printf("%10llu KiB  all %u calls worked\n", (unsigned long long)soft >> 10, report->calls);
}

/* The least limit in (low, high] that everything fits in, to `step` bytes. */
static size_t find_least(int resource, size_t low, size_t high, size_t space, size_t step) {
    while (high - low > step) {
        size_t middle = low + (high - low) / 2;
        *(try_limit(run_limited, resource, middle, space) ? &low : &high) = middle;
    }
    return high;
}

/* From what the process has now to a little above what all needs: small steps first, where hwloc and the heap are. */
static void campaign(const char *name, int resource, size_t now, size_t space, bool table) {
    size_t enough = find_least(resource, now, (size_t)4 << 30, space, 64 << 10);
    unsigned steps = 0, failed = 0;
    printf("%s: %zu KiB in use at the start, all fits in %zu KiB\n", name, now >> 10, enough >> 10);
    for (unsigned i = 0; i < FINE + COARSE + 8; i++, steps++) {
        size_t soft = now + i * FINE_BYTES;
        if (i >= FINE)
            soft = now + FINE * FINE_BYTES + (enough - now - FINE * FINE_BYTES) / COARSE * (i - FINE);
        bool failure = try_limit(run_limited, resource, soft, space) > 0;
        failed += failure;
        if (table)
            print_step(soft);
        CHECK(soft < enough + (256 << 10) || !failure);
        CHECK(soft > now || failure);
    }
    printf("%s: %u steps, in %u of them calls failed with a status\n", name, steps, failed);
}

/* The same with a pool at hand: what is left goes to groups, records, reports and arrays. */
static void campaign_with_pool(bool table) {
    unsigned failed = 0, last = 0;
    for (unsigned i = 0; i < FINE; i++) {
        size_t more = (i < FINE / 2 ? i : (i - FINE / 2) * 32) * FINE_BYTES;
        last = try_limit(run_ready, RLIMIT_AS, more, 0);
        failed += last > 0;
        if (table)
            print_step(more);
    }
    printf("RLIMIT_AS with a pool at hand: %u steps, in %u of them calls failed with a status\n", (unsigned)FINE, failed);
    CHECK(failed && !last);
}

/* Descriptors that a process with this limit may still open; the library wants NEEDED_FILES for a plan made of files. */
static unsigned free_files(rlim_t limit) {
    unsigned count = 0;
    for (int file = 0; file < (int)limit; file++)
        count += fcntl(file, F_GETFD) < 0;
    return count;
}

static void campaign_of_files(bool table) {
    for (rlim_t files = 0; files < 16; files++) {
        bool failure = try_limit(run_without_files, RLIMIT_NOFILE, files, 0) > 0;
        CHECK(!failure || report->status == WEFT_EPERM);
        CHECK(failure == (free_files(files) < NEEDED_FILES));
        if (table)
            printf("%3llu files: %s\n", (unsigned long long)files, failure ? report->detail : "all calls worked");
    }
    printf("RLIMIT_NOFILE: fewer than %d free is WEFT_EPERM for plans of files, the rest works\n", NEEDED_FILES);
}

static void expect_plans(void) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        weft_plan *plan = NULL;
        CHECK(!weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = sources[i].topology}));
        struct source found = look_at_plan(plan);
        found.topology = sources[i].topology;
        sources[i] = found;
        weft_plan_destroy(plan);
    }
}

/* What plans should be is asked in a child, so that no later one finds the machine loaded. */
static void expect_plans_in_child(void) {
    int status;
    struct source *shared = mmap(NULL, sizeof sources, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        expect_plans();
        memcpy(shared, sources, sizeof sources);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && !status);
    memcpy(sources, shared, sizeof sources);
    munmap(shared, sizeof sources);
}

int main(int argc, char **argv) {
    bool table = argc > 1 && !strcmp(argv[1], "--table");
    if (argc > 1 && !strcmp(argv[1], "--plain")) {
        static struct report own;
        report = &own;
        expect_plans();
        use_everything();
        return own.failures > 0;
    }
    alarm(280);
    setvbuf(stdout, NULL, _IOLBF, 4096);
    mallopt(M_ARENA_MAX, 1); /* one more arena would look like a leak of address space */
    mallopt(M_TOP_PAD, 0);   /* a heap that grows by pages, so that each step makes a difference */
    report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(report != MAP_FAILED);
    expect_plans_in_child();
    CHECK(!try_limit(run_limited, RLIMIT_AS, RLIM_INFINITY, 0));
    size_t space = report->space;
    grow_stack();
    campaign("RLIMIT_AS", RLIMIT_AS, address_space(), space, table);
    campaign("RLIMIT_DATA", RLIMIT_DATA, data_space(), space, table);
    campaign_with_pool(table);
    campaign_of_files(table);
    static const rlim_t stacks[] = {128 << 10, 256 << 10, 1 << 20, RLIM_INFINITY};
    for (size_t i = 0; i < sizeof stacks / sizeof *stacks; i++)
        CHECK(!try_limit(run_with_stack, RLIMIT_STACK, stacks[i], 0));
    printf("RLIMIT_STACK: everything works with 128 KiB, 256 KiB, 1 MiB and unlimited\n");
    CHECK(!broken);
    return 0;
}
#endif
