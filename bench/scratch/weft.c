/* weft: a token acquires a scratch arena of its node, and gives it back at its end. */
#define PEER_VERSION "weft " BENCH_WEFT_VERSION

#include "scratch/tokens.h"

#include <weft.h>

static weft_pool *pool;

static bool peer_begin(void) {
    return !weft_pool_create(&pool, NULL);
}

static bool peer_stop(void) {
    return !weft_pool_destroy(pool);
}

static void peer_alone(void (*fn)(void *arg), void *arg) {
    weft_run(pool, fn, arg);
}

static bool alone_begin(struct token *token) {
    return (token->arena = weft_scratch_acquire(pool, WEFT_NODE_HOME));
}

static bool handed_begin(struct token *token) {
    return alone_begin(token);
}

static inline void *take(struct token *token, size_t bytes) {
    return weft_scratch_alloc(token->arena, bytes);
}

static void alone_end(struct token *token) {
    weft_scratch_release(token->arena);
}

static void handed_end(struct token *token) {
    weft_scratch_release(token->arena);
}
