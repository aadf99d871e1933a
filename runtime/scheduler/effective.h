/* The effective state of a pool: what was asked, what was granted, and why. Made at the end of creation, told anew after changes. */
#ifndef WF_SCHEDULER_EFFECTIVE_H
#define WF_SCHEDULER_EFFECTIVE_H

#include "scheduler/pool.h"

weft_status wf_effective_make(weft_pool *pool); /* WEFT_ENOMEM */
void wf_effective_fill(weft_pool *pool);        /* L: the lock of watch.h, once the pool runs */
void wf_effective_release(struct wf_effective_lines *lines);

#endif
