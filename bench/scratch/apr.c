/* Pools of the Apache Portable Runtime: one that is cleared after each token; tokens that are handed over have one each. */
#define PEER_VERSION "APR " APR_VERSION_STRING

#include <apr_general.h>
#include <apr_pools.h>
#include <apr_version.h>

#include "scratch/tokens.h"

static apr_pool_t *kept;

static bool peer_begin(void) {
    return !apr_initialize() && !apr_pool_create(&kept, NULL);
}

static bool peer_stop(void) {
    apr_terminate();
    return true;
}

static void peer_alone(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

static bool alone_begin(struct token *token) {
    token->arena = kept;
    return true;
}

static bool handed_begin(struct token *token) {
    apr_pool_t *own;
    bool made = !apr_pool_create(&own, NULL);
    token->arena = own;
    return made;
}

static inline void *take(struct token *token, size_t bytes) {
    return apr_palloc(token->arena, bytes);
}

static void alone_end(struct token *token) {
    apr_pool_clear(token->arena);
}

static void handed_end(struct token *token) {
    apr_pool_destroy(token->arena);
}
