/* As programs make memory present themselves: a part for each thread of a plain pool, in whole huge pages. */
#include "harness/peers/pool.h"
#include "harness/bench.h"
#include "touch/touch.h"

struct part {
    const struct touch *touch;
    size_t first, last;
    bool done;
};

static void populate(void *arg) {
    struct part *part = arg;
    part->done = memory_populate((char *)part->touch->start + part->first, part->last - part->first);
}

static void write_pages(void *arg) {
    struct part *part = arg;
    memory_write((char *)part->touch->start + part->first, part->last - part->first, part->touch->pages);
    part->done = true;
}

static size_t part_first(const struct touch *touch, unsigned part) {
    return touch->bytes / MEMORY_HUGE_PAGE_BYTES * part / bench_workers * MEMORY_HUGE_PAGE_BYTES;
}

static bool run(struct touch *touch, void (*fn)(void *part)) {
    struct part parts[bench_workers];
    touch->start = memory_map(touch->bytes, touch->pages);
    bool done = touch->start;
    for (unsigned i = 0; done && i < bench_workers; i++) {
        parts[i] = (struct part){touch, part_first(touch, i), part_first(touch, i + 1), false};
        done = thread_pool_submit(peer_thread_pool, fn, &parts[i]);
    }
    thread_pool_wait(peer_thread_pool);
    for (unsigned i = 0; done && i < bench_workers; i++)
        done = parts[i].done;
    return done;
}

static bool run_populate(struct touch *touch) {
    return run(touch, populate);
}

static bool run_write(struct touch *touch) {
    return run(touch, write_pages);
}

static void unmap(struct touch *touch) {
    memory_unmap(touch->start, touch->bytes);
}

const struct touch_way touch_ways[] = {
    {"MADV_POPULATE_WRITE", run_populate, unmap}, {"a write to each page", run_write, unmap}, {0}};
