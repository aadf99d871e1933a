/* weft: one pool, which binds its own workers. */
#include "harness/peers/weft.h"

#include <stdio.h>

#include "harness/peers/peer.h"

const bool peer_caller_works = false;
const bool peer_binds = true;
weft_pool *peer_pool;

bool peer_ok(weft_status status) {
    if (status)
        fprintf(stderr, "weft: %s\n", weft_error_detail());
    return !status;
}

const char *peer_version(void) {
    return "weft " BENCH_WEFT_VERSION;
}

bool peer_start(unsigned workers) {
    return peer_ok(weft_pool_create(&peer_pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = workers}));
}

bool peer_stop(void) {
    return peer_ok(weft_pool_destroy(peer_pool));
}

void peer_run(void (*fn)(void *arg), void *arg) {
    peer_ok(weft_run(peer_pool, fn, arg));
}
