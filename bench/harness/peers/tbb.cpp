// oneTBB: one arena, of which the caller is a member.
#include "harness/peers/tbb.h"

#include <atomic>
#include <new>
#include <optional>
#include <string>
#include <thread>

#include <oneapi/tbb/global_control.h>

#include "harness/peers/peer.h"

const bool peer_caller_works = true;
const bool peer_binds = false;

namespace {

std::optional<tbb::task_scheduler_handle> handle;
std::optional<tbb::global_control> limit;
std::optional<tbb::task_arena> arena;

} // namespace

tbb::task_arena &peer_arena() {
    return *arena;
}

const char *peer_version() {
    static const std::string version = std::string("oneTBB ") + TBB_runtime_version();
    return version.c_str();
}

bool peer_start(unsigned workers) {
    handle.emplace(tbb::attach{});
    limit.emplace(tbb::global_control::max_allowed_parallelism, workers);
    arena.emplace(static_cast<int>(workers));
    arena->initialize();
    std::atomic<unsigned> there = 0;
    auto come = [&, workers] { // each worker's task waits for all others to have one
        for (there++; there < workers;)
            std::this_thread::yield();
    };
    arena->execute([&] {
        tbb::task_group group;
        for (unsigned i = 1; i < workers; i++)
            group.run(come);
        come();
        group.wait();
    });
    return true;
}

bool peer_stop() {
    arena.reset();
    limit.reset();
    return tbb::finalize(*handle, std::nothrow);
}

void peer_run(void (*fn)(void *arg), void *arg) {
    arena->execute([=] { fn(arg); });
}
