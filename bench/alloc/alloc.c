/*
 * One thread's objects: a pair of calls for one size, batches of one size, and a set of objects whose sizes vary, of which random ones are
 * replaced. Sizes that a pair or a batch has are constants, as in most programs; those that vary are read from a table.
 */
#include "harness/allocators/allocator.h"

#include <stdlib.h>

#include BENCH_ALLOCATOR
#include "harness/bench.h"

#define PAIRS 1000
#define BATCH_MOST 1000
#define SET 1000   /* objects of the mixed set */
#define STEPS 4096 /* replacements in one run */

struct object {
    uint64_t *words;
    uint32_t bytes;
};

static void *batch[BATCH_MOST];
static struct object set[SET];
static struct { uint32_t place, bytes; } steps[STEPS];

/* Inlined, so that `bytes` is a constant. */
static inline __attribute__((always_inline)) bool run_pairs(size_t bytes) {
    bool right = true;
    for (uint64_t i = 0; i < PAIRS; i++) {
        void *object = allocator_new(bytes);
        if (!object)
            return false;
        object_write(object, bytes, i);
        right &= object_right(object, bytes, i);
        allocator_delete(object);
    }
    return right;
}

/* All are allocated, then all are freed in the same order. */
static inline __attribute__((always_inline)) bool run_batch(size_t bytes, uint64_t count) {
    bool right = true;
    for (uint64_t i = 0; i < count; i++) {
        void *object = allocator_new(bytes);
        if (!object)
            return false;
        object_write(object, bytes, i);
        batch[i] = object;
    }
    for (uint64_t i = 0; i < count; i++) {
        right &= object_right(batch[i], bytes, i);
        allocator_delete(batch[i]);
    }
    return right;
}

static bool pairs_16(void *unused) {
    (void)unused;
    return run_pairs(16);
}

static bool pairs_64(void *unused) {
    (void)unused;
    return run_pairs(64);
}

static bool pairs_256(void *unused) {
    (void)unused;
    return run_pairs(256);
}

static bool pairs_1k(void *unused) {
    (void)unused;
    return run_pairs(1024);
}

static bool pairs_8k(void *unused) {
    (void)unused;
    return run_pairs(8192);
}

static bool pairs_64k(void *unused) {
    (void)unused;
    return run_pairs(65536);
}

static bool batch_100(void *unused) {
    (void)unused;
    return run_batch(64, 100);
}

static bool batch_1000(void *unused) {
    (void)unused;
    return run_batch(64, 1000);
}

/* Most objects are small: the exponent is as random as the rest. */
static uint32_t random_bytes(uint64_t *state) {
    uint32_t top = random_next(state) % 7; /* 16 B to 2 KiB */
    return (16u << top) + (random_next(state) % (16u << top) & ~7u);
}

static bool set_up_mixed(void) {
    uint64_t state = 1;
    for (unsigned i = 0; i < SET; i++) {
        set[i].bytes = random_bytes(&state);
        if (!(set[i].words = allocator_new(set[i].bytes)))
            return false;
        object_write(set[i].words, set[i].bytes, i);
    }
    for (unsigned i = 0; i < STEPS; i++) {
        steps[i].place = random_next(&state) % SET;
        steps[i].bytes = random_bytes(&state);
    }
    return true;
}

static bool run_mixed(void *unused) {
    bool right = true;
    (void)unused;
    for (unsigned i = 0; i < STEPS; i++) {
        struct object *old = &set[steps[i].place];
        right &= object_right(old->words, old->bytes, steps[i].place);
        allocator_delete(old->words);
        *old = (struct object){allocator_new(steps[i].bytes), steps[i].bytes};
        if (!old->words)
            return false;
        object_write(old->words, old->bytes, steps[i].place);
    }
    return right;
}

static void tear_down_mixed(void) {
    for (unsigned i = 0; i < SET; i++)
        allocator_delete(set[i].words);
}

int main(int argc, char **argv) {
    static const struct bench_row rows[] = {
        {.row = "pair of 64 B", .way = "", .units = PAIRS, .run = pairs_64},
        {.row = "pair of 16 B", .way = "", .units = PAIRS, .run = pairs_16},
        {.row = "pair of 256 B", .way = "", .units = PAIRS, .run = pairs_256},
        {.row = "pair of 1 KiB", .way = "", .units = PAIRS, .run = pairs_1k},
        {.row = "pair of 8 KiB", .way = "", .units = PAIRS, .run = pairs_8k},
        {.row = "pair of 64 KiB", .way = "", .units = PAIRS, .run = pairs_64k},
        {.row = "100 of 64 B", .way = "", .units = 100, .run = batch_100},
        {.row = "1000 of 64 B", .way = "", .units = 1000, .run = batch_1000},
        {.row = "mixed, 16 B to 2 KiB", .way = "", .units = STEPS, .run = run_mixed},
    };
    if (!bench_begin(argc, argv, allocator_version()) || !allocator_start(bench_workers) || !set_up_mixed())
        return 1;
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_measure(&rows[i]);
    tear_down_mixed();
    return bench_end() | !allocator_stop();
}
