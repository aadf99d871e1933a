/* Eight threads, none of them a runtime's own, call loops at once. A run is a round in which each of them calls some. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "harness/loops/loop.h"
#include "harness/peers/peer.h"
#include "harness/peers/start.h"

#define CALLERS 8
#define CALLS 50 /* of each caller in a round */
#define MOST 64

static const struct loop_case cases[] = {
    {"8 callers, 2 items of 10 ns", 2, 10, 0, CALLERS *CALLS},
    {"8 callers, 64 items of 10 ns", 64, 10, 0, CALLERS *CALLS},
    {0},
};

struct caller {
    pthread_t thread;
    struct loop loop;
    _Alignas(64) uint64_t sums[MOST];
};

static struct caller callers[CALLERS];
static pthread_barrier_t barrier; /* before and after each round; guards what follows */
static const struct loop_way *way;
static bool ended;
static atomic_bool failed;

static void *call(void *arg) {
    struct caller *caller = arg;
    threads_unbind_here();
    for (;;) {
        pthread_barrier_wait(&barrier);
        if (ended)
            return NULL;
        for (unsigned i = 0; i < CALLS; i++) {
            caller->loop.runs++;
            if (!way->run(&caller->loop))
                failed = true;
        }
        pthread_barrier_wait(&barrier);
    }
}

static bool round_of_calls(void *unused) {
    (void)unused;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return !failed;
}

static bool check(void *unused) {
    uint64_t most, items = 0;
    (void)unused;
    for (unsigned c = 0; c < CALLERS; c++) {
        const struct loop *loop = &callers[c].loop;
        items += (uint64_t)loop->n * loop->runs;
        for (size_t i = 0; i < loop->n; i++)
            if (!loop_sum_is_right(loop, i))
                return false;
    }
    return bench_counted(&most) == items;
}

static void measure(const struct loop_case *of) {
    for (unsigned c = 0; c < CALLERS; c++) {
        memset(callers[c].sums, 0, sizeof callers[c].sums);
        callers[c].loop = (struct loop){.n = of->n, .size = of->size, .sums = callers[c].sums};
    }
    bench_measure(&(struct bench_row){
        .row = of->row, .way = way->way, .units = of->units, .run = round_of_calls, .check_all = check, .what = NULL});
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, peer_version()) ||
        !start_peer(bench_workers, peer_caller_works ? THREADS_CALLER_WORKS : THREADS_CALLER_WAITS))
        return 1;
    pthread_barrier_init(&barrier, NULL, CALLERS + 1);
    for (unsigned c = 0; c < CALLERS; c++)
        if (pthread_create(&callers[c].thread, NULL, call, &callers[c]))
            return 1;
    for (const struct loop_case *of = cases; of->row; of++)
        for (way = loop_ways; way->way; way++)
            if (!way->inside)
                measure(of);
    ended = true;
    pthread_barrier_wait(&barrier);
    for (unsigned c = 0; c < CALLERS; c++)
        pthread_join(callers[c].thread, NULL);
    return peer_stop() ? bench_end() : 1;
}
