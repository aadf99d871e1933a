/* The plain pool. */
#include "harness/peers/pool.h"

#include <stddef.h>

#include "harness/peers/peer.h"

const bool peer_caller_works = false;
const bool peer_binds = false;
struct thread_pool *peer_thread_pool;

const char *peer_version(void) {
    return "plain pool";
}

bool peer_start(unsigned workers) {
    peer_thread_pool = thread_pool_create(workers);
    return peer_thread_pool != NULL;
}

bool peer_stop(void) {
    thread_pool_destroy(peer_thread_pool);
    return true;
}

void peer_run(void (*fn)(void *arg), void *arg) {
    if (thread_pool_submit(peer_thread_pool, fn, arg))
        thread_pool_wait(peer_thread_pool);
}
