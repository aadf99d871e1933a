#include "cilksort/workload.h"

static void join(struct merge whole) {
    if (merge_is_small(&whole)) {
        merge_piece(&whole);
        return;
    }
    struct merge low, high;
    merge_cut(&whole, &low, &high);
#pragma omp task firstprivate(low)
    join(low);
    join(high);
#pragma omp taskwait
}

static void sort(struct part whole) {
    if (whole.count <= SORT_PIECE) {
        sort_piece(&whole);
        return;
    }
    for (unsigned i = 0; i < 3; i++) {
#pragma omp task firstprivate(whole, i)
        sort(sort_quarter(&whole, i));
    }
    sort(sort_quarter(&whole, 3));
#pragma omp taskwait
#pragma omp task firstprivate(whole)
    join(sort_merge(&whole, 0));
    join(sort_merge(&whole, 1));
#pragma omp taskwait
    join(sort_merge(&whole, 2));
}

static uint64_t run(long count) {
    sort(sort_whole(count));
    return 0;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
