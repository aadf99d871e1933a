/* The pool of a program that measures weft. */
#ifndef BENCH_HARNESS_PEERS_WEFT_H
#define BENCH_HARNESS_PEERS_WEFT_H

#include <weft.h>

#include <stdbool.h>

extern weft_pool *peer_pool;

/* False, after weft's own word on stderr: it failed. Threads: any. */
bool peer_ok(weft_status status);

#endif
