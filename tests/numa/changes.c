/*
 * What the process may use changes while a pool is loaded: affinity masks, cpuset (CPUs and memory nodes), CPU quota, CPUs that go
 * off and come back. Each time the workers must be where the system now allows, as the kernel tells; and no task may be lost.
 * Changes the machine it runs in.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "numa.h"
#include "scheduler/pool.h"

#define USERS 2
#define FOLLOW_S 60 /* emulated machines are slow; how long it took is printed */
#define GROUP "/sys/fs/cgroup/weft"

static struct machine machine;
static weft_pool *pool;
static bool over;                  /* A */
static uint64_t ran, submitted;    /* A */
static uint64_t iterations, asked; /* A */

static void task(void *arg) {
    (void)arg;
    __atomic_fetch_add(&ran, 1, __ATOMIC_RELAXED);
}

static void body(void *arg, weft_range range) {
    (void)arg;
    __atomic_fetch_add(&iterations, range.last - range.first, __ATOMIC_RELAXED);
}

/* Loads the pool until it is told to stop. */
static void *use(void *arg) {
    (void)arg;
    while (!__atomic_load_n(&over, __ATOMIC_RELAXED)) {
        for (unsigned i = 0; i < 20; i++)
            OK(weft_submit(pool, task, NULL, NULL));
        __atomic_fetch_add(&submitted, 20, __ATOMIC_RELAXED);
        OK(weft_for(pool, 1000, body, NULL, NULL));
        OK(weft_for(pool, 1000, body, NULL, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
        __atomic_fetch_add(&asked, 2000, __ATOMIC_RELAXED);
        work_us(2000);
    }
    return NULL;
}

static void put(const char *path, const char *format, ...) {
    char text[128];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    int file = open(path, O_WRONLY);
    if (file < 0 || write(file, text, (size_t)length) != length)
        FAIL("%s cannot be set to \"%s\": %s", path, text, strerror(errno));
    close(file);
}

/* As taskset -a does. */
static void bind_process(const cpu_set_t *cpus) {
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; (entry = readdir(directory));)
        if (*entry->d_name != '.' && sched_setaffinity(atoi(entry->d_name), sizeof *cpus, cpus) && errno != ESRCH)
            FAIL("thread %s cannot be bound: %s", entry->d_name, strerror(errno));
    closedir(directory);
}

static cpu_set_t cpus_of_node(int node) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (unsigned cpu = 0; cpu < machine.cpus; cpu++)
        if (machine.cpu_node[cpu] == node || node == NO_NODE)
            CPU_SET(cpu, &cpus);
    return cpus;
}

/* One worker per core with a CPU in the set, bound to the lowest of these CPUs, if `cores`; else as many as `count`. */
static bool is_followed(const cpu_set_t *cpus, unsigned count, bool cores, const char **what) {
    cpu_set_t taken;
    CPU_ZERO(&taken);
    *what = "the number of workers that take work";
    if (weft_pool_active(pool) != count)
        return false;
    for (unsigned id = 0; id < weft_pool_workers(pool); id++) {
        weft_worker worker;
        cpu_set_t mask, outside;
        OK(weft_pool_worker(pool, id, &worker));
        CPU_ZERO(&mask);
        if (sched_getaffinity(worker.thread, sizeof mask, &mask))
            FAIL("worker %u has no mask: %s", id, strerror(errno));
        CPU_XOR(&outside, &mask, cpus);
        CPU_AND(&outside, &outside, &mask);
        *what = "a worker's mask, which leaves what is allowed";
        if (CPU_COUNT(&outside))
            return false;
        *what = "a worker's CPU";
        if (worker.active && cores && (CPU_COUNT(&mask) != 1 || !CPU_ISSET(worker.pu, &mask) || CPU_ISSET(worker.pu, &taken)))
            return false;
        if (worker.active)
            CPU_SET(worker.pu, &taken);
    }
    return true;
}

static double now_s(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static unsigned cores_in(const cpu_set_t *cpus) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    for (unsigned cpu = 0; cpu < machine.cpus; cpu++)
        if (CPU_ISSET(cpu, cpus))
            CPU_SET(machine.cpu_core[cpu], &cores);
    return (unsigned)CPU_COUNT(&cores);
}

