/* malloc() and free() of every object, by the C library. */
#include <gnu/libc-version.h>

#define PEER_VERSION glibc_version()

static const char *glibc_version(void);

#include "scratch/tokens.h"

#include <stdio.h>

static const char *glibc_version(void) {
    static char text[32];
    snprintf(text, sizeof text, "malloc, glibc %s", gnu_get_libc_version());
    return text;
}

static bool peer_begin(void) {
    return true;
}

static bool peer_stop(void) {
    return true;
}

static void peer_alone(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

static bool alone_begin(struct token *token) {
    token->arena = NULL;
    return true;
}

static bool handed_begin(struct token *token) {
    return alone_begin(token);
}

static inline void *take(struct token *token, size_t bytes) {
    (void)token;
    return malloc(bytes);
}

static void alone_end(struct token *token) {
    for (struct object *object = token->first, *next; object; object = next) {
        next = object->next;
        free(object);
    }
}

static void handed_end(struct token *token) {
    alone_end(token);
}
