/*
 * The internal face of the loops, for rooms that stand above (array/): a loop whose parts the caller has chosen.
 */
#ifndef WF_PARALLEL_LOOP_H
#define WF_PARALLEL_LOOP_H

#include <stdbool.h>

#include "weft/loop.h"

struct wf_loop_request {
    size_t n;
    weft_loop_fn body;
    void *arg;
    weft_schedule schedule; /* STEAL or STATIC */
    size_t grain;           /* 0: automatic */
    size_t align;           /* 0: 1; chunks that a worker claims begin at multiples of it where its part does */
    const size_t *bounds;   /* worker i owns [bounds[i], bounds[i + 1]); weft_pool_workers() + 1 increasing values, the
                                 first 0 and the last n; read during the call only. NULL: weft_partition() */
    bool placed;     /* each part on a thread that is bound to its worker's CPUs: the bodies place memory, or run where it is */
    bool any_thread; /* as in weft_for_options; bounds are not looked at */
    weft_loop_report *report; /* written on success; may be NULL */
};

/* As weft_for(), with the request's parts. */
weft_status wf_loop_run(weft_pool *pool, const struct wf_loop_request *request);

#endif
