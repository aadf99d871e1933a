/*
 * Tokens with an arena each travel between workers and threads outside: made on one, checked and released on another. Checked: every
 * object has its token's content, no two tokens have one arena at the same time, and at the end each node has all its arenas again.
 * Usage: stress_scratch [tokens]; exit 0 or 1.
 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "stress.h"
#include "weft.h"

#define OBJECTS 40
#define CONSUMERS 2
#define PRODUCERS 2
#define IN_FLIGHT 16

struct token {
    uint64_t stamp;
    unsigned node;
    weft_scratch *scratch;
    uint64_t *objects[OBJECTS]; /* [0]: words that follow */
};

static weft_pool *pool;
static unsigned long tokens = 10000;

/* A bounded queue under a mutex: the pipeline. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct token *waiting[IN_FLIGHT];
    unsigned count;
    unsigned long put, taken;
} queue = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void put(struct token *token) {
    pthread_mutex_lock(&queue.lock);
    while (queue.count == IN_FLIGHT)
        pthread_cond_wait(&queue.changed, &queue.lock);
    queue.waiting[queue.count++] = token;
    queue.put++;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
}

static struct token *take(void) {
    pthread_mutex_lock(&queue.lock);
    while (!queue.count && queue.taken < tokens)
        pthread_cond_wait(&queue.changed, &queue.lock);
    struct token *token = queue.count ? queue.waiting[--queue.count] : NULL;
    queue.taken += token != NULL;
    pthread_cond_broadcast(&queue.changed);
    pthread_mutex_unlock(&queue.lock);
    return token;
}

/* The token itself lies in its arena. */
static struct token *make(uint64_t stamp) {
    weft_scratch_usage usage;
    unsigned node = stamp % 3 ? (unsigned)(stamp % 2) : WEFT_NODE_HOME;
    weft_scratch *scratch = weft_scratch_acquire(pool, node);
    CHECK(scratch && !weft_scratch_get_usage(scratch, &usage));
    CHECK(!usage.used_bytes && !usage.peak_bytes && (node == WEFT_NODE_HOME || usage.node == node));
    struct token *token = weft_scratch_alloc(scratch, sizeof *token);
    CHECK(token);
    *token = (struct token){.stamp = stamp, .node = usage.node, .scratch = scratch};
    for (unsigned i = 0; i < OBJECTS; i++) {
        size_t words = 1 + (stamp * 31 + i * 17) % (i ? 50 : 20000);
        weft_mark mark = weft_scratch_mark(scratch);
        memset(weft_scratch_alloc(scratch, 100), 0xff, 100);
        CHECK(!weft_scratch_rewind(scratch, mark));
        uint64_t *object = token->objects[i] =
            weft_scratch_aligned_alloc(scratch, (size_t)8 << i % 5, (1 + words) * sizeof *object);
        CHECK(object);
        object[0] = words;
        for (size_t k = 1; k <= words; k++)
            object[k] = stamp + k;
    }
    return token;
}

static void check(const struct token *token) {
    weft_scratch_usage usage;
    CHECK(!weft_scratch_get_usage(token->scratch, &usage) && usage.node == token->node);
    for (unsigned i = 0; i < OBJECTS; i++)
        for (size_t k = 1; k <= token->objects[i][0]; k++)
            CHECK(token->objects[i][k] == token->stamp + k);
}

static void consume(struct token *token) {
    weft_scratch *scratch = token->scratch;
    check(token);
    weft_scratch_release(scratch);
}

static void consume_task(void *arg) {
    consume(arg);
}

static void *consumer(void *arg) {
    weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .group = arg};
    struct token *token;
    while ((token = take())) {
        options.node = (unsigned)(token->stamp / 5 % 2);
        if (token->stamp % 2)
            consume(token);
        else
            CHECK(!weft_submit(pool, consume_task, token, &options));
    }
    return NULL;
}

static _Atomic(unsigned long) next_stamp;

static void produce_task(void *arg) {
    (void)arg;
    put(make(next_stamp++));
}

/* Half of the tokens are made by tasks. */
static void *producer(void *arg) {
    weft_group *group = arg;
    for (unsigned long i = 0; i < tokens / PRODUCERS; i++)
        if (i % 2)
            CHECK(!weft_group_spawn(group, produce_task, NULL));
        else
            put(make(next_stamp++));
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[PRODUCERS + CONSUMERS];
    weft_group *made, *consumed;
    if (argc > 1)
        tokens = strtoul(argv[1], NULL, 0);
    else
        tokens = stress_scale(tokens) / PRODUCERS * PRODUCERS;
    alarm(250);
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
    CHECK(!weft_group_create(&made, pool) && !weft_group_create(&consumed, pool));
    weft_scratch_options options = {WEFT_SCRATCH_OPTIONS_INIT, .limit_bytes = 8 << 20, .keep_bytes = 96 << 10, .idle = 3};
    CHECK(!weft_scratch_configure(pool, &options));
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i < PRODUCERS ? producer : consumer, i < PRODUCERS ? made : consumed));
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        CHECK(!pthread_join(threads[i], NULL));
    CHECK(!weft_group_wait(made) && !weft_group_wait(consumed));
    uint64_t acquired = 0;
    for (unsigned node = 0; node < 2; node++) {
        weft_scratch_stats stats;
        CHECK(!weft_scratch_get_stats(pool, node, &stats));
        printf("node %u: %ju acquired, %ju made, %ju trimmed, %ju there, peak %ju, mean %ju\n", node, (uintmax_t)stats.acquired,
               (uintmax_t)stats.made, (uintmax_t)stats.trimmed, (uintmax_t)stats.arenas, (uintmax_t)stats.peak_bytes,
               (uintmax_t)stats.mean_bytes);
        CHECK(stats.acquired == stats.released && stats.idle <= 3 && stats.arenas >= stats.idle &&
              stats.arenas <= stats.idle + 2);
        acquired += stats.acquired;
    }
    CHECK(acquired == tokens);
    CHECK(!weft_group_destroy(made) && !weft_group_destroy(consumed) && !weft_pool_destroy(pool));
    return 0;
}
