#include <oneapi/tbb.h>

#include "sort/workload.h"

const fork_join_way fork_join_ways[] = {
    {"parallel_sort", [](long size) { return sort_with(size, [](auto *begin, auto *end) { tbb::parallel_sort(begin, end); }); }},
    {nullptr, nullptr},
};
