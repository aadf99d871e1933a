/* Interleaved rounds: one worker, all workers, one worker, all workers ... after a round of all that warms the page cache. */
#include "compare.h"

#include <stdlib.h>

static int by_size(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double median(double *values, unsigned count) {
    qsort(values, count, sizeof *values, by_size);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Compute anew on a pool, and see that the result is that of `run`. */
static weft_status round_on(weft_pool *pool, const struct run *run, double *seconds, bool *equal) {
    struct run other;
    weft_status status = run_create(&other, run->options, run->collection, run->progress, pool);
    if (status != WEFT_OK)
        return status;
    status = run_compute(&other);
    *seconds = run_compute_seconds(&other);
    *equal = *equal && status == WEFT_OK && run_equal(run, &other);
    run_release(&other);
    return status;
}

static weft_status measure(struct comparison *c, const struct run *run, weft_pool *one) {
    weft_status status = WEFT_OK;
    double *seconds = calloc(2 * (size_t)c->rounds, sizeof *seconds);
    if (seconds == NULL)
        return WEFT_ENOMEM;
    for (unsigned i = 0; status == WEFT_OK && i < c->rounds; i++) {
        progress_round(run->progress, i + 1, c->rounds);
        status = round_on(one, run, &seconds[i], &c->equal);
        if (status == WEFT_OK)
            status = round_on(run->pool, run, &seconds[c->rounds + i], &c->equal);
    }
    c->one_seconds = median(seconds, c->rounds);
    c->all_seconds = median(seconds + c->rounds, c->rounds);
    free(seconds);
    progress_round(run->progress, 0, 0);
    return status;
}

weft_status compare(struct comparison *c, struct run *run) {
    weft_pool *one;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .workers = 1, .topology = run->options->topology};
    *c = (struct comparison){.rounds = run->options->rounds, .equal = true};
    weft_status status = run_compute(run);
    if (status == WEFT_OK)
        status = weft_pool_create(&one, &options);
    if (status != WEFT_OK)
        return status;
    status = measure(c, run, one);
    weft_pool_destroy(one);
    return status;
}
