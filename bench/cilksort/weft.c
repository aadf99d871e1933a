#include "harness/peers/weft.h"
#include "cilksort/workload.h"

WEFT_VOID_TASK(join, (struct merge, whole)) {
    if (merge_is_small(&whole)) {
        merge_piece(&whole);
        return;
    }
    struct merge low, high;
    merge_cut(&whole, &low, &high);
    WEFT_SPAWN(join, low);
    WEFT_CALL(join, high);
    WEFT_SYNC(join);
}

WEFT_VOID_TASK(sort, (struct part, whole)) {
    if (whole.count <= SORT_PIECE) {
        sort_piece(&whole);
        return;
    }
    for (unsigned i = 0; i < 3; i++)
        WEFT_SPAWN(sort, sort_quarter(&whole, i));
    WEFT_CALL(sort, sort_quarter(&whole, 3));
    for (unsigned i = 0; i < 3; i++)
        WEFT_SYNC(sort);
    WEFT_SPAWN(join, sort_merge(&whole, 0));
    WEFT_CALL(join, sort_merge(&whole, 1));
    WEFT_SYNC(join);
    WEFT_CALL(join, sort_merge(&whole, 2));
}

static uint64_t run(long count) {
    return !peer_ok(WEFT_RUN_VOID(peer_pool, sort, sort_whole(count)));
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
