/* Start a peer with its threads bound, by itself or by the harness. Threads: the main thread. */
#ifndef BENCH_HARNESS_PEERS_START_H
#define BENCH_HARNESS_PEERS_START_H

#include "harness/peers/peer.h"
#include "harness/threads.h"

static inline bool start_peer(unsigned workers, enum threads_caller caller) {
    if (!peer_binds)
        threads_bind_new(caller);
    if (!peer_start(workers))
        return false;
    threads_bind_started(caller, !peer_binds);
    return true;
}

#endif
