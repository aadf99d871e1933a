/*
 * Workers run where the plan says, the plan is the machine's, and the caller stays as it was. Masks are read from outside the
 * workers, by thread id; CPUs, cores, nodes and distances from /sys.
 */
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa.h"

#define ROUNDS 200

static struct worker {
    pid_t thread;
    size_t runs, elsewhere; /* bodies that ran on the planned PU's CPU, and on another */
} workers[MAX_CPUS];

static const weft_plan_worker *planned;

static void note(void *arg, weft_range range) {
    (void)arg;
    struct worker *worker = &workers[weft_current_worker()];
    worker->thread = gettid();
    for (size_t i = range.first; i < range.last; i++) {
        worker->runs++;
        worker->elsewhere += sched_getcpu() != (int)planned[weft_current_worker()].pu;
    }
}

static void check_places(const struct machine *machine, weft_pool *pool) {
    unsigned count = weft_pool_workers(pool), elsewhere = 0;
    bool core_taken[MAX_CPUS] = {false};
    CHECK(count == machine_cores(machine));
    for (int round = 0; round < ROUNDS; round++)
        OK(weft_for(pool, 8 * (size_t)count, note, NULL,
                    &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096}));
    for (unsigned i = 0; i < count; i++) {
        cpu_set_t mask;
        unsigned pu = planned[i].pu;
        CHECK(!sched_getaffinity(workers[i].thread, sizeof mask, &mask));
        if (CPU_COUNT(&mask) != 1 || !CPU_ISSET(pu, &mask))
            FAIL("the mask of worker %u has %d CPUs and %s its PU %u", i, CPU_COUNT(&mask),
                 CPU_ISSET(pu, &mask) ? "holds" : "lacks", pu);
        if (machine->cpu_node[pu] != os_node(pool, planned[i].node))
            FAIL("worker %u: PU %u is on node %d, planned for node %d", i, pu, machine->cpu_node[pu],
                 os_node(pool, planned[i].node));
        CHECK(machine->cpu_core[pu] == pu && !core_taken[pu]); /* the first PU of a core, and one worker per core */
        core_taken[pu] = true;
        CHECK(workers[i].runs == 8 * ROUNDS);
        elsewhere += (unsigned)workers[i].elsewhere;
    }
    CHECK(!elsewhere);
    printf("%u workers on %u cores of %u CPUs: %u of %u bodies on the planned CPU, every mask that CPU alone\n", count,
           machine_cores(machine), machine->cpus, count * 8 * ROUNDS - elsewhere, count * 8 * ROUNDS);
}

/* Groups hold every other worker once, remote ones in increasing distance, and that is the distance in /sys. */
static void check_victims(const struct machine *machine, const weft_pool *pool, unsigned thief) {
    bool seen[MAX_CPUS] = {false};
    uint64_t nearest = 0;
    unsigned total = 0;
    int home = os_node(pool, planned[thief].node);
    for (unsigned g = 0; g < planned[thief].group_count; g++) {
        const weft_victim_group *group = &planned[thief].groups[g];
        for (unsigned i = 0; i < group->worker_count; i++) {
            unsigned victim = group->workers[i];
            int node = os_node(pool, planned[victim].node);
            CHECK(victim != thief && !seen[victim]);
            seen[victim] = true;
            total++;
            CHECK((group->kind == WEFT_VICTIM_REMOTE) == (node != home));
            CHECK(node == home || group->distance == machine->distance[home][node]);
        }
        CHECK(group->kind != WEFT_VICTIM_REMOTE || group->distance > nearest);
        nearest = group->kind == WEFT_VICTIM_REMOTE ? group->distance : nearest;
    }
    CHECK(total + 1 == weft_pool_workers(pool));
}

/* Nodes with memory and without CPUs, each with the nearest of the others. */
static void check_memory_nodes(const struct machine *machine, const weft_pool *pool) {
    unsigned count, expected = 0;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(weft_pool_plan(pool), &count);
    for (unsigned node = 0; node < machine->nodes; node++) {
        if (machine->node_cpus[node])
            continue;
        CHECK(expected < count && nodes[expected].os_index == (int)node && nodes[expected].local_memory);
        for (unsigned i = 0; i < nodes[expected].nearest_count; i++)
            for (unsigned other = 0; other < machine->nodes; other++)
                CHECK(!machine->node_cpus[other] ||
                      machine->distance[nodes[expected].nearest[i]][node] <= machine->distance[other][node]);
        printf("node %u: memory only, nearest to node %d, in the plan\n", node, nodes[expected].nearest[0]);
        expected++;
    }
    CHECK(count == expected);
}

/* What a caller has that a library must leave alone. */
struct caller {
    cpu_set_t cpus;
    sigset_t signals;
    int policy;
    unsigned long nodes[16];
};

static struct caller caller_now(void) {
    struct caller caller;
    memset(&caller, 0, sizeof caller);
    CHECK(!sched_getaffinity(0, sizeof caller.cpus, &caller.cpus));
    CHECK(!pthread_sigmask(SIG_SETMASK, NULL, &caller.signals));
    CHECK(!syscall(SYS_get_mempolicy, &caller.policy, caller.nodes, 8 * sizeof caller.nodes, NULL, 0));
    return caller;
}

int main(void) {
    struct machine machine = machine_read();
    struct caller before = caller_now();
    weft_pool *pool = start_pool();
    planned = weft_plan_workers(weft_pool_plan(pool), NULL);
    check_places(&machine, pool);
    for (unsigned i = 0; i < weft_pool_workers(pool); i++)
        check_victims(&machine, pool, i);
    printf("victims of %u workers: each other worker once, in the order of the distances in /sys\n", weft_pool_workers(pool));
    check_memory_nodes(&machine, pool);
    weft_array *array;
    OK(weft_array_create(&array, pool, 1 << 20, 4, NULL));
    weft_array_destroy(array);
    struct caller after = caller_now();
    CHECK(!memcmp(&before, &after, sizeof before));
    OK(weft_pool_destroy(pool));
    after = caller_now();
    CHECK(!memcmp(&before, &after, sizeof before));
    printf("CPU mask, signal mask and memory policy of the caller are as before\n");
    return 0;
}
