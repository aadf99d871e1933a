/* The pipeline of examples/images. */
#include <stdio.h>

#include "../../examples/images/loader.h"
#include "harness/bench.h"
#include "harness/peers/peer.h"
#include "harness/peers/weft.h"
#include "images/workload.h"

static bool take(void *arg, const float *rows, size_t count, const size_t *numbers, char error[LOADER_ERROR_BYTES]) {
    struct images_run *run = arg;
    if (images_batch(run, rows, count, numbers))
        return true;
    snprintf(error, LOADER_ERROR_BYTES, "%s", run->shards->error);
    return false;
}

bool images_begin(void) {
    return peer_start(bench_workers);
}

bool images_load(struct images_run *run) {
    struct loader loader;
    struct progress progress;
    progress_start(&progress, true);
    if (!peer_ok(loader_create(&loader, run->options, run->files, take, run, &progress, peer_pool)))
        return false;
    bool good = peer_ok(loader_run(&loader));
    loader_release(&loader);
    return good;
}

bool images_end(void) {
    return peer_stop();
}
