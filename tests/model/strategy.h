/* How the choices of a schedule are made: replayed, searched or random. One schedule at a time. */
#ifndef WEFT_TESTS_MODEL_STRATEGY_H
#define WEFT_TESTS_MODEL_STRATEGY_H

#include <stdbool.h>
#include <stdint.h>

#define STRATEGY_STEPS 20000u /* a longer schedule has no end */

/* Begin a schedule of each kind. */
void strategy_random(uint64_t seed);
void strategy_replay(const uint16_t *picks, unsigned count);

/* The exhaustive search: all schedules with at most `bound` choices against the default. */
void strategy_search_begin(unsigned bound);
bool strategy_search_next(void); /* false: that was all */

/* Count one step; false: too many. */
bool strategy_step(void);

/* Choose among threads; `free`: the first is no better than the others. */
unsigned strategy_thread(const int *threads, unsigned count, bool free);

/* The choices of the schedule that ran last. */
const uint16_t *strategy_picks(unsigned *count);

#endif
