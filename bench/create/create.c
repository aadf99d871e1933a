/* Measures a peer's start and stop. The first start of the process, which looks at the machine, is not in it. */
#include "harness/loops/loop.h"
#include "harness/peers/peer.h"

static bool start_and_stop(void *unused) {
    (void)unused;
    return peer_start(bench_workers) && peer_stop();
}

static bool start_run_stop(void *unused) {
    struct loop loop = {.n = 2};
    (void)unused;
    return peer_start(bench_workers) && loop_ways[0].run(&loop) && peer_stop();
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()))
        return 1;
    bench_measure(&(struct bench_row){.row = "start, stop", .way = "", .units = 1e3, .run = start_and_stop});
    bench_measure(&(struct bench_row){.row = "start, loop, stop", .way = "", .units = 1e3, .run = start_run_stop});
    return bench_end();
}
