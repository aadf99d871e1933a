/* As programs cut loops for a pool of their own: a part for each thread, or items by a shared counter. */
#include <stdatomic.h>

#include "harness/loops/loop.h"
#include "harness/peers/pool.h"

struct part {
    struct loop *loop;
    size_t first, last;
    atomic_size_t *next; /* of the shared counter */
};

static void run_part(void *arg) {
    struct part *part = arg;
    for (size_t i = part->first; i < part->last; i++)
        loop_item(part->loop, i);
}

static void run_counter(void *arg) {
    struct part *part = arg;
    for (size_t i; (i = atomic_fetch_add(part->next, 1)) < part->loop->n;)
        loop_item(part->loop, i);
}

static bool run(struct loop *loop, void (*fn)(void *arg)) {
    struct part parts[bench_workers];
    atomic_size_t next = 0;
    bool submitted = true;
    for (unsigned i = 0; i < bench_workers; i++) {
        parts[i] = (struct part){loop, loop->n * i / bench_workers, loop->n * (i + 1) / bench_workers, &next};
        submitted &= thread_pool_submit(peer_thread_pool, fn, &parts[i]);
    }
    thread_pool_wait(peer_thread_pool);
    return submitted;
}

static bool run_parts(struct loop *loop) {
    return run(loop, run_part);
}

static bool run_shared(struct loop *loop) {
    return run(loop, run_counter);
}

const struct loop_way loop_ways[] = {{"parts", run_parts, false}, {"shared counter", run_shared, false}, {0}};
