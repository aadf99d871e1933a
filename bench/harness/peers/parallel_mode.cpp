// The parallel mode of gcc's C++ library: OpenMP, whose regions it begins itself.
#include <omp.h>

#include <string>

#include "harness/peers/peer.h"

const bool peer_caller_works = true;
const bool peer_binds = false;

const char *peer_version() {
    static const std::string version = "libstdc++ " + std::to_string(_GLIBCXX_RELEASE) + ", parallel mode";
    return version.c_str();
}

bool peer_start(unsigned workers) {
    unsigned there = 0;
    omp_set_dynamic(0);
    omp_set_num_threads(static_cast<int>(workers));
#pragma omp parallel reduction(+ : there)
    there++;
    return there == workers;
}

bool peer_stop() {
    return !omp_pause_resource_all(omp_pause_hard);
}

void peer_run(void (*fn)(void *arg), void *arg) {
    fn(arg);
}
