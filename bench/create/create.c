/* Measures a peer's start and stop. The first start of the process, which looks at the machine, is not in it. */
#include "harness/loops/loop.h"
#include "harness/peers/peer.h"
#include "harness/threads.h"

/* The main thread is never bound: some runtimes would take its CPU for all that there are. */
static bool start(void) {
    if (!peer_binds)
        threads_bind_new(peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS);
    return peer_start(bench_workers);
}

static bool start_and_stop(void *unused) {
    (void)unused;
    return start() && peer_stop();
}

static bool start_run_stop(void *unused) {
    struct loop loop = {.n = 2};
    (void)unused;
    return start() && loop_ways[0].run(&loop) && peer_stop();
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()))
        return 1;
    bench_measure(&(struct bench_row){.row = "start, stop", .way = "", .units = 1e3, .run = start_and_stop});
    bench_measure(&(struct bench_row){.row = "start, loop, stop", .way = "", .units = 1e3, .run = start_run_stop});
    return bench_end();
}
