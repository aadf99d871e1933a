/* A pool's options after defaults, environment and checks. */
#ifndef WF_SCHEDULER_SETTINGS_H
#define WF_SCHEDULER_SETTINGS_H

#include "weft/pool.h"

struct wf_settings {
    weft_pin pin_asked, pin; /* pin is never DEFAULT */
    const char *pin_reason;  /* static */
    uint64_t spin_ns;
    const char *spin_reason; /* static */
    size_t stack_bytes;      /* 0: the system's default */
    uint32_t deque_slots;
    unsigned workers_asked;
    bool strict;
};

/* Check the options, read the environment, and make or retain the plan. On failure *plan is left alone. */
weft_status wf_settings_resolve(const weft_pool_options *options, struct wf_settings *settings, weft_plan **plan);

const char *wf_pin_name(weft_pin pin);

#endif