static void expect(const char *change, const cpu_set_t *cpus, unsigned count, bool cores) {
    const char *what;
    double begin = now_s();
    uint64_t before = __atomic_load_n(&ran, __ATOMIC_RELAXED);
    while (!is_followed(cpus, count, cores, &what)) {
        if (now_s() - begin > FOLLOW_S)
            FAIL("%s was not followed in %d s: %s", change, FOLLOW_S, what);
        usleep(10000);
    }
    double took = now_s() - begin;
    while (__atomic_load_n(&ran, __ATOMIC_RELAXED) < before + 40) { /* and work goes on */
        if (now_s() - begin > 2 * FOLLOW_S)
            FAIL("%s: nothing runs any more", change);
        usleep(10000);
    }
    printf("%-44s %u of %u workers, followed after %.2f s\n", change, count, weft_pool_workers(pool), took);
}

static void expect_cores(const char *change, const cpu_set_t *cpus) {
    expect(change, cpus, cores_in(cpus), true);
}

/* Where the deques of active workers lie: on the node of the worker's CPU. Interrupted moves are tried again by the next change. */
static void expect_memory(const char *change) {
    size_t at_home = 0, all = 0;
    for (unsigned id = 0; id < weft_pool_workers(pool); id++) {
        weft_worker worker;
        OK(weft_pool_worker(pool, id, &worker));
        if (!worker.active)
            continue;
        struct pages pages = pages_ask(pool->workers[id], sizeof *pool->workers[id], NULL);
        all += pages.present;
        at_home += pages.on[machine.cpu_node[worker.pu]];
    }
    printf("%-44s %zu of %zu pages of the workers that take work lie with them\n", change, at_home, all);
    CHECK(at_home == all);
}

static void change_masks(const cpu_set_t *all) {
    for (unsigned node = 0; node < machine.nodes && node < 3; node++) {
        cpu_set_t cpus = cpus_of_node((int)node);
        if (!CPU_COUNT(&cpus))
            continue;
        bind_process(&cpus);
        expect_cores("all threads bound to one node", &cpus);
    }
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(machine.cpus - 1, &one);
    bind_process(&one);
    expect_cores("all threads bound to the last CPU", &one);
    bind_process(all);
    expect_cores("bound to all CPUs", all);
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK(!sched_setaffinity(0, sizeof one, &one));
    usleep(1500000);
    expect_cores("the main thread alone bound, which counts not", all);
    CHECK(!sched_setaffinity(0, sizeof *all, all));
    OK(weft_pool_replan(pool));
    expect_cores("asked to look again", all);
}

#define ITEMS (64 * 1024)

static void expect_array(weft_array *array, int node, const char *what) {
    weft_placement placement;
    weft_loop_report report;
    weft_for_options fixed = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC, .report = &report};
    struct pages pages = pages_ask(weft_array_data(array), ITEMS * sizeof(double), NULL);
    OK(weft_array_placement(array, &placement, NULL, 0));
    OK(weft_for_array(array, body, NULL, &fixed));
    asked += ITEMS; /* before anybody else counts */
    printf("%-44s %zu of %zu pages on node %d, by weft %zu; %.1f %% of a loop local\n", what, pages.on[node], pages.count, node,
           placement.pages_expected, percent(report.iterations_local, ITEMS));
    CHECK(pages.on[node] == pages.count && placement.pages_expected == pages.count && report.iterations_local == ITEMS);
}

/* A pool that was made for one node moves to another one: so does what is made later, and what is asked to. */
static void move_a_pool(const cpu_set_t *all) {
    weft_array *old, *new;
    cpu_set_t first = cpus_of_node(0), second = cpus_of_node(1);
    bind_process(&first);
    pool = start_pool();
    CHECK(weft_pool_nodes(pool) == 1 && weft_pool_workers(pool) == cores_in(&first));
    OK(weft_array_create(&old, pool, ITEMS, sizeof(double), NULL));
    expect_array(old, 0, "an array of a pool on one node");
    bind_process(&second);
    double begin = now_s();
    const char *what;
    while (!is_followed(&second, cores_in(&second), true, &what)) {
        if (now_s() - begin > FOLLOW_S)
            FAIL("a pool was not moved: %s", what);
        usleep(10000);
    }
    expect_memory("a pool moved to another node");
    OK(weft_array_create(&new, pool, ITEMS, sizeof(double), NULL));
    expect_array(new, 1, "an array made afterwards");
    weft_migration migration;
    OK(weft_array_migrate(old, &migration));
    CHECK(migration.moved == migration.pages);
    expect_array(old, 1, "an older array, migrated");
    weft_array_destroy(old);
    weft_array_destroy(new);
    OK(weft_pool_destroy(pool));
    bind_process(all);
}

