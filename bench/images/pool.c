/*
 * As it is written by hand: threads take file numbers from a bounded queue under a mutex, load the image with memory of malloc(), and
 * put it into its place in a batch; who completes a batch hands it to the thread that made the threads, which writes batches in order.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../examples/images/resample.h"
#include "harness/bench.h"
#include "harness/peers/peer.h"
#include "images/workload.h"

enum { BATCHES = 4, THREADS_MOST = 64 };

const char *peer_version(void) {
    return "threads with a queue";
}

bool images_begin(void) {
    return true;
}

bool images_end(void) {
    return true;
}

struct batch {
    float *rows;
    size_t number, missing; /* L; missing: images that are not there yet */
    size_t count;
};

struct pool {
    const struct images_run *run;
    pthread_mutex_t lock;
    pthread_cond_t work, complete;
    size_t next, last, written;    /* L: file numbers to give out: [next, last); batches that are written */
    struct batch batches[BATCHES]; /* batch n is in n % BATCHES */
    bool failed;                   /* L */
};

static void *allocate(void *arg, size_t bytes) {
    (void)arg;
    return malloc(bytes);
}

static bool load(const struct images_run *run, struct jpeg_decoder *decoder, size_t number, float *out) {
    char text[JPEG_TEXT_BYTES];
    struct image image;
    void *bytes = NULL, *work = NULL;
    FILE *file = fopen(run->files->paths[number], "rb");
    if (!file)
        return false;
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    bytes = malloc(size);
    bool good = bytes && fread(bytes, 1, size, file) == size &&
                jpeg_decode(decoder, bytes, size, run->options->shape.resize, run->options->pixels, allocate, NULL, &image, text);
    fclose(file);
    if (good && (work = malloc(resample_work_bytes(&run->options->shape, &image))))
        resample(&run->options->shape, &image, out, work);
    if (good)
        free(image.pixels);
    free(bytes);
    free(work);
    return good && work;
}

static void *work(void *arg) {
    struct pool *pool = arg;
    size_t each = shape_floats(&pool->run->options->shape), size = pool->run->options->batch;
    struct jpeg_decoder *decoder = jpeg_decoder_create();
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        while (pool->next == pool->last && pool->last < pool->run->files->count && !pool->failed)
            pthread_cond_wait(&pool->work, &pool->lock);
        if (pool->next == pool->last || pool->failed)
            break;
        size_t number = pool->next++;
        struct batch *batch = &pool->batches[number / size % BATCHES];
        pthread_mutex_unlock(&pool->lock);
        float *out = malloc(each * sizeof *out);
        bool good = out && decoder && load(pool->run, decoder, number, out);
        if (good)
            memcpy(batch->rows + number % size * each, out, each * sizeof *out);
        free(out);
        pthread_mutex_lock(&pool->lock);
        pool->failed |= !good;
        if (--batch->missing == 0 || pool->failed)
            pthread_cond_broadcast(&pool->complete);
    }
    pthread_mutex_unlock(&pool->lock);
    jpeg_decoder_destroy(decoder);
    return NULL;
}

static size_t size_of(const struct pool *pool, size_t number) {
    size_t size = pool->run->options->batch, left = pool->run->files->count - number * size;
    return left < size ? left : size;
}

/* L: give out the files of batches that have a place. */
static void feed(struct pool *pool) {
    size_t size = pool->run->options->batch;
    while (pool->last < pool->run->files->count && pool->last / size < pool->written + BATCHES) {
        struct batch *batch = &pool->batches[pool->last / size % BATCHES];
        batch->count = batch->missing = size_of(pool, pool->last / size);
        pool->last += batch->count;
    }
    pthread_cond_broadcast(&pool->work);
}

static void write_batches(struct pool *pool) {
    size_t size = pool->run->options->batch, all = (pool->run->files->count + size - 1) / size;
    size_t *numbers = malloc(size * sizeof *numbers);
    pthread_mutex_lock(&pool->lock);
    feed(pool);
    while (pool->written < all && !pool->failed) {
        struct batch *batch = &pool->batches[pool->written % BATCHES];
        if (batch->missing) {
            pthread_cond_wait(&pool->complete, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        for (size_t i = 0; i < batch->count; i++)
            numbers[i] = pool->written * size + i;
        bool good = images_batch(pool->run, batch->rows, batch->count, numbers);
        pthread_mutex_lock(&pool->lock);
        pool->failed |= !good;
        pool->written++;
        feed(pool);
    }
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    free(numbers);
}

bool images_load(struct images_run *run) {
    struct pool pool = {
        .run = run, .lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER, .complete = PTHREAD_COND_INITIALIZER};
    pthread_t threads[THREADS_MOST];
    unsigned count = bench_workers < THREADS_MOST ? bench_workers : THREADS_MOST;
    for (unsigned i = 0; i < BATCHES; i++)
        pool.batches[i].rows = malloc(run->options->batch * shape_floats(&run->options->shape) * sizeof(float));
    for (unsigned i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, work, &pool))
            return false;
    write_batches(&pool);
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < BATCHES; i++)
        free(pool.batches[i].rows);
    return !pool.failed;
}
