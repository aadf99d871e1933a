/* All ways to put 12 queens on a board of 12 x 12, one child per queen that may stand. The board is copied for each child. */
#ifndef BENCH_NQUEENS_WORKLOAD_H
#define BENCH_NQUEENS_WORKLOAD_H

#include "harness/fork_join.h"

#define NQUEENS_MAX 16

struct board {
    signed char at[NQUEENS_MAX]; /* column of the queen of each row */
};

/* Whether a queen may stand in that column of the row below those that stand. */
static inline int board_allows(const struct board *board, int row, int column) {
    for (int above = 0; above < row; above++) {
        int distance = board->at[above] - column;
        if (!distance || distance == row - above || distance == above - row)
            return 0;
    }
    return 1;
}

static inline struct board board_with(struct board board, int row, int column) {
    board.at[row] = (signed char)column;
    return board;
}

#endif
