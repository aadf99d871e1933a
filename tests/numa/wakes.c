/*
 * Work that its own node cannot take wakes the nearest sleepers: all workers sleep, one node gets twice as many tasks as it has
 * workers, each of which stays in its task; the others must run at the next distance. Where a task ran says its CPU.
 */
#include <sched.h>

#include "numa.h"

#define REST_US 300000
#define TASK_US 400000

static struct machine machine;
static weft_pool *pool;
static size_t ran_on[MAX_NODES]; /* A: tasks by node */

static void task(void *arg) {
    (void)arg;
    __atomic_fetch_add(&ran_on[machine.cpu_node[sched_getcpu()]], 1, __ATOMIC_RELAXED);
    work_us(TASK_US);
}

/* The least distance from a node to another one with CPUs. */
static unsigned nearest(int home) {
    unsigned least = 255;
    for (unsigned node = 0; node < machine.nodes; node++)
        if ((int)node != home && machine.node_cpus[node] && machine.distance[home][node] < least)
            least = machine.distance[home][node];
    return least;
}

static void load_node(unsigned index) {
    const weft_plan_node *node = &weft_plan_nodes(weft_pool_plan(pool), NULL)[index];
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = index};
    size_t farther = 0;
    OK(weft_group_create(&there.group, pool));
    for (unsigned other = 0; other < machine.nodes; other++)
        ran_on[other] = 0;
    work_us(REST_US); /* until everybody sleeps */
    for (unsigned i = 0; i < 2 * node->worker_count; i++)
        OK(weft_submit(pool, task, NULL, &there));
    OK(weft_group_wait(there.group));
    OK(weft_group_destroy(there.group));
    printf("node %d, %u tasks: ran on", node->os_index, 2 * node->worker_count);
    for (unsigned other = 0; other < machine.nodes; other++) {
        printf(" %zu%s", ran_on[other], (int)other == node->os_index ? "*" : "");
        if ((int)other != node->os_index && machine.distance[node->os_index][other] > nearest(node->os_index))
            farther += ran_on[other];
    }
    printf("; %zu farther than the nearest\n", farther);
    CHECK(ran_on[node->os_index] == node->worker_count && !farther);
}

int main(void) {
    machine = machine_read();
    pool = start_pool();
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
        load_node(node);
    OK(weft_pool_destroy(pool));
    return 0;
}
