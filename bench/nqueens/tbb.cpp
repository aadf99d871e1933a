#include <oneapi/tbb.h>

#include "nqueens/workload.h"

namespace {

uint64_t place(const board &now, int row, int n) {
    if (row == n)
        return 1;
    uint64_t found[NQUEENS_MAX] = {}, solutions = 0;
    tbb::task_group group;
    for (int column = 0; column < n; column++)
        if (board_allows(&now, row, column))
            group.run(
                [&found, row, n, column, child = board_with(now, row, column)] { found[column] = place(child, row + 1, n); });
    group.wait();
    for (uint64_t one : found)
        solutions += one;
    return solutions;
}

} // namespace

const fork_join_way fork_join_ways[] = {
    {"task_group", [](long n) { return place({}, 0, static_cast<int>(n)); }},
    {nullptr, nullptr},
};
