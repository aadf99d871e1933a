/* No runtime: the same work, called. */
#include "harness/peers/peer.h"

const bool peer_caller_works = true;
const bool peer_binds = false;

const char *peer_version(void) {
    return "serial";
}

bool peer_start(unsigned workers) {
    (void)workers;
    return true;
}

bool peer_stop(void) {
    return true;
}

void peer_run(void (*fn)(void *arg), void *arg) {
    fn(arg);
}
