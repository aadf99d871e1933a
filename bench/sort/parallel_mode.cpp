#include <parallel/algorithm>

#include "sort/workload.h"

const fork_join_way fork_join_ways[] = {
    {"sort", [](long size) { return sort_with(size, [](auto *begin, auto *end) { __gnu_parallel::sort(begin, end); }); }},
    {nullptr, nullptr},
};
