/* weft_for(): its options checked, and what first touch means for the parts. */
#include "base/status.h"
#include "memory/pages.h"
#include "parallel/loop.h"
#include "scheduler/pool.h"

/* Iterations per step between page boundaries, 1 if parts that begin there would be too uneven. */
static size_t page_align(const weft_pool *pool, size_t n, size_t item_bytes) {
    size_t page = wf_page_bytes(), a = page, b = item_bytes;
    while (b) { /* greatest common divisor */
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    size_t align = page / a;
    return align <= n / pool->worker_count ? align : 1;
}

weft_status weft_for(weft_pool *pool, size_t n, weft_loop_fn body, void *arg, const weft_for_options *options) {
    weft_for_options known = {WEFT_FOR_OPTIONS_INIT};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_for_options");
    if (status)
        return status;
    if (!pool || !body)
        return wf_fail(WEFT_EINVAL, "weft_for() needs a pool and a body, got NULL");
    if ((unsigned)known.schedule > WEFT_SCHEDULE_FIRST_TOUCH)
        return wf_fail(WEFT_EINVAL, "weft_for_options.schedule is %d: use STEAL, STATIC or FIRST_TOUCH", (int)known.schedule);
    if (known.tile[0] || known.tile[1] || known.tile[2])
        return wf_fail(WEFT_EINVAL, "weft_for_options.tile is for weft_for_2d() and weft_for_3d(): use grain");
    struct wf_loop_request request = {.n = n,
                                      .body = body,
                                      .arg = arg,
                                      .schedule = known.schedule,
                                      .grain = known.grain,
                                      .align = known.align,
                                      .any_thread = known.any_thread,
                                      .report = known.report};
    if (known.schedule == WEFT_SCHEDULE_FIRST_TOUCH) {
        if (!known.item_bytes)
            return wf_fail(WEFT_EINVAL,
                           "WEFT_SCHEDULE_FIRST_TOUCH needs weft_for_options.item_bytes, the bytes one iteration touches");
        if (known.align)
            return wf_fail(WEFT_EINVAL,
                           "WEFT_SCHEDULE_FIRST_TOUCH chooses the alignment itself: leave weft_for_options.align zero");
        request.schedule = WEFT_SCHEDULE_STATIC;
        request.placed = true;
        request.align = page_align(pool, n, known.item_bytes);
    }
    return wf_loop_run(pool, &request);
}
