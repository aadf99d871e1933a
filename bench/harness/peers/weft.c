/* weft: one pool, which binds its own workers. */
#include "harness/peers/weft.h"

#include <semaphore.h>
#include <stdio.h>

#include "harness/peers/peer.h"

const bool peer_caller_works = false;
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

struct errand {
    void (*fn)(void *arg);
    void *arg;
    sem_t done;
};

static void run_errand(void *arg) {
    struct errand *errand = arg;
    errand->fn(errand->arg);
    sem_post(&errand->done);
}

void peer_run(void (*fn)(void *arg), void *arg) {
    struct errand errand = {.fn = fn, .arg = arg};
    sem_init(&errand.done, 0, 0);
    if (peer_ok(weft_submit(peer_pool, run_errand, &errand, NULL)))
        sem_wait(&errand.done);
    sem_destroy(&errand.done);
}
