#include "harness/peers/weft.h"
#include "nqueens/workload.h"

WEFT_TASK(uint64_t, place, (struct board, board), (int, row), (int, n)) {
    if (row == n)
        return 1;
    uint64_t solutions = 0;
    int children = 0;
    for (int column = 0; column < n; column++)
        if (board_allows(&board, row, column)) {
            WEFT_SPAWN(place, board_with(board, row, column), row + 1, n);
            children++;
        }
    while (children--)
        solutions += WEFT_SYNC(place);
    return solutions;
}

static uint64_t run(long n) {
    uint64_t solutions = 0;
    struct board empty = {{0}};
    return peer_ok(WEFT_RUN(peer_pool, &solutions, place, empty, 0, (int)n)) ? solutions : 0;
}

const struct fork_join_way fork_join_ways[] = {{"typed", run}, {0}};
