/* Obstacks of the C library: one that is kept from token to token; tokens that are handed over have one each. */
#define PEER_VERSION "obstack of glibc"

#include "scratch/tokens.h"

#include <obstack.h>

#define obstack_chunk_alloc malloc
#define obstack_chunk_free free

static struct obstack kept;
static void *begin; /* of the kept one */

static bool peer_begin(void) {
    obstack_begin(&kept, 64 * 1024);
    begin = obstack_alloc(&kept, 1);
    return true;
}

static bool peer_stop(void) {
    obstack_free(&kept, NULL);
    return true;
}

static void peer_alone(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

static bool alone_begin(struct token *token) {
    token->arena = &kept;
    return true;
}

static bool handed_begin(struct token *token) {
    struct obstack *own = malloc(sizeof *own);
    token->arena = own;
    return own && obstack_begin(own, 64 * 1024);
}

static inline void *take(struct token *token, size_t bytes) {
    struct obstack *from = token->arena;
    return obstack_alloc(from, (int)bytes);
}

static void alone_end(struct token *token) {
    struct obstack *from = token->arena;
    obstack_free(from, begin);
    begin = obstack_alloc(from, 1);
}

static void handed_end(struct token *token) {
    struct obstack *own = token->arena;
    obstack_free(own, NULL);
    free(own);
}