static void list_cpus(const cpu_set_t *cpus, char *text, size_t room) {
    size_t length = 0;
    for (unsigned cpu = 0; cpu < machine.cpus; cpu++)
        if (CPU_ISSET(cpu, cpus))
            length += (size_t)snprintf(text + length, room - length, "%s%u", length ? "," : "", cpu);
}

static void change_cpuset(const cpu_set_t *all) {
    char list[256];
    if (mkdir(GROUP, 0755) && errno != EEXIST)
        FAIL("no control group can be made: %s", strerror(errno));
    put("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset +cpu");
    put(GROUP "/cgroup.procs", "%d", (int)getpid());
    for (unsigned node = machine.nodes; node-- > 0;) {
        cpu_set_t cpus = cpus_of_node((int)node);
        if (!CPU_COUNT(&cpus))
            continue;
        list_cpus(&cpus, list, sizeof list);
        put(GROUP "/cpuset.cpus", "%s", list);
        expect_cores("cpuset.cpus of one node", &cpus);
        put(GROUP "/cpuset.mems", "%u", node);
        usleep(1500000);
        expect_cores("cpuset.mems of the same node", &cpus);
        expect_memory("cpuset.mems of the same node");
        put(GROUP "/cpuset.mems", "0-%u", machine.nodes - 1);
    }
    put(GROUP "/cpuset.cpus", "0-%u", machine.cpus - 1);
    expect_cores("cpuset opened", all);
    usleep(1500000);
    expect_memory("cpuset opened");
}

static void change_quota(const cpu_set_t *all) {
    put(GROUP "/cpu.max", "200000 100000");
    expect("cpu.max of two CPUs", all, 2, false);
    put(GROUP "/cpu.max", "150000 100000");
    expect("cpu.max of 1.5 CPUs", all, 2, false);
    put(GROUP "/cpu.max", "max 100000");
    expect_cores("cpu.max opened", all);
}

/* The main thread is bound alone meanwhile, so its mask changes with everybody's but counts not. */
static void change_online(const cpu_set_t *all) {
    char path[96];
    unsigned last = machine.cpus - 1, core = machine.cpu_core[last];
    cpu_set_t rest = *all;
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(0, &own);
    CPU_SET(last, &own);
    CHECK(!sched_setaffinity(0, sizeof own, &own));
    usleep(1500000);
    for (unsigned cpu = core; cpu <= last; cpu++) {
        CPU_CLR(cpu, &rest);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/online", cpu);
        put(path, "0");
    }
    expect_cores("the last core off", &rest);
    for (unsigned cpu = core; cpu <= last; cpu++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/online", cpu);
        put(path, "1");
    }
    expect_cores("the last core on again", all);
    CHECK(!sched_setaffinity(0, sizeof *all, all));
}

int main(void) {
    pthread_t users[USERS];
    machine = machine_read();
    cpu_set_t all = cpus_of_node(NO_NODE);
    move_a_pool(&all);
    pool = start_pool();
    for (unsigned i = 0; i < USERS; i++)
        CHECK(!pthread_create(&users[i], NULL, use, NULL));
    change_masks(&all);
    change_online(&all);
    change_cpuset(&all);
    change_quota(&all);
    change_online(&all);
    __atomic_store_n(&over, true, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < USERS; i++)
        pthread_join(users[i], NULL);
    weft_effective lines[16];
    size_t count = weft_pool_effective(pool, lines, 16);
    CHECK(!strcmp(lines[count - 1].feature, "changes") && atoi(lines[count - 1].got) >= 8);
    printf("%s: %s\n", lines[count - 1].got, lines[count - 1].reason);
    OK(weft_pool_destroy(pool));
    printf("%llu of %llu tasks, %llu of %llu iterations\n", (unsigned long long)ran, (unsigned long long)submitted,
           (unsigned long long)iterations, (unsigned long long)asked);
    CHECK(ran == submitted && iterations == asked);
    return 0;
}
