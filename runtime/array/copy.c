/*
 * Copying and filling: the destination is adopted as an array of bytes for the time of the call, and a loop over it runs where its pages
 * are. Threading: as weft_for_array().
 */
#include "weft/copy.h"

#include <string.h>

#include "base/status.h"
#include "scheduler/pool.h"

#define SMALL ((size_t)256 << 10) /* bytes that are not worth others' help */
#define PIECE ((size_t)128 << 10) /* bytes per call */

struct copy {
    char *to;
    const char *from; /* NULL: fill */
    int value;
};

static void run_piece(void *arg, weft_range range) {
    const struct copy *copy = arg;
    if (copy->from)
        memcpy(copy->to + range.first, copy->from + range.first, range.last - range.first);
    else
        memset(copy->to + range.first, copy->value, range.last - range.first);
}

static void run_small(struct copy *copy, size_t bytes, weft_loop_report *report) {
    if (bytes)
        run_piece(copy, (weft_range){0, bytes});
    if (report)
        *report = (weft_loop_report){
            .iterations = bytes, .iterations_unknown = bytes, .chunks = bytes != 0, .workers = bytes != 0}; /* nobody has asked */
}

static weft_status run(weft_pool *pool, struct copy *copy, size_t bytes, const weft_copy_options *known) {
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = known->schedule, .grain = PIECE, .report = known->report};
    if (weft_pool_nodes(pool) == 1) {
        options.align = WF_LINE;
        return weft_for(pool, bytes, run_piece, copy, &options);
    }
    weft_array *array;
    weft_status status = weft_array_adopt(&array, pool, copy->to, bytes, 1, NULL);
    if (status)
        return status;
    status = weft_for_array(array, run_piece, copy, &options);
    weft_array_destroy(array);
    return status;
}

static weft_status check_options(const weft_copy_options *options, weft_copy_options *known) {
    weft_status status = wf_options_copy(known, sizeof *known, options, "weft_copy_options");
    if (!status && (unsigned)known->schedule > WEFT_SCHEDULE_STATIC)
        return wf_fail(WEFT_EINVAL, "weft_copy_options.schedule is %d: use STEAL or STATIC", (int)known->schedule);
    return status;
}

static weft_status check(const char *name, weft_pool *pool, const void *to, size_t bytes) {
    if (!pool || (bytes && !to))
        return wf_fail(WEFT_EINVAL, "%s() needs a pool and memory, got NULL", name);
    if (bytes > PTRDIFF_MAX || (uintptr_t)to + bytes < (uintptr_t)to)
        return wf_fail(WEFT_EINVAL, "%s(): %zu bytes exceed the address space", name, bytes);
    return wf_pool_check(pool);
}

weft_status weft_memcpy(weft_pool *pool, void *to, const void *from, size_t bytes, const weft_copy_options *options) {
    weft_copy_options known = {WEFT_COPY_OPTIONS_INIT};
    weft_status status = check_options(options, &known);
    if (!status)
        status = check("weft_memcpy", pool, to, bytes);
    if (!status)
        status = check("weft_memcpy", pool, from, bytes);
    if (status)
        return status;
    uintptr_t a = (uintptr_t)to, b = (uintptr_t)from;
    if ((a < b ? b - a : a - b) < bytes)
        return wf_fail(WEFT_EINVAL, "weft_memcpy() got memory that overlaps: %zu bytes at %p and %p", bytes, to, from);
    struct copy copy = {.to = to, .from = from};
    if (bytes > SMALL)
        return run(pool, &copy, bytes, &known);
    run_small(&copy, bytes, known.report);
    return WEFT_OK;
}

weft_status weft_memset(weft_pool *pool, void *to, int value, size_t bytes, const weft_copy_options *options) {
    weft_copy_options known = {WEFT_COPY_OPTIONS_INIT};
    weft_status status = check_options(options, &known);
    if (!status)
        status = check("weft_memset", pool, to, bytes);
    if (status)
        return status;
    struct copy copy = {.to = to, .value = value};
    if (bytes > SMALL)
        return run(pool, &copy, bytes, &known);
    run_small(&copy, bytes, known.report);
    return WEFT_OK;
}
