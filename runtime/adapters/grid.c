/*
 * Grids on weft_for(). Items are numbered with dimension 0 slowest; a range of numbers is decoded once, by division, and goes on
 * from item to item by addition.
 *
 * Every item is a claim of its own (grain 1), as pthreadpool has it: programs, and pthreadpool's own tests, have items that wait until
 * others have run. Larger claims would hold those back.
 */
#include "adapters/grid.h"

#include "adapters/denormals.h"

/* One call. On its caller's stack, who waits for the end: I. */
struct grid_run {
    const struct wf_grid *grid;
    size_t tile[WF_GRID_DIMENSIONS];  /* at least 1 */
    size_t count[WF_GRID_DIMENSIONS]; /* items */
    uint64_t denormals;               /* bits of the items' floating-point control that are in WF_DENORMALS_FLUSH */
};

/* A division of 32 bits takes half the time on many processors. */
static size_t quotient(uint64_t a, uint64_t b) {
    return (a | b) >> 32 ? (size_t)(a / b) : (uint32_t)a / (uint32_t)b;
}

static size_t size_at(const struct grid_run *run, unsigned dimension, size_t at) {
    size_t left = run->grid->range[dimension] - at;
    return left < run->tile[dimension] ? left : run->tile[dimension];
}

/* Where an item begins, and its size. */
static void locate(const struct grid_run *run, size_t index, size_t *at, size_t *size) {
    for (unsigned d = run->grid->dimensions; d-- > 0;) {
        size_t outer = d ? quotient(index, run->count[d]) : 0;
        at[d] = (index - outer * run->count[d]) * run->tile[d];
        size[d] = size_at(run, d, at[d]);
        index = outer;
    }
}

/* The next item; behind the last comes the first. */
static void advance(const struct grid_run *run, size_t *at, size_t *size) {
    bool carry = true;
    for (unsigned d = run->grid->dimensions; carry && d-- > 0;) {
        carry = run->grid->range[d] - at[d] <= run->tile[d];
        at[d] = carry ? 0 : at[d] + run->tile[d];
        size[d] = size_at(run, d, at[d]);
    }
}

static void run_items(const struct grid_run *run, size_t first, size_t last) {
    const struct wf_grid *grid = run->grid;
    size_t at[WF_GRID_DIMENSIONS], size[WF_GRID_DIMENSIONS];
    locate(run, first, at, size);
    grid->item(grid, at, size);
    while (++first < last) {
        advance(run, at, size);
        grid->item(grid, at, size);
    }
}

static void run_range(void *arg, weft_range range) {
    const struct grid_run *run = arg;
    uint64_t before = wf_float_control(), wanted = (before & ~WF_DENORMALS_FLUSH) | run->denormals;
    if (wanted != before)
        wf_set_float_control(wanted);
    run_items(run, range.first, range.last);
    if (wanted != before)
        wf_set_float_control(before);
}

/* Cut every dimension; the number of items, or SIZE_MAX for more than that: nobody gets to their end. */
static size_t cut(struct grid_run *run) {
    const struct wf_grid *grid = run->grid;
    size_t items = 1;
    bool is_empty = false, overflows = false;
    for (unsigned d = 0; d < grid->dimensions; d++) {
        size_t tile = grid->tile[d] ? grid->tile[d] : 1;
        run->tile[d] = tile;
        run->count[d] = tile == 1 ? grid->range[d] : grid->range[d] / tile + (grid->range[d] % tile != 0);
        is_empty |= !run->count[d];
        overflows |= __builtin_mul_overflow(items, run->count[d], &items);
    }
    return is_empty ? 0 : overflows ? SIZE_MAX : items;
}

void wf_grid_run(weft_pool *pool, const struct wf_grid *grid, bool flush_denormals) {
    static const weft_for_options one_by_one = {WEFT_FOR_OPTIONS_INIT, .grain = 1, .any_thread = true};
    struct grid_run run;
    run.grid = grid;
    run.denormals = flush_denormals ? WF_DENORMALS_FLUSH : wf_float_control() & WF_DENORMALS_FLUSH;
    size_t items = cut(&run);
    if (items > 1 && pool && !weft_for(pool, items, run_range, &run, &one_by_one))
        return;
    if (items)
        run_range(&run, (weft_range){0, items});
}
