#include <oneapi/tbb.h>

#include "cilksort/workload.h"

namespace {

void join(const merge &whole) {
    if (merge_is_small(&whole))
        return merge_piece(&whole);
    merge low, high;
    merge_cut(&whole, &low, &high);
    tbb::parallel_invoke([&] { join(low); }, [&] { join(high); });
}

void sort(const part &whole) {
    if (whole.count <= SORT_PIECE)
        return sort_piece(&whole);
    tbb::parallel_invoke([&] { sort(sort_quarter(&whole, 0)); }, [&] { sort(sort_quarter(&whole, 1)); },
                         [&] { sort(sort_quarter(&whole, 2)); }, [&] { sort(sort_quarter(&whole, 3)); });
    tbb::parallel_invoke([&] { join(sort_merge(&whole, 0)); }, [&] { join(sort_merge(&whole, 1)); });
    join(sort_merge(&whole, 2));
}

} // namespace

const fork_join_way fork_join_ways[] = {
    {"parallel_invoke", [](long count) -> uint64_t { return sort(sort_whole(count)), 0; }},
    {nullptr, nullptr},
};
