#include "harness/peers/pool.h"
#include "submit/submit.h"

static bool submit(void (*fn)(void *arg), void *arg) {
    return thread_pool_submit(peer_thread_pool, fn, arg);
}

static bool wait_for_all(void) {
    thread_pool_wait(peer_thread_pool);
    return true;
}

bool submit_begin(void) {
    return true;
}

bool submit_end(void) {
    return true;
}

const struct submit_way submit_ways[] = {{"", submit, wait_for_all, false}, {0}};
