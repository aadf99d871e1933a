/* All workers against one, measured in one process, in turn, so that both meet the same caches and the same neighbours. */
#ifndef PREPROCESS_COMPARE_H
#define PREPROCESS_COMPARE_H

#include "run.h"

struct comparison {
    unsigned rounds;
    double one_seconds, all_seconds; /* medians of everything up to the clusters */
    bool equal;                      /* every round found the same */
};

/** Measure. Leaves `run` (on the pool of all workers) computed, as run_compute() would. */
weft_status compare(struct comparison *comparison, struct run *run);

#endif
