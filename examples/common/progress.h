/*
 * Progress: workers add to counters, one thread of its own reads them and writes to standard error, ten times a second as a
 * bar on a terminal, every few seconds as a line elsewhere.
 */
#ifndef EXAMPLES_PROGRESS_H
#define EXAMPLES_PROGRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool quiet, terminal, running;     /* fixed after the start */
    _Atomic(const char *) name;        /* of the stage, a static string; relaxed like all below: a picture for people */
    _Atomic uint64_t items, units;     /* done in this stage */
    _Atomic uint64_t items_all, total; /* to do: items (0: not counted) and units (0: unknown); units are what the bar shows */
    _Atomic(double) began;             /* when the stage began */
    _Atomic unsigned round, rounds;    /* of a repeated computation; rounds is 0 if there is only one */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopping; /* under lock */
};

/** Start reporting; without a thread (quiet, or the system refuses one) everything else still works. */
void progress_start(struct progress *progress, bool quiet);

/** Stop and clear the bar. Again: nothing happens. */
void progress_stop(struct progress *progress);

/** Begin a stage. Called by the main thread between parallel steps. */
void progress_stage(struct progress *progress, const char *name, uint64_t items, uint64_t units);

/** Say which round of a repeated computation begins, from 1. */
void progress_round(struct progress *progress, unsigned round, unsigned rounds);

/** Count what was done. Any thread. */
static inline void progress_advance(struct progress *progress, uint64_t items, uint64_t units) {
    atomic_fetch_add_explicit(&progress->items, items, memory_order_relaxed);
    atomic_fetch_add_explicit(&progress->units, units, memory_order_relaxed);
}

#endif
