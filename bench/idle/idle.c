/* The CPU time of the whole process while the runtime has nothing to do, from the end of its last loop. */
#include "harness/loops/loop.h"
#include "harness/peers/start.h"

#define LOOPS 1000
#define IDLE_US 5000000
#define GLANCE_US 10000 /* in its place where nothing is measured */

static void measure(void *what) {
    const struct loop_way *way = what;
    struct loop loop = {.n = 2};
    for (unsigned i = 0; i < LOOPS; i++)
        if (!way->run(&loop)) {
            bench_fail("idle", way->way, "the loop failed");
            return;
        }
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    struct loop_way way = loop_ways[0];
    if (way.inside)
        peer_run(measure, &way);
    else
        measure(&way);
    double before = bench_cpu_ms();
    bench_sleep_us(bench_milliseconds > 0 ? IDLE_US : GLANCE_US);
    bench_print("idle", "", bench_cpu_ms() - before);
    if (!peer_stop())
        return 1;
    return bench_end();
}
