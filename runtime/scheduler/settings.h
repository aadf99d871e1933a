/* A pool's options after defaults, environment and checks. */
#ifndef WF_SCHEDULER_SETTINGS_H
#define WF_SCHEDULER_SETTINGS_H

#include "weft/pool.h"

struct wf_settings {
    weft_pin pin_asked, pin;   /* pin is never DEFAULT */
    const char *pin_asked_by;  /* static; NULL: by nobody */
    const char *pin_reason;    /* static */
    uint64_t spin_us_asked;    /* only with spin_asked_by */
    const char *spin_asked_by; /* static; NULL: by nobody */
    uint64_t spin_ns;
    const char *spin_reason; /* static */
    size_t stack_bytes;      /* 0: the system's default */
    uint32_t deque_slots;
    unsigned submit_limit; /* 0: none */
    unsigned workers_asked;
    bool strict, fixed, grow, help_any, hardened;
};

/* Check the options, read the environment, and make or retain the plan. On failure *plan is left alone. */
weft_status wf_settings_resolve(const weft_pool_options *options, struct wf_settings *settings, weft_plan **plan);

/* What DEFAULT means under a plan, for a pool that claims its cores where it means them (NULL: it is not made yet). */
void wf_settings_follow(struct wf_settings *settings, const weft_plan *plan, weft_pool *pool);

const char *wf_pin_name(weft_pin pin);

#endif
