#include "harness/peers/weft.h"
#include "scan/workload.h"

static void leaf(void *unused, weft_range range, const void *before, void *sum) {
    double total = *(double *)sum;
    (void)unused;
    if (before)
        for (size_t i = range.first; i < range.last; i++)
            scan_out[i] = *(const double *)before + (total += scan_in[i]);
    else
        for (size_t i = range.first; i < range.last; i++)
            total += scan_in[i];
    *(double *)sum = total;
}

static void join(void *unused, void *left, const void *right) {
    (void)unused;
    *(double *)left += *(const double *)right;
}

static uint64_t run_sum(long count) {
    return !peer_ok(weft_scan_sum(peer_pool, WEFT_F64, scan_in, scan_out, (size_t)count, NULL));
}

static uint64_t run_leaves(long count) {
    double total = 0;
    return !peer_ok(weft_scan(peer_pool, (size_t)count, leaf, join, NULL, &total, sizeof total, NULL));
}

const struct fork_join_way fork_join_ways[] = {{"weft_scan_sum", run_sum}, {"weft_scan, functions", run_leaves}, {0}};
