/*
 * Parallel radix sort from the top: the blocks of an array are counted by the highest digit in which keys differ, the counts say where
 * each block's items of each bucket go, and the blocks are scattered there. The buckets are sorted on their own: large ones the same way,
 * small ones by one worker in its cache (radix_kernels.c).
 * Threading: blocks write to places of their own, given by the counts; loops order one step after the other.
 */
#include "parallel/radix.h"

#include <stdlib.h>
#include <string.h>

#include "parallel/loop.h"

#define SERIAL_MOST ((size_t)256 << 10) /* items of a bucket that one worker sorts */
#define SERIAL_BYTES ((size_t)64 << 10) /* of so few nobody else gets any */
#define BUCKET ((size_t)16 << 10)       /* items that a bucket should have */
#define BLOCK_LEAST ((size_t)16 << 10)
#define BLOCKS_PER_WORKER 4u

/* One step from the top. What loops change is named. */
struct step {
    weft_pool *pool;
    const struct wf_radix *radix;
    char *from, *to;
    size_t first, count; /* items of the whole that are sorted here */
    bool in_room;        /* they lie in radix->room: `from` is that */
    struct wf_digit digit;
    size_t blocks, buckets;
    size_t *counts;   /* blocks x buckets, later places; each block its row */
    size_t *starts;   /* buckets + 1: where they begin in `to` */
    uint64_t *differ; /* one per block */
};

static char *item(const struct step *step, char *items, size_t index) {
    return items + (step->first + index) * step->radix->item_bytes;
}

static weft_range block(const struct step *step, size_t index) {
    size_t share = step->count / step->blocks, more = step->count % step->blocks;
    size_t first = share * index + (index < more ? index : more);
    return (weft_range){first, first + share + (index < more)};
}

static void count_blocks(void *arg, weft_range blocks) {
    const struct step *step = arg;
    const struct wf_radix *radix = step->radix;
    for (size_t i = blocks.first; i < blocks.last; i++) {
        weft_range items = block(step, i);
        size_t *counts = step->counts + i * step->buckets;
        memset(counts, 0, step->buckets * sizeof *counts);
        step->differ[i] = radix->kernels->count(&radix->form, item(step, step->from, items.first), items.last - items.first,
                                                step->digit, item(step, step->from, 0), counts);
    }
}

static void scatter_blocks(void *arg, weft_range blocks) {
    const struct step *step = arg;
    const struct wf_radix *radix = step->radix;
    for (size_t i = blocks.first; i < blocks.last; i++) {
        weft_range items = block(step, i);
        radix->kernels->scatter(&radix->form, item(step, step->from, items.first), items.last - items.first, step->digit,
                                step->counts + i * step->buckets, item(step, step->to, 0));
    }
}

/* Loops in tasks are not refused. */
static void loop(struct step *step, size_t n, weft_loop_fn body) {
    (void)wf_loop_run(step->pool, &(struct wf_loop_request){.n = n, .body = body, .arg = step, .grain = 1});
}

static unsigned bit_length(uint64_t x) {
    return x ? 64 - (unsigned)__builtin_clzll(x) : 0;
}

static void choose_digit(struct step *step, uint64_t differ) {
    unsigned length = bit_length(differ);
    step->digit.shift = length > step->digit.bits ? length - step->digit.bits : 0;
}

/* Count by the highest digit that differs; which that is, a sample says, or the first count. False: all keys are equal. */
static bool count(struct step *step) {
    choose_digit(step, step->radix->kernels->sample(&step->radix->form, item(step, step->from, 0), step->count));
    for (;;) {
        uint64_t differ = 0;
        loop(step, step->blocks, count_blocks);
        for (size_t i = 0; i < step->blocks; i++)
            differ |= step->differ[i];
        if (!(differ >> step->digit.shift >> step->digit.bits))
            return differ;
        choose_digit(step, differ);
    }
}

/* From counts to places: bucket after bucket, in each of them block after block. */
static void place(struct step *step) {
    size_t at = 0;
    for (size_t bucket = 0; bucket < step->buckets; bucket++) {
        step->starts[bucket] = at;
        for (size_t i = 0; i < step->blocks; i++) {
            size_t *place = &step->counts[i * step->buckets + bucket], next = at + *place;
            *place = at;
            at = next;
        }
    }
    step->starts[step->buckets] = at;
}

static bool allocate(struct step *step) {
    unsigned workers = weft_pool_workers(step->pool);
    size_t most = (size_t)workers * BLOCKS_PER_WORKER, fits = step->count / BLOCK_LEAST;
    step->blocks = fits < 1 ? 1 : fits < most ? fits : most;
    unsigned bits = bit_length(step->count / BUCKET);
    step->digit.bits = bits < 4 ? 4 : bits > WF_RADIX_MOST_BITS ? WF_RADIX_MOST_BITS : bits;
    step->buckets = (size_t)1 << step->digit.bits;
    step->counts = malloc(((step->blocks + 1) * step->buckets + 1) * sizeof *step->counts + step->blocks * sizeof *step->differ);
    if (!step->counts)
        return false;
    step->starts = step->counts + step->blocks * step->buckets;
    step->differ = step->starts + step->buckets + 1;
    return true;
}

static void sort_part(weft_pool *pool, const struct wf_radix *radix, size_t first, size_t count, bool in_room);

static void sort_buckets(void *arg, weft_range buckets) {
    const struct step *step = arg;
    for (size_t i = buckets.first; i < buckets.last; i++) {
        size_t first = step->starts[i], count = step->starts[i + 1] - first;
        if (step->digit.shift)
            sort_part(step->pool, step->radix, step->first + first, count, !step->in_room);
        else if (!step->in_room) /* nothing is left to be told apart; back from the room */
            memcpy(item(step, step->from, first), item(step, step->to, first), count * step->radix->item_bytes);
    }
}

static void sort_serial(const struct wf_radix *radix, size_t first, size_t count, bool in_room) {
    char *items = radix->items + first * radix->item_bytes, *room = radix->room + first * radix->item_bytes;
    radix->kernels->sort(&radix->form, in_room ? room : items, in_room ? items : room, count, in_room);
}

/* Sort [first, first + count), which lies in the room or where it belongs, and put it there. */
static void sort_part(weft_pool *pool, const struct wf_radix *radix, size_t first, size_t count_, bool in_room) {
    struct step step = {.pool = pool,
                        .radix = radix,
                        .from = in_room ? radix->room : radix->items,
                        .to = in_room ? radix->items : radix->room,
                        .first = first,
                        .count = count_,
                        .in_room = in_room};
    bool whole = count_ == radix->count, small = whole ? count_ * radix->item_bytes <= SERIAL_BYTES : count_ <= SERIAL_MOST;
    if (!count_)
        return;
    if (small || !allocate(&step)) {
        sort_serial(radix, first, count_, in_room);
        return;
    }
    if (count(&step)) {
        place(&step);
        loop(&step, step.blocks, scatter_blocks);
        loop(&step, step.buckets, sort_buckets);
    } else if (in_room) {
        memcpy(item(&step, step.to, 0), item(&step, step.from, 0), count_ * radix->item_bytes);
    }
    free(step.counts);
}

void wf_radix_sort(weft_pool *pool, const struct wf_radix *radix) {
    sort_part(pool, radix, 0, radix->count, false);
}
