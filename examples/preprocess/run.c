/* The stages of a run, each a parallel step over documents; see README.md for what they do. */
#include "run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyse.h"
#include "clusters.h"

double run_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static weft_status make_arrays(struct run *run) {
    size_t n = run->collection->document_count > 0 ? run->collection->document_count : 1;
    weft_status status = weft_array_create(&run->finding_array, run->pool, n, sizeof(struct finding), NULL);
    if (status == WEFT_OK)
        status = weft_array_create(&run->signature_array, run->pool, n, run->scheme.stride * sizeof(uint32_t), NULL);
    if (status == WEFT_OK)
        status = weft_array_create(&run->parent_array, run->pool, n, sizeof *run->parents, NULL);
    run->findings = weft_array_data(run->finding_array);
    run->signatures = weft_array_data(run->signature_array);
    run->parents = weft_array_data(run->parent_array);
    return status;
}

weft_status run_create(struct run *run, const struct options *options, const struct collection *collection,
                       struct progress *progress, weft_pool *pool) {
    *run = (struct run){.options = options, .collection = collection, .progress = progress, .pool = pool};
    weft_status status = WEFT_ENOMEM;
    if (signature_scheme_create(&run->scheme, options_signature(options), options->shingle) != 0)
        return status;
    run->loaders = calloc(weft_pool_workers(pool), sizeof *run->loaders);
    if (run->loaders != NULL)
        status = make_arrays(run);
    for (unsigned i = 0; run->loaders != NULL && i < weft_pool_workers(pool); i++)
        run->loaders[i].options = options;
    if (status != WEFT_OK)
        run_release(run);
    return status;
}

void run_release(struct run *run) {
    for (size_t i = 0; run->findings != NULL && i < run->collection->document_count; i++) {
        free(run->findings[i].kept);
        free(run->findings[i].detail);
    }
    for (unsigned i = 0; run->loaders != NULL && i < weft_pool_workers(run->pool); i++)
        loader_release(&run->loaders[i]);
    free(run->loaders);
    weft_array_destroy(run->parent_array);
    weft_array_destroy(run->signature_array);
    weft_array_destroy(run->finding_array);
    signature_scheme_release(&run->scheme);
    *run = (struct run){0};
}

static weft_status timed(struct run *run, enum stage stage, weft_status (*step)(struct run *)) {
    double begin = run_now();
    weft_status status = step(run);
    run->seconds[stage] = run_now() - begin;
    return status;
}

/* What the pool's counters have grown by since `before`. */
static void count_since(struct run *run, const weft_stats *before) {
    weft_stats *s = &run->stats;
    if (weft_pool_stats(run->pool, -1, s) != WEFT_OK)
        return;
    s->tasks -= before->tasks;
    s->parks -= before->parks;
    s->loop_iterations -= before->loop_iterations;
    s->loop_iterations_local -= before->loop_iterations_local;
    s->steals_cache -= before->steals_cache;
    s->steals_node -= before->steals_node;
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        s->steals_remote[i] -= before->steals_remote[i];
}

weft_status run_compute(struct run *run) {
    static const struct {
        enum stage stage;
        weft_status (*step)(struct run *);
    } steps[] = {
        {STAGE_ANALYSE, analyse}, {STAGE_EXACT, clusters_exact}, {STAGE_NEAR, clusters_near}, {STAGE_SETTLE, clusters_settle}};
    weft_stats before = {0};
    weft_status status = WEFT_OK;
    if (run->collection->document_count == 0)
        return status;
    weft_pool_stats(run->pool, -1, &before);
    for (size_t i = 0; status == WEFT_OK && i < sizeof steps / sizeof *steps; i++)
        status = timed(run, steps[i].stage, steps[i].step);
    count_since(run, &before);
    return status;
}

double run_compute_seconds(const struct run *run) {
    double sum = 0;
    for (enum stage stage = STAGE_ANALYSE; stage < STAGE_WRITE; stage++)
        sum += run->seconds[stage];
    return sum;
}

static bool finding_equal(const struct finding *a, const struct finding *b) {
    return a->problem == b->problem && a->hash == b->hash && a->text_bytes == b->text_bytes && a->tokens == b->tokens &&
           a->representative == b->representative && a->agreement == b->agreement && a->duplicates == b->duplicates;
}

bool run_equal(const struct run *left, const struct run *right) {
    size_t n = left->collection->document_count;
    for (size_t i = 0; i < n; i++)
        if (!finding_equal(&left->findings[i], &right->findings[i]))
            return false;
    return memcmp(left->signatures, right->signatures, n * left->scheme.stride * sizeof *left->signatures) == 0;
}
