/* Loops over 2D and 3D index spaces: a loop over tiles, numbered with dimension 0 slowest. */
#include "base/status.h"
#include "parallel/loop.h"

/* Default edges: the innermost long enough for vector loops, all together some thousand items. */
static const size_t default_tile[4][3] = {{0}, {0}, {16, 256, 1}, {4, 8, 128}};

struct tiling {
    unsigned dimensions;
    size_t n[3], edge[3], count[3]; /* items, items per tile, tiles; of each dimension */
    weft_loop2_fn body2;
    weft_loop3_fn body3;
    void *arg;
};

static void run_tile(const struct tiling *tiling, size_t index) {
    size_t first[3], last[3];
    for (unsigned d = tiling->dimensions; d-- > 0;) {
        size_t at = index % tiling->count[d];
        index /= tiling->count[d];
        first[d] = at * tiling->edge[d];
        last[d] = tiling->n[d] - first[d] > tiling->edge[d] ? first[d] + tiling->edge[d] : tiling->n[d];
    }
    if (tiling->dimensions == 2)
        tiling->body2(tiling->arg, (weft_range2){{first[0], first[1]}, {last[0], last[1]}});
    else
        tiling->body3(tiling->arg, (weft_range3){{first[0], first[1], first[2]}, {last[0], last[1], last[2]}});
}

static void run_tiles(void *arg, weft_range range) {
    for (size_t index = range.first; index < range.last; index++)
        run_tile(arg, index);
}

/* Cut every dimension; false: more than SIZE_MAX tiles. */
static bool cut(struct tiling *tiling, const size_t *edges, size_t *tiles) {
    *tiles = 1;
    for (unsigned d = 0; d < tiling->dimensions; d++)
        if (!tiling->n[d])
            *tiles = 0; /* whatever the other dimensions hold */
    for (unsigned d = 0; d < tiling->dimensions; d++) {
        tiling->edge[d] = edges[d] ? edges[d] : default_tile[tiling->dimensions][d];
        tiling->count[d] = tiling->n[d] / tiling->edge[d] + (tiling->n[d] % tiling->edge[d] != 0);
        if (__builtin_mul_overflow(*tiles, tiling->count[d], tiles))
            return false;
    }
    return true;
}

static weft_status run(weft_pool *pool, struct tiling *tiling, const weft_for_options *options) {
    weft_for_options known = {WEFT_FOR_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_for_options");
    if (status)
        return status;
    if (!pool || (!tiling->body2 && !tiling->body3))
        return wf_fail(WEFT_EINVAL, "weft_for_%ud() needs a pool and a body, got NULL", tiling->dimensions);
    if ((unsigned)known.schedule > WEFT_SCHEDULE_STATIC)
        return wf_fail(WEFT_EINVAL,
                       "weft_for_%ud() runs STEAL and STATIC; to touch a matrix first, use weft_for() over its rows with "
                       "WEFT_SCHEDULE_FIRST_TOUCH and the bytes of a row",
                       tiling->dimensions);
    if (known.align || known.item_bytes || (tiling->dimensions == 2 && known.tile[2]))
        return wf_fail(WEFT_EINVAL,
                       "weft_for_%ud() takes the edges of a tile in weft_for_options.tile[0] to tile[%u], not align or "
                       "item_bytes",
                       tiling->dimensions, tiling->dimensions - 1);
    size_t tiles;
    if (!cut(tiling, known.tile, &tiles))
        return wf_fail(WEFT_EINVAL, "the index space has more than SIZE_MAX tiles: set larger edges in weft_for_options.tile");
    return wf_loop_run(pool, &(struct wf_loop_request){.n = tiles,
                                                       .body = run_tiles,
                                                       .arg = tiling,
                                                       .schedule = known.schedule,
                                                       .grain = known.grain,
                                                       .any_thread = known.any_thread,
                                                       .report = known.report});
}

weft_status weft_for_2d(weft_pool *pool, size_t n0, size_t n1, weft_loop2_fn body, void *arg, const weft_for_options *options) {
    struct tiling tiling = {.dimensions = 2, .n = {n0, n1}, .body2 = body, .arg = arg};
    return run(pool, &tiling, options);
}

weft_status weft_for_3d(weft_pool *pool, size_t n0, size_t n1, size_t n2, weft_loop3_fn body, void *arg,
                        const weft_for_options *options) {
    struct tiling tiling = {.dimensions = 3, .n = {n0, n1, n2}, .body3 = body, .arg = arg};
    return run(pool, &tiling, options);
}
