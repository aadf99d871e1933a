#include <oneapi/tbb.h>

#include <functional>

#include "scan/workload.h"

namespace {

double scan(const tbb::blocked_range<long> &range, double sum, bool final) {
    if (final)
        for (long i = range.begin(); i < range.end(); i++)
            scan_out[i] = sum += scan_in[i];
    else
        for (long i = range.begin(); i < range.end(); i++)
            sum += scan_in[i];
    return sum;
}

} // namespace

const fork_join_way fork_join_ways[] = {
    {"parallel_scan",
     [](long count) -> uint64_t { return tbb::parallel_scan(tbb::blocked_range<long>(0, count), 0.0, scan, std::plus<>()), 0; }},
    {nullptr, nullptr},
};
