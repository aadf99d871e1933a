#include "cilksort/workload.h"

static void join(struct merge whole) {
    if (merge_is_small(&whole)) {
        merge_piece(&whole);
        return;
    }
    struct merge low, high;
    merge_cut(&whole, &low, &high);
    join(low);
    join(high);
}

static void sort(struct part whole) {
    if (whole.count <= SORT_PIECE) {
        sort_piece(&whole);
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        sort(sort_quarter(&whole, i));
    for (unsigned i = 0; i < 3; i++)
        join(sort_merge(&whole, i));
}

static uint64_t run(long count) {
    sort(sort_whole(count));
    return 0;
}

const struct fork_join_way fork_join_ways[] = {{"", run}, {0}};
