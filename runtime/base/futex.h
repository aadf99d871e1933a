/*
 * The two futex calls the runtime sleeps with (futex(2)), process-private. Callers own the protocol around the word.
 */
#ifndef WF_BASE_FUTEX_H
#define WF_BASE_FUTEX_H

#include <stdint.h>

#include "base/atomic.h"

/* Sleep while *word == expected. Returns on a wake, a changed word or a signal: callers look again. */
void wf_futex_wait(wf_atomic_u32 *word, uint32_t expected);

/* The same until a moment of CLOCK_MONOTONIC; 0: without an end. */
void wf_futex_wait_until(wf_atomic_u32 *word, uint32_t expected, uint64_t end_ns);

/* Wake at most `count` sleepers. */
void wf_futex_wake(wf_atomic_u32 *word, int count);

#endif
