#include <algorithm>

#include "sort/workload.h"

const fork_join_way fork_join_ways[] = {
    {"std::sort", [](long size) { return sort_with(size, [](auto *begin, auto *end) { std::sort(begin, end); }); }},
    {nullptr, nullptr},
};
