#include "harness/peers/pthreadpool.h"
#include "harness/loops/loop.h"

#define TILES 32

static void item(void *loop, size_t i) {
    loop_item(loop, i);
}

static void tile(void *loop, size_t first, size_t count) {
    for (size_t i = first; i < first + count; i++)
        loop_item(loop, i);
}

static bool run_items(struct loop *loop) {
    pthreadpool_parallelize_1d(peer_pthreadpool, item, loop, loop->n, 0);
    return true;
}

static bool run_tiles(struct loop *loop) {
    size_t edge = (loop->n + TILES - 1) / TILES;
    pthreadpool_parallelize_1d_tile_1d(peer_pthreadpool, tile, loop, loop->n, edge, 0);
    return true;
}

const struct loop_way loop_ways[] = {{"1d", run_items, false}, {"1d_tile_1d, 32 tiles", run_tiles, false}, {0}};
