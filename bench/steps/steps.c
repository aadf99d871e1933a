/* Loops that follow each other: a run is STEPS of them, called one by one, or as what the peer has for that. */
#include "steps/steps.h"

#include <string.h>

#include "harness/peers/start.h"

static const struct loop_case cases[] = {{"empty steps", 2, 0, 0, STEPS}, {"steps of 64 items of 10 ns", 64, 10, 0, STEPS}, {0}};

struct measurement {
    const struct loop_case *of;
    const struct loop_way *way;
    struct loop loop;
    bool whole; /* the way runs all steps at once */
};

static bool run(void *what) {
    struct measurement *measurement = what;
    measurement->loop.runs += STEPS;
    if (measurement->whole)
        return measurement->way->run(&measurement->loop);
    bool right = true;
    for (unsigned i = 0; i < STEPS; i++)
        right &= measurement->way->run(&measurement->loop);
    return right;
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
                                      .run = run,
                                      .check_all = check,
                                      .what = what});
}

static void measure_ways(const struct loop_case *of, const struct loop_way *ways, bool whole) {
    static _Alignas(64) uint64_t sums[LOOP_MAX_ITEMS];
    for (const struct loop_way *way = ways; way->way; way++) {
        memset(sums, 0, sizeof sums);
        struct measurement measurement = {of, way, {.n = of->n, .size = of->size, .sums = sums}, whole};
        if (way->inside)
            peer_run(measure, &measurement);
        else
            measure(&measurement);
    }
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    for (const struct loop_case *of = cases; of->row; of++) {
        measure_ways(of, step_ways, true);
        measure_ways(of, loop_ways, false);
    }
    return peer_stop() ? bench_end() : 1;
}
