/*
 * A runtime under measurement: how it starts, runs something among its workers, and stops. A program holds one; each file of this
 * folder is one. Threads: the main thread.
 */
#ifndef BENCH_HARNESS_PEERS_PEER_H
#define BENCH_HARNESS_PEERS_PEER_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

extern const bool peer_caller_works; /* the thread that calls is one of the workers */
extern const bool peer_binds;        /* it binds its workers itself */

/* Name and version. */
const char *peer_version(void);

/* Start so many workers, the caller counted where it is one, and see them run; false: it fails. */
bool peer_start(unsigned workers);
bool peer_stop(void);

/* Run fn(arg) where the runtime's users would fork: on a worker, with all others ready to help. Returns at its end. */
void peer_run(void (*fn)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
