/*
 * The search for work on several nodes, by its counters: other nodes are looked at only when the own one has nothing; work that lies
 * on one far node reaches every worker; and where there is no work the nodes look at each other now and then and not in a storm.
 */
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "numa.h"

#define POLL_US 1000
#define TASK_US 5000
#define TASKS_PER_WORKER 20
#define SETTLE_POLLS 20000

static struct machine machine;
static weft_pool *pool;

static weft_stats stats_now(void) {
    weft_stats stats;
    OK(weft_pool_stats(pool, -1, &stats));
    return stats;
}

static void start(uint32_t spin_us) {
    OK(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .spin_us = spin_us}));
}

static void stop(void) {
    OK(weft_pool_destroy(pool));
}

/* Until all workers sleep. */
static void settle(void) {
    for (unsigned poll = 0; poll < SETTLE_POLLS; poll++) {
        weft_stats stats = stats_now();
        if (stats.parks - stats.wakes == weft_pool_workers(pool))
            return;
        work_us(POLL_US);
    }
    FAIL("the workers do not fall asleep");
}

/* Tasks that stay where they are until they are told: all workers are busy then. */
static size_t busy; /* A */
static int go_on;   /* A */

static void stay(void *arg) {
    (void)arg;
    __atomic_fetch_add(&busy, 1, __ATOMIC_ACQ_REL);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
        work_us(POLL_US);
}

static void occupy_all(void) {
    for (unsigned i = 0; i < weft_pool_workers(pool); i++)
        OK(weft_submit(pool, stay, NULL, NULL));
    while (__atomic_load_n(&busy, __ATOMIC_ACQUIRE) < weft_pool_workers(pool))
        work_us(POLL_US);
}

/* A node's share of the work in check_local_first(). */
struct share {
    int os_node;
    size_t begun, elsewhere; /* A */
};

static void note_share(void *arg) {
    struct share *share = arg;
    __atomic_fetch_add(&share->begun, 1, __ATOMIC_RELAXED);
    if (machine.cpu_node[sched_getcpu()] != share->os_node)
        __atomic_fetch_add(&share->elsewhere, 1, __ATOMIC_RELAXED);
    work_us(TASK_US);
}

static size_t most_begun(const struct share *shares) {
    size_t most = 0;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        size_t begun = __atomic_load_n(&shares[node].begun, __ATOMIC_RELAXED);
        most = begun > most ? begun : most;
    }
    return most;
}

/* Every node has enough to do: nobody looks at another one before one has no more than half. */
static void check_local_first(void) {
    struct share shares[MAX_NODES] = {0};
    start(0);
    occupy_all();
    size_t least = SIZE_MAX;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        size_t tasks = (size_t)weft_plan_nodes(weft_pool_plan(pool), NULL)[node].worker_count * TASKS_PER_WORKER;
        shares[node].os_node = os_node(pool, node);
        least = tasks < least ? tasks : least;
        for (size_t i = 0; i < tasks; i++)
            OK(weft_submit(pool, note_share, &shares[node],
                           &(weft_submit_options){WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = node}));
    }
    weft_stats before = stats_now(), then;
    size_t elsewhere = 0, begun = 0, most;
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    do { /* what is counted before the look at `begun` happened while all nodes had something left */
        then = stats_now();
        for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
            elsewhere += __atomic_exchange_n(&shares[node].elsewhere, 0, __ATOMIC_RELAXED);
        most = most_begun(shares);
        if (most <= least / 2) {
            CHECK(then.remote_rounds == before.remote_rounds && then.attempts_remote == before.attempts_remote && !elsewhere);
            begun = most;
        }
        work_us(POLL_US);
    } while (most <= least / 2);
    stop();
    printf("local first: no look at other nodes while one had begun %zu of its %zu tasks\n", begun, least);
    CHECK(begun);
}

/* Who ran something of what lay on one node. */
struct spread {
    unsigned tasks;
    size_t ran[MAX_CPUS]; /* A: by worker */
};

static void note_worker(void *arg) {
    struct spread *spread = arg;
    __atomic_fetch_add(&spread->ran[weft_current_worker()], 1, __ATOMIC_RELAXED);
    work_us(TASK_US);
}

static void spawn_all(void *arg) {
    struct spread *spread = arg;
    for (unsigned i = 0; i < spread->tasks; i++)
        OK(weft_spawn(note_worker, arg));
}

static void submit_all(unsigned node, weft_task_fn fn, void *arg, unsigned count) {
    weft_submit_options there = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = node};
    OK(weft_group_create(&there.group, pool));
    for (unsigned i = 0; i < count; i++)
        OK(weft_submit(pool, fn, arg, &there));
    OK(weft_group_wait(there.group));
    OK(weft_group_destroy(there.group));
}

static void check_spread(const char *what, unsigned node, const struct spread *spread) {
    printf("%s of node %d:", what, os_node(pool, node));
    for (unsigned i = 0; i < weft_pool_workers(pool); i++)
        printf(" %zu", spread->ran[i]);
    printf("\n");
    for (unsigned i = 0; i < weft_pool_workers(pool); i++)
        CHECK(spread->ran[i]);
}

/* All work lies on one node: in its inbox, or in one worker's deque. */
static void check_reach(void) {
    start(0);
    unsigned workers = weft_pool_workers(pool), nodes = weft_pool_nodes(pool);
    for (unsigned k = 0; k < 2; k++) {
        unsigned node = k * (nodes - 1);
        struct spread submitted = {0}, spawned = {.tasks = workers * TASKS_PER_WORKER};
        settle();
        submit_all(node, note_worker, &submitted, workers * TASKS_PER_WORKER);
        check_spread("submitted tasks", node, &submitted);
        settle();
        submit_all(node, spawn_all, &spawned, 1);
        check_spread("spawned tasks", node, &spawned);
    }
    weft_stats stats = stats_now();
    uint64_t far = 0;
    for (unsigned rank = 0; rank < WEFT_REMOTE_CLASSES; rank++)
        far += stats.steals_remote[rank];
    CHECK(far && stats.remote_rounds);
    stop();
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void nothing(void *arg) {
    (void)arg;
}

/* All search and there is nothing: a scout per node, which goes once a millisecond in the end and asks one worker of each node. One
 * round in four draws a victim, but looks only at those that show work. */
static void check_calm(void) {
    start(1000000);
    unsigned nodes = weft_pool_nodes(pool);
    submit_all(0, nothing, NULL, weft_pool_workers(pool));
    weft_stats before = stats_now();
    uint64_t begin = now_ns();
    work_us(300000);
    weft_stats after = stats_now();
    uint64_t ms = (now_ns() - begin) / 1000000 + 1, rounds = after.remote_rounds - before.remote_rounds;
    uint64_t attempts = after.attempts_remote - before.attempts_remote;
    printf("calm: %" PRIu64 " rounds to other nodes, %" PRIu64 " looks there, %" PRIu64 " failed rounds in all in %" PRIu64
           " ms on %u nodes\n",
           rounds, attempts, after.failed_rounds - before.failed_rounds, ms, nodes);
    CHECK(rounds <= nodes * (ms + 20));                /* 20: the pauses double from a microsecond */
    CHECK(attempts <= (rounds + nodes) * (nodes - 1)); /* + nodes: rounds that had begun before */
    stop();
    start(0);
    settle();
    before = stats_now();
    work_us(300000);
    after = stats_now();
    CHECK(!memcmp(&before, &after, sizeof before)); /* asleep */
    stop();
}

int main(void) {
    machine = machine_read();
    check_local_first();
    check_reach();
    check_calm();
    return 0;
}
