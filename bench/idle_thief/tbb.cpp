#include <oneapi/tbb.h>

#include "idle_thief/workload.h"

static uint64_t run(long count) {
    long sum = 0;
    for (long i = 0; i < count; i++) {
        long child;
        tbb::task_group group;
        group.run([&] { child = idle_thief_leaf(i); });
        group.wait();
        sum += child;
    }
    return static_cast<uint64_t>(sum);
}

const fork_join_way fork_join_ways[] = {{"task_group", run}, {nullptr, nullptr}};
