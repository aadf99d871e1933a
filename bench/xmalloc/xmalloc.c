/*
 * Lever and Boreham, "malloc() performance in a multithreaded Linux environment", USENIX 2000, in shape: threads allocate batches of objects
 * of random sizes and put them into a queue that all share, from which other threads take and free them. In the first row half of
 * the threads only allocate, and half only free; in the second all do both, a batch of each in turn.
 */
#include "harness/allocators/allocator.h"

#include <pthread.h>
#include <stdlib.h>

#include BENCH_ALLOCATOR
#include "harness/bench.h"
#include "harness/threads.h"

#define BATCH 120  /* objects */
#define BATCHES 64 /* of the queue at most */
#define ROUNDS 200 /* batches that one thread allocates in one run */
#define THREADS_MOST 64

static const uint16_t sizes[] = {16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096};

struct batch {
    struct {
        uint64_t *words;
        uint64_t value;
        uint32_t bytes;
    } objects[BATCH];
};

/* A ring; batches are copied in and out, so that it allocates nothing. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t not_full, not_empty;
    unsigned first, count;         /* L */
    struct batch batches[BATCHES]; /* L */
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .not_full = PTHREAD_COND_INITIALIZER, .not_empty = PTHREAD_COND_INITIALIZER};

struct thread {
    _Alignas(64) pthread_t thread;
    unsigned place;
    bool allocates, frees, failed;
    uint64_t state;
    struct batch batch;
};

static struct thread threads[THREADS_MOST];

static bool fill(struct thread *thread) {
    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t value = random_next(&thread->state);
        uint32_t bytes = sizes[value % (sizeof sizes / sizeof *sizes)];
        void *object = allocator_new(bytes);
        if (!object)
            return false;
        object_write(object, bytes, value);
        thread->batch.objects[i].words = object;
        thread->batch.objects[i].value = value;
        thread->batch.objects[i].bytes = bytes;
    }
    return true;
}

static bool drain(const struct batch *batch) {
    bool right = true;
    for (unsigned i = 0; i < BATCH; i++) {
        right &= object_right(batch->objects[i].words, batch->objects[i].bytes, batch->objects[i].value);
        allocator_delete(batch->objects[i].words);
    }
    return right;
}

static void put(const struct batch *batch) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == BATCHES)
        pthread_cond_wait(&queue.not_full, &queue.lock);
    queue.batches[(queue.first + queue.count++) % BATCHES] = *batch;
    pthread_cond_signal(&queue.not_empty);
    pthread_mutex_unlock(&queue.lock);
}

static void take(struct batch *batch) {
    pthread_mutex_lock(&queue.lock);
    while (!queue.count)
        pthread_cond_wait(&queue.not_empty, &queue.lock);
    *batch = queue.batches[queue.first];
    queue.first = (queue.first + 1) % BATCHES;
    queue.count--;
    pthread_cond_signal(&queue.not_full);
    pthread_mutex_unlock(&queue.lock);
}

static void *work(void *arg) {
    struct thread *thread = arg;
    threads_bind_here(thread->place);
    for (unsigned i = 0; i < ROUNDS && !thread->failed; i++) {
        if (thread->allocates) {
            thread->failed = !fill(thread);
            put(&thread->batch);
        }
        if (thread->frees) {
            take(&thread->batch);
            thread->failed |= !drain(&thread->batch);
        }
    }
    return NULL;
}

/* Without memory the batch that could not be filled would be waited for: the run ends the process, as a wrong result does. */
static bool run_threads(bool both) {
    bool right = true;
    for (unsigned i = 0; i < bench_workers; i++) {
        threads[i].place = i;
        threads[i].allocates = both || i % 2 == 0;
        threads[i].frees = both || i % 2 == 1;
        threads[i].failed = false;
        threads[i].state = i + 1;
        if (pthread_create(&threads[i].thread, NULL, work, &threads[i]))
            return false;
    }
    for (unsigned i = 0; i < bench_workers; i++) {
        pthread_join(threads[i].thread, NULL);
        right &= !threads[i].failed;
    }
    return right;
}

static bool run_halves(void *unused) {
    (void)unused;
    return run_threads(false);
}

static bool run_both(void *unused) {
    (void)unused;
    return run_threads(true);
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, allocator_version()) || !allocator_start(bench_workers))
        return 1;
    if (bench_workers > THREADS_MOST || bench_workers % 2) {
        bench_fail("xmalloc", "", "an even number of workers is needed, of at most 64");
        return 1;
    }
    memory_begin();
    double half = bench_workers / 2.0 * ROUNDS * BATCH;
    bench_measure(&(struct bench_row){.row = "one allocates, one frees", .way = "", .units = half, .run = run_halves});
    bench_measure(&(struct bench_row){.row = "both do both", .way = "", .units = 2 * half, .run = run_both});
    bench_print("peak, MiB", "", memory_peak());
    return bench_end() | !allocator_stop();
}
