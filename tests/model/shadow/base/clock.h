/* In place of base/clock.h: every look at the clock finds that much time has passed, and who relaxes lets others run. */
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H

#include <stdint.h>

#include "explorer.h"

static inline uint64_t wf_now_ns(void) {
    return explore_now();
}

static inline void wf_cpu_relax(void) {
    explore_yield();
}

#endif
