#include "harness/peers/tbb.h"

#include <optional>

#include "submit/submit.h"

namespace {

std::optional<tbb::task_group> group;

bool enqueue(void (*fn)(void *arg), void *arg) {
    peer_arena().enqueue([=] { fn(arg); });
    return true;
}

bool enqueue_in_group(void (*fn)(void *arg), void *arg) {
    peer_arena().enqueue(group->defer([=] { fn(arg); }));
    return true;
}

bool wait_for_group() {
    peer_arena().execute([] { group->wait(); });
    return true;
}

} // namespace

bool submit_begin() {
    group.emplace();
    return true;
}

bool submit_end() {
    bool waited = wait_for_group();
    group.reset();
    return waited;
}

const submit_way submit_ways[] = {
    {"enqueue", enqueue, nullptr, false},
    {"task_group", enqueue_in_group, wait_for_group, false},
    {nullptr, nullptr, nullptr, false},
};
