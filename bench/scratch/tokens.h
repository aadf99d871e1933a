/*
 * The program of every peer: tokens whose objects are made one by one, linked, read once, and end together. The peer includes this
 * after it has defined
 *
 *     bool peer_begin(void), peer_stop(void);            its start and end
 *     void peer_alone(void (*fn)(void *), void *arg);    run where its users would have tokens of one thread
 *     bool alone_begin(struct token *), handed_begin(struct token *);   a token of one thread; one that another thread ends
 *     void *take(struct token *, size_t bytes);          inline, as the peer's users have it
 *     void alone_end(struct token *), handed_end(struct token *);
 *     PEER_VERSION
 *
 * Threads: the main thread makes; in "handed over" a second one reads and ends.
 */
#ifndef BENCH_SCRATCH_TOKENS_H
#define BENCH_SCRATCH_TOKENS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "harness/bench.h"
#include "harness/threads.h"

#define SIZES 1024 /* a power of two */
#define RING 8
#define HANDED 32 /* tokens per run */

struct object {
    struct object *next;
    uint64_t value;
};

struct token {
    void *arena; /* the peer's */
    struct object *first;
    uint64_t sum;
};

static bool peer_begin(void);
static bool peer_stop(void);
static void peer_alone(void (*fn)(void *arg), void *arg);
static bool alone_begin(struct token *token), handed_begin(struct token *token);
static inline void *take(struct token *token, size_t bytes);
static void alone_end(struct token *token), handed_end(struct token *token);

static uint16_t sizes[SIZES];

static void choose_sizes(size_t least, size_t most) {
    uint32_t random = 1;
    for (unsigned i = 0; i < SIZES; i++) {
        random = random * 1664525 + 1013904223;
        sizes[i] = (uint16_t)(least + (random >> 8) % (most - least + 1));
    }
}

static inline bool fill(struct token *token, unsigned objects) {
    token->first = NULL;
    token->sum = 0;
    for (unsigned i = 0; i < objects; i++) {
        struct object *object = (struct object *)take(token, sizes[i % SIZES]);
        if (!object)
            return false;
        object->next = token->first;
        object->value = i;
        token->first = object;
    }
    return true;
}

static inline bool holds(const struct token *token, unsigned objects) {
    uint64_t sum = 0;
    for (const struct object *object = token->first; object; object = object->next)
        sum += object->value;
    return sum == (uint64_t)objects * (objects - 1) / 2;
}

struct alone {
    unsigned objects, tokens;
    bool right;
};

static void use_tokens(void *arg) {
    struct alone *alone = (struct alone *)arg;
    alone->right = true;
    for (unsigned i = 0; i < alone->tokens; i++) {
        struct token token;
        if (!alone_begin(&token) || !fill(&token, alone->objects) || !holds(&token, alone->objects)) {
            alone->right = false;
            return;
        }
        alone_end(&token);
    }
}

static bool run_alone(void *what) {
    struct alone *alone = (struct alone *)what;
    peer_alone(use_tokens, alone);
    return alone->right;
}

/* A ring of tokens from one thread to another. head: release by who makes, acquire by who ends; tail the other way round. */
static struct token ring[RING];
static _Alignas(64) atomic_uint head;
static _Alignas(64) atomic_uint tail;
static unsigned handed_objects;
static _Alignas(64) atomic_bool wrong, over;

static void *end_tokens(void *unused) {
    for (unsigned at = 0; !atomic_load_explicit(&over, memory_order_relaxed);) {
        if (at == atomic_load_explicit(&head, memory_order_acquire))
            continue;
        struct token *token = &ring[at % RING];
        if (!holds(token, handed_objects))
            atomic_store(&wrong, true);
        handed_end(token);
        atomic_store_explicit(&tail, ++at, memory_order_release);
    }
    return unused;
}

static bool run_handed(void *unused) {
    (void)unused;
    unsigned at = atomic_load_explicit(&head, memory_order_relaxed);
    for (unsigned i = 0; i < HANDED; i++) {
        while (at - atomic_load_explicit(&tail, memory_order_acquire) == RING)
            ;
        struct token *token = &ring[at % RING];
        if (!handed_begin(token) || !fill(token, handed_objects))
            return false;
        atomic_store_explicit(&head, ++at, memory_order_release);
    }
    while (at != atomic_load_explicit(&tail, memory_order_acquire))
        ;
    return !atomic_load(&wrong);
}

static void measure_alone(const char *row, unsigned objects, unsigned tokens) {
    struct alone alone = {objects, tokens, false};
    bench_measure(
        &(struct bench_row){.row = row, .way = "", .units = (double)objects * tokens, .run = run_alone, .what = &alone});
}

int main(int argc, char **argv) {
    pthread_t ender;
    if (!bench_begin(argc, argv, PEER_VERSION) || !peer_begin())
        return 1;
    choose_sizes(16, 256);
    measure_alone("token of 1,000 objects of 16 to 256 B, per object", 1000, 10);
    measure_alone("token of 10 objects of 16 to 256 B, per object", 10, 1000);
    choose_sizes(64, 64);
    measure_alone("token of 1,000 objects of 64 B, per object", 1000, 10);
    choose_sizes(16, 256);
    handed_objects = 1000;
    threads_bind_new(THREADS_CALLER_WORKS);
    if (pthread_create(&ender, NULL, end_tokens, NULL))
        return 1;
    threads_bind_started(THREADS_CALLER_WORKS, false);
    bench_measure(&(struct bench_row){
        .row = "token of 1,000, handed over, per object", .way = "", .units = 1000.0 * HANDED, .run = run_handed});
    atomic_store(&over, true);
    if (pthread_join(ender, NULL) || !peer_stop())
        return 1;
    return bench_end();
}

#endif
