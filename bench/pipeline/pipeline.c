#include "pipeline/pipeline.h"

#include <stdatomic.h>
#include <string.h>

#include "harness/bench.h"
#include "harness/loops/loop.h"
#include "harness/peers/start.h"
#include "harness/threads.h"

#define TOKENS 100000 /* of a run */

static const struct pipeline_shape shapes[] = {
    {"4 in order, 16 tokens", "oooo", 16, 0},       {"8 in order, 16 tokens", "oooooooo", 16, 0},
    {"parallel between ends, 16", "oppo", 16, 0},   {"6 parallel between ends, 16", "oppppppo", 16, 0},
    {"mixed 8, 16 tokens", "opopopop", 16, 0},      {"4 in order, 2 tokens", "oooo", 2, 0},
    {"parallel between ends, 2", "oppo", 2, 0},     {"2 parallel of 1 us, 16", "oppo", 16, 1000},
    {"2 parallel of 10 us, 16", "oppo", 16, 10000},
};

static uint64_t next, length;
static bool in_order;                                /* the last stage keeps it */
static uint64_t ended, sum;                          /* the last stage's, where it is in order */
static _Atomic(uint64_t) ended_at_once, sum_at_once; /* where it is not */
static unsigned work_ns;

bool pipeline_source(uint64_t *value) {
    if (next == length)
        return false;
    *value = next++;
    return true;
}

uint64_t pipeline_middle(uint64_t value) {
    if (work_ns)
        return value + 1 + (loop_spin(value, work_ns) == 1); /* about a nanosecond a step */
    return value + 1;
}

void pipeline_last(uint64_t value) {
    if (in_order) {
        sum = sum * 31 + value;
        ended++;
    } else {
        atomic_fetch_add_explicit(&sum_at_once, value, memory_order_relaxed);
        atomic_fetch_add_explicit(&ended_at_once, 1, memory_order_relaxed);
    }
}

static void prepare(void *what) {
    (void)what;
    next = ended = sum = 0;
    ended_at_once = sum_at_once = 0;
}

static bool run(void *what) {
    return pipeline_run(what);
}

static bool check(void *what) {
    const struct pipeline_shape *shape = what;
    uint64_t middle = strlen(shape->stages) - 2, expected = 0, total = 0;
    for (uint64_t i = 0; i < length; i++) {
        expected = expected * 31 + i + middle;
        total += i + middle;
    }
    return in_order ? ended == length && sum == expected : ended_at_once == length && sum_at_once == total;
}

static bool measure(const struct pipeline_shape *shape) {
    size_t stages = strlen(shape->stages);
    in_order = shape->stages[stages - 1] == 'o';
    work_ns = shape->work_ns;
    length = bench_milliseconds > 0 ? TOKENS / (1 + work_ns / 500) : 100;
    if (!pipeline_make(shape))
        return false;
    bench_measure(&(struct bench_row){.row = shape->name,
                                      .way = "",
                                      .units = (double)length * (double)stages,
                                      .prepare = prepare,
                                      .run = run,
                                      .check = check,
                                      .what = (void *)(uintptr_t)shape});
    pipeline_release();
    return true;
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) || !start_peer(bench_workers, THREADS_CALLER_WAITS))
        return 1;
    for (unsigned i = 0; i < sizeof shapes / sizeof *shapes; i++)
        if (!measure(&shapes[i]))
            return 1;
    if (!peer_stop())
        return 1;
    return bench_end();
}
