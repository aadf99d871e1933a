/*
 * Threads that work in step: as if each had a CPU of its own and all CPUs were equally fast, whatever else the host does. Each thread
 * has a clock that counts its work; whoever is ahead of another thread at work waits for it. What a schedule makes of that is what it
 * would make of a machine of equal CPUs; the time that a runtime itself takes counts as none.
 *
 * A thread between two pieces of work is waited for, for a while: it may be about to take the next. One that has stayed away longer was
 * idle, and begins anew where the slowest is.
 */
#ifndef BENCH_HARNESS_PACE_H
#define BENCH_HARNESS_PACE_H

#ifdef __cplusplus
extern "C" {
#endif

#define PACE_MAX_THREADS 1024

/* All clocks at 0. Whoever works first waits a while for the others to come. Threads: one, while nobody works. */
void pace_begin(unsigned threads);

/* Number of the calling thread, the same for its life; PACE_MAX_THREADS - 1 stands for all beyond. */
unsigned pace_thread(void);

/* The calling thread takes and ends a piece of work. */
void pace_enter(void);
void pace_leave(void);

/* It has done some of its piece; waits while it is more than `ahead` before another. */
void pace_advance(unsigned work, unsigned ahead);

#ifdef __cplusplus
}
#endif
#endif
