#include "scan/workload.h"

#include <stddef.h>
#include <stdlib.h>

#include "harness/bench.h"

#define COUNT (64l << 20)
#define TINY (1l << 20) /* where nothing is timed */

double *scan_in, *scan_out;

static struct fork_join_case cases[] = {{"64 Mi doubles", COUNT, 0, 1e6}, {0}};

static bool begin(void) {
    if (bench_milliseconds <= 0)
        cases[0] = (struct fork_join_case){"1 Mi doubles", TINY, 0, 1e6};
    size_t count = (size_t)cases[0].size;
    scan_in = malloc(count * sizeof *scan_in);
    scan_out = malloc(count * sizeof *scan_out);
    if (!scan_in || !scan_out)
        return false;
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        scan_in[i] = (double)(state >> 54);
        scan_out[i] = -1;
    }
    return true;
}

static void prepare(long count) {
    for (long i = 0; i < count; i += 512) /* so that one that is left out is seen */
        scan_out[i] = -1;
}

static bool check(long count) {
    double sum = 0;
    for (long i = 0; i < count; i++) {
        sum += scan_in[i];
        if (scan_out[i] != sum)
            return false;
    }
    return true;
}

const struct fork_join_workload fork_join_workload = {.cases = cases, .begin = begin, .prepare = prepare, .check = check};
