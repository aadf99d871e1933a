/*
 * Larson and Krishnan, "Memory allocation for long-running server applications", ISMM 1998, in shape: each server holds SLOTS objects of
 * 8 to 1000 bytes, replaces random ones, and then hands all to a new thread and ends; so most objects are freed by another thread than
 * the one that allocated them, and threads come and go.
 */
#include "harness/allocators/allocator.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>

#include BENCH_ALLOCATOR
#include "harness/bench.h"
#include "harness/threads.h"

#define SLOTS 5000
#define REPLACED 50000 /* by one thread */
#define THREADS 4      /* of a server in one run, one after the other */
#define BYTES_LEAST 16
#define BYTES_MOST 1000
#define SERVERS_MOST 64

struct server {
    _Alignas(64) unsigned place; /* of its CPU */
    unsigned threads_left;
    pthread_t last;
    bool has_last, failed;
    uint64_t state;
    sem_t ended;
    struct {
        uint64_t *words;
        uint32_t bytes;
    } slots[SLOTS];
};

static struct server *servers[SERVERS_MOST];

static bool fill(struct server *server, unsigned at) {
    uint32_t bytes = BYTES_LEAST + (random_next(&server->state) % (BYTES_MOST - BYTES_LEAST + 1) & ~7u);
    server->slots[at].bytes = bytes;
    server->slots[at].words = allocator_new(bytes);
    if (!server->slots[at].words)
        return false;
    object_write(server->slots[at].words, bytes, at);
    return true;
}

static bool serve(struct server *server) {
    bool right = true;
    for (unsigned i = 0; i < REPLACED; i++) {
        unsigned at = random_next(&server->state) % SLOTS;
        right &= object_right(server->slots[at].words, server->slots[at].bytes, at);
        allocator_delete(server->slots[at].words);
        if (!fill(server, at))
            return false;
    }
    return right;
}

/* Threads are made on their maker's CPU. What one writes to the server its successor reads. */
static void *work(void *arg) {
    struct server *server = arg;
    pthread_t self = pthread_self();
    if (server->has_last)
        pthread_join(server->last, NULL);
    else
        threads_bind_here(server->place);
    server->failed |= !serve(server);
    server->last = self;
    server->has_last = true;
    pthread_t next;
    if (--server->threads_left && !pthread_create(&next, NULL, work, server))
        return NULL;
    server->failed |= server->threads_left != 0;
    sem_post(&server->ended);
    return NULL;
}

static bool run(void *unused) {
    bool right = true;
    pthread_t first;
    (void)unused;
    for (unsigned i = 0; i < bench_workers; i++) {
        servers[i]->threads_left = THREADS;
        servers[i]->has_last = false;
        if (pthread_create(&first, NULL, work, servers[i]))
            return false;
    }
    for (unsigned i = 0; i < bench_workers; i++) {
        while (sem_wait(&servers[i]->ended))
            ;
        pthread_join(servers[i]->last, NULL);
        right &= !servers[i]->failed;
    }
    return right;
}

/* The servers' own memory is static: no part of any allocator's. */
static bool begin(void) {
    static struct server all[SERVERS_MOST];
    for (unsigned i = 0; i < bench_workers; i++) {
        struct server *server = servers[i] = &all[i];
        server->place = i;
        server->state = i + 1;
        if (sem_init(&server->ended, 0, 0))
            return false;
        for (unsigned at = 0; at < SLOTS; at++)
            if (!fill(server, at))
                return false;
    }
    return true;
}

static void end(void) {
    for (unsigned i = 0; i < bench_workers; i++)
        for (unsigned at = 0; at < SLOTS; at++)
            allocator_delete(servers[i]->slots[at].words);
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, allocator_version()) || bench_workers > SERVERS_MOST || !allocator_start(bench_workers))
        return 1;
    memory_begin();
    if (!begin())
        return 1;
    bench_measure(
        &(struct bench_row){.row = "replace one", .way = "", .units = (double)bench_workers * THREADS * REPLACED, .run = run});
    bench_print("peak, MiB", "", memory_peak());
    end();
    return bench_end() | !allocator_stop();
}
