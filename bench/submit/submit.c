/* Measures a peer's ways to submit, from the main thread on the second CPU; the first worker is on the first. */
#include "submit/submit.h"

#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>

#include "harness/bench.h"
#include "harness/peers/start.h"

#define FLOOD 1000000
#define TRICKLE 10000 /* in its place where nothing is timed */
#define SLEEP_US 2000
#define POLL_US 20

struct flood {
    const struct submit_way *way;
    unsigned tasks;
    uint64_t submitted;
};

static _Alignas(64) atomic_bool has_run;

/* Release, and acquire in round_trip(): a result would be published by it. */
static void answer(void *unused) {
    (void)unused;
    atomic_store_explicit(&has_run, true, memory_order_release);
}

static bool round_trip(void *what) {
    const struct submit_way *way = what;
    atomic_store_explicit(&has_run, false, memory_order_relaxed);
    if (!way->submit(answer, NULL))
        return false;
    while (!atomic_load_explicit(&has_run, memory_order_acquire))
        ;
    return true;
}

static void count(void *unused) {
    (void)unused;
    bench_count();
}

static bool wait_all(const struct flood *flood) {
    uint64_t most;
    if (flood->way->wait)
        return flood->way->wait();
    while (bench_counted(&most) < flood->submitted)
        bench_sleep_us(POLL_US);
    return true;
}

static bool run_flood(void *what) {
    struct flood *flood = what;
    for (unsigned i = 0; i < flood->tasks; i++)
        if (!flood->way->submit(count, NULL))
            return false;
    flood->submitted += flood->tasks;
    return wait_all(flood);
}

static bool check_flood(void *what) {
    uint64_t most;
    return bench_counted(&most) == ((const struct flood *)what)->submitted;
}

static void measure(const struct submit_way *way) {
    struct flood flood = {.way = way, .tasks = bench_milliseconds > 0 ? FLOOD : TRICKLE};
    bench_measure(&(struct bench_row){
        .row = "round trip, hot", .way = way->way, .units = 1e3, .run = round_trip, .what = (void *)(uintptr_t)way});
    bench_measure(&(struct bench_row){.row = "round trip, asleep",
                                      .way = way->way,
                                      .units = 1e3,
                                      .gap_us = SLEEP_US,
                                      .run = round_trip,
                                      .what = (void *)(uintptr_t)way});
    if (!way->one_at_a_time)
        bench_measure(&(struct bench_row){.row = "flood of 1,000,000, per task",
                                          .way = way->way,
                                          .units = 1e3 * flood.tasks,
                                          .run = run_flood,
                                          .check_all = check_flood,
                                          .what = &flood});
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) || !start_peer(bench_workers + peer_caller_works, THREADS_CALLER_APART) ||
        !submit_begin())
        return 1;
    for (const struct submit_way *way = submit_ways; way->way; way++)
        measure(way);
    if (!submit_end() || !peer_stop())
        return 1;
    return bench_end();
}
