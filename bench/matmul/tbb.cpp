#include <oneapi/tbb.h>

#include "matmul/workload.h"

namespace {

void multiply(const product &whole) {
    if (whole.n <= MATMUL_BLOCK)
        return product_compute(&whole);
    for (int last = 0; last < 2; last++)
        tbb::parallel_invoke([&] { multiply(product_part(&whole, 0, last)); }, [&] { multiply(product_part(&whole, 1, last)); },
                             [&] { multiply(product_part(&whole, 2, last)); }, [&] { multiply(product_part(&whole, 3, last)); });
}

} // namespace

const fork_join_way fork_join_ways[] = {
    {"parallel_invoke", [](long n) -> uint64_t { return multiply(product_whole(n)), 0; }},
    {nullptr, nullptr},
};
