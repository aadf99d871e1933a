/* pthreadpool, or weft in its place: loops only, the caller is one of its threads. */
#include "harness/peers/pthreadpool.h"

#include "harness/peers/peer.h"

#ifndef BENCH_PTHREADPOOL_VERSION
#define BENCH_PTHREADPOOL_VERSION "pthreadpool"
#define BENCH_PTHREADPOOL_BINDS false
#endif

const bool peer_caller_works = true;
const bool peer_binds = BENCH_PTHREADPOOL_BINDS;
pthreadpool_t peer_pthreadpool;

const char *peer_version(void) {
    return BENCH_PTHREADPOOL_VERSION;
}

bool peer_start(unsigned workers) {
    peer_pthreadpool = pthreadpool_create(workers);
    return peer_pthreadpool != NULL;
}

bool peer_stop(void) {
    pthreadpool_destroy(peer_pthreadpool);
    return true;
}

void peer_run(void (*fn)(void *arg), void *arg) {
    fn(arg);
}
