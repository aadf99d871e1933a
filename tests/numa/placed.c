/*
 * Children that are placed on nodes: they run on a CPU of their node while somebody is idle there, and elsewhere while all its
 * workers stay in other tasks. Where a task ran says its CPU.
 */
#include <sched.h>

#include "numa.h"

#define PER_NODE 20
#define POLL_US 1000

static struct machine machine;
static weft_pool *pool;

struct placed {
    int os_node; /* where it is to run */
    int ran_on;
};

static void note(void *arg) {
    struct placed *placed = arg;
    placed->ran_on = machine.cpu_node[sched_getcpu()];
}

/* One after the other on every node, while nobody else has anything to do. */
static void place_on_idle(void *arg) {
    unsigned *there = arg;
    for (unsigned i = 0; i < PER_NODE * weft_pool_nodes(pool); i++) {
        unsigned node = i % weft_pool_nodes(pool);
        struct placed child = {os_node(pool, node), NO_NODE};
        OK(weft_spawn_at(node, note, &child));
        OK(weft_sync());
        CHECK(child.ran_on != NO_NODE);
        *there += child.ran_on == child.os_node;
    }
}

/* Workers of a node that stay where they are until they are told. */
static size_t busy; /* A */
static int go_on;   /* A */

static void stay(void *arg) {
    (void)arg;
    __atomic_fetch_add(&busy, 1, __ATOMIC_ACQ_REL);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
        work_us(POLL_US);
}

/* All other workers are busy, but for the one that runs this: what it places on another node it has to run itself. */
static void place_on_busy(void *arg) {
    size_t *elsewhere = arg;
    unsigned self = (unsigned)weft_current_node();
    for (unsigned i = 1; i < weft_pool_workers(pool); i++)
        OK(weft_submit(pool, stay, NULL, NULL));
    while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) < weft_pool_workers(pool) - 1)
        work_us(POLL_US);
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        struct placed child = {os_node(pool, node), NO_NODE};
        OK(weft_spawn_at(node, note, &child));
        OK(weft_sync());
        CHECK(child.ran_on == os_node(pool, self));
        *elsewhere += child.ran_on != child.os_node;
    }
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
}

static void run(weft_task_fn fn, void *arg) {
    weft_group *group;
    OK(weft_group_create(&group, pool));
    OK(weft_group_spawn(group, fn, arg));
    OK(weft_group_wait(group));
    OK(weft_group_destroy(group));
}

int main(void) {
    machine = machine_read();
    /* the longest budget, for emulated machines: a spawner waits no longer than that for an idle node */
    OK(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .spin_us = 1000000}));
    unsigned there = 0, nodes = weft_pool_nodes(pool);
    size_t elsewhere = 0;
    run(place_on_idle, &there);
    printf("%u of %u children ran on their idle node\n", there, PER_NODE * nodes);
    /* all but those whose node had not yet noted the end of the one before, or whose CPUs got no turn for a second */
    CHECK(there >= PER_NODE * nodes * 3 / 4);
    run(place_on_busy, &elsewhere);
    printf("%zu of %u children of busy nodes ran elsewhere\n", elsewhere, nodes - 1);
    CHECK(elsewhere == nodes - 1);
    OK(weft_pool_destroy(pool));
    return 0;
}
