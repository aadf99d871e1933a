// oneTBB's ways: each partitioner, and one task arena per NUMA node as its manual describes.
#include <cstdio>
#include <exception>
#include <vector>

#include <oneapi/tbb.h>

#include "placement/peer.h"

namespace {

using Rows = tbb::blocked_range<size_t>;
using RowsFn = void (*)(workload *, size_t, size_t);

template <typename Partitioner> void run_loop(workload *w, RowsFn body, Partitioner &&partitioner) {
    tbb::parallel_for(
        Rows(0, w->rows), [=](const Rows &rows) { body(w, rows.begin(), rows.end()); }, partitioner);
}

template <typename Partitioner> bool initialise(workload *w) {
    run_loop(w, workload_initialise, Partitioner());
    return true;
}

template <typename Partitioner> bool loop(workload *w) {
    run_loop(w, workload_run, Partitioner());
    return true;
}

// Its memory of which thread ran what lies in the object, which therefore lives from the initialisation to the last loop.
tbb::affinity_partitioner *affinity;

bool initialise_affinity(workload *w) {
    delete affinity;
    affinity = new tbb::affinity_partitioner;
    run_loop(w, workload_initialise, *affinity);
    return true;
}

bool loop_affinity(workload *w) {
    run_loop(w, workload_run, *affinity);
    return true;
}

struct Arenas {
    std::vector<tbb::task_arena> arenas;
    std::vector<tbb::task_group> groups;
};
Arenas *per_node;

// Every node's arena runs a part of the rows that is as large as its share of the threads; the main thread helps in the first.
bool run_per_node(workload *w, RowsFn body) {
    std::vector<Rows> parts;
    size_t threads = 0, before = 0;
    for (auto &arena : per_node->arenas)
        threads += static_cast<size_t>(arena.max_concurrency());
    for (auto &arena : per_node->arenas) {
        size_t first = before;
        before += static_cast<size_t>(arena.max_concurrency());
        parts.emplace_back(w->rows * first / threads, w->rows * before / threads);
    }
    auto run_part = [=](const Rows &part) {
        tbb::parallel_for(part, [=](const Rows &rows) { body(w, rows.begin(), rows.end()); });
    };
    for (size_t i = 1; i < parts.size(); i++)
        per_node->arenas[i].enqueue(per_node->groups[i].defer([=] { run_part(parts[i]); }));
    per_node->arenas[0].execute([=] { run_part(parts[0]); });
    for (size_t i = 1; i < parts.size(); i++)
        per_node->arenas[i].execute([=] { per_node->groups[i].wait(); });
    return true;
}

bool initialise_per_node(workload *w) {
    return run_per_node(w, workload_initialise);
}

bool loop_per_node(workload *w) {
    return run_per_node(w, workload_run);
}

const peer_way ways[] = {
    {"auto", "main thread", nullptr, nullptr, nullptr, loop<tbb::auto_partitioner>},
    {"auto", "auto loop", nullptr, nullptr, initialise<tbb::auto_partitioner>, loop<tbb::auto_partitioner>},
    {"affinity", "affinity loop", nullptr, nullptr, initialise_affinity, loop_affinity},
    {"static", "static loop", nullptr, nullptr, initialise<tbb::static_partitioner>, loop<tbb::static_partitioner>},
    {"arena per node", "same arenas", nullptr, nullptr, initialise_per_node, loop_per_node},
};

} // namespace

int main(int argc, char **argv) try {
    std::vector<tbb::numa_node_id> nodes = tbb::info::numa_nodes();
    Arenas arenas{{}, std::vector<tbb::task_group>(nodes.size())};
    for (tbb::numa_node_id node : nodes) // a slot for the main thread in the first only, so that workers can fill the others
        arenas.arenas.emplace_back(tbb::task_arena::constraints(node), arenas.arenas.empty() ? 1u : 0u);
    per_node = &arenas;
    auto threads = static_cast<unsigned>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism));
    peer peer = {TBB_runtime_version(), threads, ways, sizeof ways / sizeof *ways};
    return peer_main(argc, argv, &peer);
} catch (const std::exception &error) {
    std::fprintf(stderr, "tbb: %s\n", error.what());
    return 1;
}
