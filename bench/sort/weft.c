#include "harness/peers/weft.h"
#include "sort/workload.h"

/* Both begin with the double. */
static int compare(const void *a, const void *b, void *unused) {
    double left = *(const double *)a, right = *(const double *)b;
    (void)unused;
    return (left > right) - (left < right);
}

static uint64_t by_keys(long size) {
    return !peer_ok(size > 0 ? weft_sort_keys(peer_pool, sort_doubles, (size_t)size, sizeof(double), 0, WEFT_F64)
                             : weft_sort_keys(peer_pool, sort_records, (size_t)-size, sizeof(struct record), 0, WEFT_F64));
}

static uint64_t by_function(long size) {
    return !peer_ok(size > 0 ? weft_sort(peer_pool, sort_doubles, (size_t)size, sizeof(double), compare, NULL, NULL)
                             : weft_sort(peer_pool, sort_records, (size_t)-size, sizeof(struct record), compare, NULL, NULL));
}

const struct fork_join_way fork_join_ways[] = {{"weft_sort_keys", by_keys}, {"weft_sort, a function", by_function}, {0}};
