/*
 * One node has double the work: it leaves that node, to idle workers that look nearest first. Counts events, never times: which
 * ranges ran on which node (by CPU), and from how far they were taken.
 */
#include <inttypes.h>
#include <sched.h>
#include <string.h>

#include "numa.h"

#define ROUNDS 4
#define ITEMS_PER_WORKER 120
#define WORK_US 500

static struct machine machine;
static weft_pool *pool;

struct load {
    unsigned node;            /* OS index of the loaded node */
    size_t first, last;       /* its iterations */
    size_t ran_on[MAX_NODES]; /* A: of these, by the node that ran them */
};

static void work(void *arg, weft_range range) {
    struct load *load = arg;
    int node = machine.cpu_node[sched_getcpu()];
    for (size_t i = range.first; i < range.last; i++) {
        bool loaded = i >= load->first && i < load->last;
        work_us(loaded ? 2 * WORK_US : WORK_US);
        if (loaded)
            __atomic_fetch_add(&load->ran_on[node], 1, __ATOMIC_RELAXED);
    }
}

static void add_report(weft_loop_report *sum, const weft_loop_report *report) {
    sum->iterations += report->iterations;
    sum->iterations_local += report->iterations_local;
    sum->steals_cache += report->steals_cache;
    sum->steals_node += report->steals_node;
    for (unsigned rank = 0; rank < WEFT_REMOTE_CLASSES; rank++)
        sum->steals_remote[rank] += report->steals_remote[rank];
}

static void load_node(unsigned node, weft_loop_report *sum, struct load *load) {
    const weft_plan_node *home = &weft_plan_nodes(weft_pool_plan(pool), NULL)[node];
    unsigned workers = weft_pool_workers(pool);
    size_t n = (size_t)workers * ITEMS_PER_WORKER;
    *load = (struct load){.node = (unsigned)home->os_index,
                          .first = weft_partition(n, workers, 1, home->first_worker),
                          .last = weft_partition(n, workers, 1, home->first_worker + home->worker_count)};
    for (int round = 0; round < ROUNDS; round++) {
        weft_loop_report report;
        OK(weft_for(pool, n, work, load, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .grain = 1, .report = &report}));
        CHECK(report.iterations == n);
        add_report(sum, &report);
    }
}

/* The distance classes there are, nearest first: each was used, and none more than a nearer one. */
static void check_classes(const weft_loop_report *sum) {
    const weft_plan_worker *first = weft_plan_workers(weft_pool_plan(pool), NULL);
    unsigned classes = 0;
    for (unsigned g = 0; g < first->group_count; g++)
        classes += first->groups[g].kind == WEFT_VICTIM_REMOTE;
    for (unsigned rank = 0; rank < classes; rank++) {
        CHECK(sum->steals_remote[rank]);
        CHECK(!rank || sum->steals_remote[rank] < sum->steals_remote[rank - 1]);
    }
    CHECK(classes == WEFT_REMOTE_CLASSES || !sum->steals_remote[classes]);
}

/* Iterations of the loaded node that ran on the nodes at each rank of distance from it, per node of that rank. */
static void print_leaving(const struct load *load) {
    printf("node %u loaded: ran on", load->node);
    for (unsigned node = 0; node < machine.nodes; node++)
        printf(" %zu%s", load->ran_on[node], node == load->node ? "*" : "");
    printf("\n");
}

int main(void) {
    machine = machine_read();
    pool = start_pool();
    weft_loop_report sum = {0};
    size_t left = 0, all = 0;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        struct load load;
        load_node(node, &sum, &load);
        print_leaving(&load);
        size_t stayed = load.ran_on[load.node];
        CHECK(stayed < (load.last - load.first) * ROUNDS);
        left += (load.last - load.first) * ROUNDS - stayed;
        all += (load.last - load.first) * ROUNDS;
    }
    printf("%.1f %% of the loaded nodes' work left them; steals: cache %" PRIu64 ", node %" PRIu64, percent(left, all),
           sum.steals_cache, sum.steals_node);
    for (unsigned rank = 0; rank < WEFT_REMOTE_CLASSES && sum.steals_remote[rank]; rank++)
        printf(", remote %u: %" PRIu64, rank, sum.steals_remote[rank]);
    printf("; %.1f %% of all iterations local\n", percent(sum.iterations_local, sum.iterations));
    check_classes(&sum);
    OK(weft_pool_destroy(pool));
    return 0;
}
