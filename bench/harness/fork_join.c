/* Measures a peer's recursion, on one of its workers. */
#include "harness/fork_join.h"

#include <stddef.h>

#include "harness/bench.h"
#include "harness/peers/start.h"

struct call {
    const struct fork_join_case *of;
    uint64_t (*run)(long size);
};

static bool run(void *what) {
    const struct call *call = what;
    return call->run(call->of->size) == call->of->expected;
}

static void prepare(void *what) {
    fork_join_workload.prepare(((const struct call *)what)->of->size);
}

static bool check(void *what) {
    return fork_join_workload.check(((const struct call *)what)->of->size);
}

static void measure(void *unused) {
    (void)unused;
    for (const struct fork_join_case *of = fork_join_workload.cases; of->row; of++)
        for (const struct fork_join_way *way = fork_join_ways; way->way; way++) {
            struct call call = {of, way->run};
            bench_measure(&(struct bench_row){.row = of->row,
                                              .way = way->way,
                                              .units = of->units,
                                              .prepare = fork_join_workload.prepare ? prepare : NULL,
                                              .run = run,
                                              .check = fork_join_workload.check ? check : NULL,
                                              .what = &call});
        }
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) || (fork_join_workload.begin && !fork_join_workload.begin()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    peer_run(measure, NULL);
    if (!peer_stop())
        return 1;
    return bench_end();
}
