#include "harness/peers/tbb.h"

#include "harness/loops/loop.h"

namespace {

using Items = tbb::blocked_range<size_t>;

template <typename Partitioner> bool run_by(loop *of, Partitioner &&partitioner) {
    tbb::parallel_for(
        Items(0, of->n),
        [=](const Items &items) {
            for (size_t i = items.begin(); i < items.end(); i++)
                loop_item(of, i);
        },
        partitioner);
    return true;
}

template <typename Partitioner> bool run(loop *of) {
    return run_by(of, Partitioner());
}

bool run_affinity(loop *of) {
    static tbb::affinity_partitioner partitioner;
    return run_by(of, partitioner);
}

} // namespace

const loop_way loop_ways[] = {
    {"auto", run<tbb::auto_partitioner>, true},
    {"static", run<tbb::static_partitioner>, true},
    {"affinity", run_affinity, true},
    {"simple", run<tbb::simple_partitioner>, true},
    {nullptr, nullptr, false},
};
