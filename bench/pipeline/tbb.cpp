#include "harness/peers/tbb.h"
#include "pipeline/pipeline.h"

#include <cstring>

namespace {

// The middle stages of a shape, from `at` on.
tbb::filter<uint64_t, void> rest(const char *at) {
    auto mode = *at == 'o' ? tbb::filter_mode::serial_in_order : tbb::filter_mode::parallel;
    if (!at[1])
        return tbb::make_filter<uint64_t, void>(mode, [](uint64_t value) { pipeline_last(value); });
    return tbb::make_filter<uint64_t, uint64_t>(mode, [](uint64_t value) { return pipeline_middle(value); }) & rest(at + 1);
}

tbb::filter<void, void> *filters;

} // namespace

bool pipeline_make(const pipeline_shape *shape) {
    auto first = tbb::make_filter<void, uint64_t>(tbb::filter_mode::serial_in_order, [](tbb::flow_control &control) {
        uint64_t value = 0;
        if (!pipeline_source(&value))
            control.stop();
        return value;
    });
    filters = new tbb::filter<void, void>(first & rest(shape->stages + 1));
    return true;
}

bool pipeline_run(const pipeline_shape *shape) {
    peer_arena().execute([=] { tbb::parallel_pipeline(shape->tokens, *filters); });
    return true;
}

void pipeline_release() {
    delete filters;
}
