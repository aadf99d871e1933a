#include <parallel/numeric>

#include "scan/workload.h"

const fork_join_way fork_join_ways[] = {
    {"partial_sum", [](long count) -> uint64_t { return __gnu_parallel::partial_sum(scan_in, scan_in + count, scan_out), 0; }},
    {nullptr, nullptr},
};
