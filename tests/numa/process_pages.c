/*
 * `weft pages` names what is on the wrong node for the CPUs that run a process, and nothing else: of a child that computes on node 0
 * with memory on both nodes, of one that sleeps, and once more after its pages have been moved. Where they are says move_pages(2).
 *
 * process_pages --right-node   puts all memory on the node that runs; the checks must then fail (exit 1)
 */
#include <jansson.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numa.h"

#define BYTES ((size_t)8 << 20)
#define INTERLEAVE 3 /* MPOL_INTERLEAVE */

static struct machine machine;
static int far_node = 1;

/* Addresses are the child's too. */
static struct { char *near, *far, *both; } memory;

static void run_on(int node) {
    cpu_set_t own;
    CPU_ZERO(&own);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (machine.cpu_node[cpu] == node)
            CPU_SET(cpu, &own);
    CHECK(!sched_setaffinity(0, sizeof own, &own));
}

/* With a page between, so that the kernel does not join them. */
static char *map(void) {
    char *start = mmap(NULL, BYTES + 2 * pages_in(1), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(start != MAP_FAILED);
    long page = sysconf(_SC_PAGESIZE);
    munmap(start + BYTES, (size_t)page);
    return start;
}

static void touch_on(int node, char *start) {
    run_on(node);
    memset(start, 1, BYTES);
}

static _Noreturn void live(int ready, bool computes) {
    unsigned long both = 3;
    CHECK(!syscall(SYS_mbind, memory.both, BYTES, INTERLEAVE, &both, 8 * sizeof both, 0));
    touch_on(far_node, memory.far);
    touch_on(0, memory.near);
    touch_on(0, memory.both);
    CHECK(write(ready, "", 1) == 1);
    while (computes)
        for (size_t i = 0; i < BYTES; i += 64)
            memory.far[i]++;
    for (;;)
        pause();
}

static pid_t start(bool computes) {
    int ends[2];
    char ready;
    fflush(stdout);
    CHECK(!pipe(ends));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        live(ends[1], computes);
    }
    CHECK(read(ends[0], &ready, 1) == 1);
    close(ends[0]);
    close(ends[1]);
    return child;
}

static json_t *look(pid_t child, const char *options) {
    char command[512];
    snprintf(command, sizeof command, "%s pages --json --all %s %d", WEFT_TEST_COMMAND, options, (int)child);
    FILE *from = popen(command, "r");
    json_error_t error;
    json_t *root = from ? json_loadf(from, 0, &error) : NULL;
    if (!root || pclose(from))
        FAIL("%s: %s", command, root ? "exit code" : error.text);
    return root;
}

static const json_t *mapping_at(const json_t *root, const char *start) {
    char text[32];
    size_t i;
    json_t *mapping;
    snprintf(text, sizeof text, "%lx", (unsigned long)(uintptr_t)start);
    json_array_foreach(json_object_get(root, "mappings"), i,
                       mapping) if (!strcmp(json_string_value(json_object_get(mapping, "start")), text)) return mapping;
    FAIL("no mapping at %s", text);
}

static void expect(const json_t *root, pid_t child, const char *start, const char *verdict) {
    const json_t *mapping = mapping_at(root, start);
    const char *said = json_string_value(json_object_get(mapping, "verdict"));
    if (strcmp(said, verdict))
        FAIL("%p is \"%s\", not \"%s\"", (const void *)start, said, verdict);
    struct pages pages = pages_ask_of(child, start, BYTES, NULL);
    const json_t *on = json_object_get(mapping, "on");
    for (unsigned node = 0; node < machine.nodes; node++) {
        json_int_t bytes = json_integer_value(json_array_get(on, node));
        if ((size_t)bytes != pages.on[node] * (size_t)sysconf(_SC_PAGESIZE))
            FAIL("%p: %lld bytes on node %u, the kernel says %zu pages", (const void *)start, (long long)bytes, node,
                 pages.on[node]);
    }
}

static void end(pid_t child) {
    CHECK(!kill(child, SIGKILL) && waitpid(child, NULL, 0) == child);
}

/* Emulated CPUs share the real ones, so how much a child computes is not known; where, is. */
static void check_running(const json_t *root, const char *by) {
    const json_t *node = json_array_get(json_object_get(root, "nodes"), 0);
    double share = json_real_value(json_object_get(node, "running"));
    const char *said = json_string_value(json_object_get(root, "running_by"));
    if (strcmp(said, by) || share < 0.95)
        FAIL("node 0 has %.2f of the %s, not all %s", share, said, by);
}

static void test(bool computes) {
    pid_t child = start(computes);
    json_t *root = look(child, "--interval 0.5");
    check_running(root, computes ? "CPU time" : "affinity");
    expect(root, child, memory.far, "away");
    expect(root, child, memory.near, "fine");
    expect(root, child, memory.both, "fine");
    CHECK(json_integer_value(json_object_get(root, "wrong")) == 1);
    CHECK((size_t)json_integer_value(json_object_get(root, "movable")) >= BYTES);
    json_decref(root);
    unsigned long from = 2, to = 1; /* what `migratepages PID 1 0` does */
    CHECK(syscall(SYS_migrate_pages, child, 8 * sizeof from, &from, &to) >= 0);
    root = look(child, "--interval 0.2");
    expect(root, child, memory.far, "fine");
    expect(root, child, memory.near, "fine");
    expect(root, child, memory.both, "uneven"); /* it moves all that lies on node 1 */
    CHECK(json_integer_value(json_object_get(root, "wrong")) == 1);
    json_decref(root);
    end(child);
}

int main(int argc, char **argv) {
    machine = machine_read();
    if (argc > 1 && !strcmp(argv[1], "--right-node"))
        far_node = 0;
    memory.near = map();
    memory.far = map();
    memory.both = map();
    test(true);
    test(false);
    printf("what is away is named, of a process that computes and of one that sleeps, until it has been moved\n");
    return 0;
}
