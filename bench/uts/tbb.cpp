#include <oneapi/tbb.h>

#include "uts/workload.h"

namespace {

uint64_t walk(const node &here) {
    uint64_t nodes = 1, found[UTS_MOST];
    int children = uts_children(&here);
    if (!children)
        return 1;
    tbb::task_group group;
    for (int i = 0; i < children; i++)
        group.run([&found, i, child = uts_child(&here, i)] { found[i] = walk(child); });
    group.wait();
    for (int i = 0; i < children; i++)
        nodes += found[i];
    return nodes;
}

} // namespace

const fork_join_way fork_join_ways[] = {
    {"task_group", [](long depth) { return walk(uts_root(depth)); }},
    {nullptr, nullptr},
};
