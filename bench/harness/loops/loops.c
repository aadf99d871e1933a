/* Measures every way of a peer on every loop. That each item ran once per loop is seen in the sums and in the threads' counts. */
#include <string.h>

#include "harness/loops/loop.h"
#include "harness/peers/start.h"

struct measurement {
    const struct loop_case *of;
    const struct loop_way *way;
    struct loop loop;
};

static bool run(void *what) {
    struct measurement *measurement = what;
    measurement->loop.runs++;
    return measurement->way->run(&measurement->loop);
}

static bool check(void *what) {
    const struct loop *loop = &((const struct measurement *)what)->loop;
    uint64_t most;
    if (bench_counted(&most) != (uint64_t)loop->n * loop->runs)
        return false;
    for (size_t i = 0; i < loop->n; i++)
        if (!loop_sum_is_right(loop, i))
            return false;
    return true;
}

static void measure(void *what) {
    struct measurement *measurement = what;
    bench_measure(&(struct bench_row){.row = measurement->of->row,
                                      .way = measurement->way->way,
                                      .units = measurement->of->units,
                                      .gap_us = measurement->of->gap_us,
                                      .run = run,
                                      .check_all = check,
                                      .what = what});
}

int main(int argc, char **argv) {
    static _Alignas(64) uint64_t sums[LOOP_MAX_ITEMS];
    if (!bench_begin(argc, argv, peer_version()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    for (const struct loop_case *of = loop_cases; of->row; of++)
        for (const struct loop_way *way = loop_ways; way->way; way++) {
            memset(sums, 0, sizeof sums);
            struct measurement measurement = {of, way, {.n = of->n, .size = of->size, .sums = sums}};
            if (way->inside)
                peer_run(measure, &measurement);
            else
                measure(&measurement);
        }
    if (!peer_stop())
        return 1;
    return bench_end();
}
