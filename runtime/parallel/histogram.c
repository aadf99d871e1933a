/*
 * Histograms: each worker has bins of its own, which are added up in the end. Sums of whole numbers do not depend on who counted what.
 * Threading: a worker's bins are written by who runs as that worker; the loop's end orders them before the sum.
 */
#include <string.h>

#include "base/compiler.h"
#include "base/status.h"
#include "parallel/loop.h"
#include "parallel/workspace.h"
#include "scheduler/pool.h"
#include "weft/algorithm.h"
#include "weft/task.h"

#define ADD_PIECE ((size_t)4 << 10) /* bins that are added up at once */

struct histogram {
    weft_pool *pool;
    size_t n;
    weft_histogram_fn leaf;
    void *arg;
    uint64_t *bins; /* the caller's */
    char *own;      /* one set of bins per worker, each on lines of its own */
    size_t count, stride;
    unsigned workers;
};

static uint64_t *bins_of(const struct histogram *histogram, unsigned worker) {
    return (uint64_t *)(void *)(histogram->own + worker * histogram->stride);
}

static void count(void *arg, weft_range range) {
    const struct histogram *histogram = arg;
    histogram->leaf(histogram->arg, range, bins_of(histogram, (unsigned)weft_current_worker()));
}

static void clear(void *arg, weft_range workers) {
    const struct histogram *histogram = arg;
    for (size_t i = workers.first; i < workers.last; i++)
        memset(bins_of(histogram, (unsigned)i), 0, histogram->count * sizeof(uint64_t));
}

static void add(void *arg, weft_range bins) {
    const struct histogram *histogram = arg;
    for (unsigned worker = 0; worker < histogram->workers; worker++) {
        const uint64_t *own = bins_of(histogram, worker);
        for (size_t i = bins.first; i < bins.last; i++)
            histogram->bins[i] += own[i];
    }
}

/* Loops in tasks are not refused. */
static void run(void *arg) {
    struct histogram *histogram = arg;
    (void)wf_loop_run(histogram->pool,
                      &(struct wf_loop_request){.n = histogram->workers, .body = clear, .arg = histogram, .grain = 1});
    (void)wf_loop_run(histogram->pool, &(struct wf_loop_request){.n = histogram->n, .body = count, .arg = histogram});
    (void)wf_loop_run(histogram->pool,
                      &(struct wf_loop_request){.n = histogram->count, .body = add, .arg = histogram, .grain = ADD_PIECE});
}

weft_status weft_histogram(weft_pool *pool, size_t n, weft_histogram_fn leaf, void *arg, uint64_t *bins, size_t count) {
    size_t bytes;
    if (!pool || !leaf || !bins)
        return wf_fail(WEFT_EINVAL, "weft_histogram() needs a pool, a leaf and bins, got NULL");
    if (!count)
        return wf_fail(WEFT_EINVAL, "weft_histogram() needs the number of bins, got 0");
    struct histogram histogram = {
        .pool = pool, .n = n, .leaf = leaf, .arg = arg, .bins = bins, .count = count, .workers = weft_pool_workers(pool)};
    if (count > (SIZE_MAX - WF_LINE) / sizeof(uint64_t) ||
        __builtin_mul_overflow(histogram.stride = (count * sizeof(uint64_t) + WF_LINE - 1) / WF_LINE * WF_LINE,
                               (size_t)histogram.workers, &bytes) ||
        bytes > PTRDIFF_MAX)
        return wf_fail(WEFT_ENOMEM, "%zu bins for each of %u workers exceed the address space", count, histogram.workers);
    struct wf_workspace workspace;
    weft_status status = wf_workspace_take(&workspace, pool, bytes);
    if (status)
        return status;
    histogram.own = workspace.start;
    status = weft_run(pool, run, &histogram);
    wf_workspace_release(&workspace);
    return status;
}
