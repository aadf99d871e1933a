/* The kernel's word about the machine and about pages. Keeps no state. */
#include "numa.h"

#include <dirent.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 4096
#define MOVE 2 /* MPOL_MF_MOVE */

/* The numbers in a file of /sys: "0-3,8" with ranges spread, or "10 21". Returns how many; 0 where there is no such file. */
static unsigned read_numbers(const char *path, unsigned *numbers, unsigned max) {
    char text[1024] = "";
    FILE *file = fopen(path, "r");
    if (!file || !fgets(text, sizeof text, file))
        text[0] = 0;
    if (file)
        fclose(file);
    unsigned count = 0;
    for (char *at = text, *end; *at && *at != '\n'; at = end) {
        unsigned first = (unsigned)strtoul(at, &end, 10), last = first;
        if (end == at)
            break;
        if (*end == '-')
            last = (unsigned)strtoul(end + 1, &end, 10);
        for (unsigned number = first; number <= last && count < max; number++)
            numbers[count++] = number;
        while (*end == ',' || *end == ' ')
            end++;
    }
    return count;
}

static size_t read_free(unsigned node) {
    char path[96], line[128];
    size_t kib = 0;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%u/meminfo", node);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Node %*u MemFree: %zu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

static void read_node(struct machine *machine, unsigned node) {
    char path[96];
    unsigned cpus[MAX_CPUS];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist", node);
    machine->node_cpus[node] = read_numbers(path, cpus, MAX_CPUS);
    for (unsigned i = 0; i < machine->node_cpus[node]; i++) {
        unsigned cpu = cpus[i], siblings[MAX_CPUS];
        CHECK(cpu < MAX_CPUS);
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/topology/thread_siblings_list", cpu);
        CHECK(read_numbers(path, siblings, MAX_CPUS));
        machine->cpu_node[cpu] = (int)node;
        machine->cpu_core[cpu] = siblings[0];
        machine->cpus++;
    }
    snprintf(path, sizeof path, "/sys/devices/system/node/node%u/distance", node);
    CHECK(read_numbers(path, machine->distance[node], MAX_NODES) == machine->nodes);
    machine->node_free[node] = read_free(node);
}

struct machine machine_read(void) {
    struct machine machine = {0};
    unsigned nodes[MAX_NODES];
    machine.nodes = read_numbers("/sys/devices/system/node/online", nodes, MAX_NODES);
    CHECK(machine.nodes && nodes[machine.nodes - 1] == machine.nodes - 1);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        machine.cpu_node[cpu] = NO_NODE;
    for (unsigned node = 0; node < machine.nodes; node++)
        read_node(&machine, node);
    return machine;
}

unsigned machine_cores(const struct machine *machine) {
    unsigned cores = 0;
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        cores += machine->cpu_node[cpu] != NO_NODE && machine->cpu_core[cpu] == cpu;
    return cores;
}

size_t pages_in(size_t bytes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (bytes + page - 1) / page;
}

struct pages pages_ask(const void *start, size_t bytes, int *node_of) {
    return pages_ask_of(0, start, bytes, node_of);
}

struct pages pages_ask_of(pid_t process, const void *start, size_t bytes, int *node_of) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t first = (uintptr_t)start & ~(uintptr_t)(page - 1);
    struct pages pages = {.count = pages_in(bytes + ((uintptr_t)start - first))};
    static _Thread_local void *addresses[BATCH];
    static _Thread_local int nodes[BATCH];
    for (size_t done = 0; done < pages.count;) {
        size_t count = pages.count - done < BATCH ? pages.count - done : BATCH;
        for (size_t i = 0; i < count; i++)
            addresses[i] = (void *)(first + (done + i) * page); /* only named to the kernel */
        CHECK(!syscall(SYS_move_pages, process, count, addresses, NULL, nodes, 0));
        for (size_t i = 0; i < count; i++) {
            bool present = nodes[i] >= 0 && nodes[i] < MAX_NODES;
            pages.present += present;
            if (present)
                pages.on[nodes[i]]++;
            if (node_of)
                node_of[done + i] = present ? nodes[i] : NO_NODE;
        }
        done += count;
    }
    return pages;
}

void pages_put(void *start, size_t count, const int *nodes) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void **pages = malloc(count * sizeof *pages);
    int *answers = malloc(count * sizeof *answers);
    CHECK(pages && answers);
    for (size_t i = 0; i < count; i++)
        pages[i] = (char *)start + i * page;
    long left = 1;
    for (int round = 0; left && round < 3; round++)
        CHECK((left = syscall(SYS_move_pages, 0, count, pages, nodes, answers, MOVE)) >= 0);
    free(pages);
    free(answers);
}

void run_on_node(const struct machine *machine, int node) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (machine->cpu_node[cpu] != NO_NODE && (node == NO_NODE || machine->cpu_node[cpu] == node))
            CPU_SET(cpu, &cpus);
    CHECK(!sched_setaffinity(0, sizeof cpus, &cpus));
}

void work_us(unsigned us) {
    nanosleep(&(struct timespec){.tv_nsec = (long)us * 1000}, NULL);
}

double percent(size_t part, size_t whole) {
    return whole ? 100.0 * (double)part / (double)whole : 100.0;
}

weft_pool *start_pool(void) {
    weft_pool *pool = NULL;
    OK(weft_pool_create(&pool, NULL));
    return pool;
}

weft_pool *start_small_pool(const struct machine *machine) {
    weft_pool *pool = NULL;
    OK(weft_pool_create(&pool,
                        &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .reserved_cores = machine_cores(machine) - machine->nodes}));
    CHECK(weft_pool_nodes(pool) == machine->nodes && weft_pool_workers(pool) == machine->nodes);
    return pool;
}

int os_node(const weft_pool *pool, unsigned node) {
    return weft_plan_nodes(weft_pool_plan(pool), NULL)[node].os_index;
}
