/*
 * One computation over a collection: what every document is, and which cluster it belongs to. --compare makes several; each
 * has its own findings, so their results can be compared. The main thread drives it stage by stage.
 */
#ifndef PREPROCESS_RUN_H
#define PREPROCESS_RUN_H

#include <stdatomic.h>
#include <weft.h>

#include "../common/progress.h"
#include "input.h"
#include "load.h"
#include "signature.h"

enum stage { STAGE_ANALYSE, STAGE_EXACT, STAGE_NEAR, STAGE_SETTLE, STAGE_WRITE, STAGES };

struct run {
    const struct options *options;
    const struct collection *collection;
    struct progress *progress;
    weft_pool *pool;
    struct signature_scheme scheme;
    struct loader *loaders;                       /* one per worker; touched only by it */
    weft_array *finding_array;                    /* the findings, each on the node of the worker that is to analyse it */
    struct finding *findings;                     /* its items, by document id */
    weft_array *signature_array;                  /* the signatures, placed alike */
    uint32_t *signatures;                         /* its items: scheme.stride values per document */
    weft_array *parent_array;                     /* the forest of clusters, see clusters.h */
    _Atomic uint32_t *parents;                    /* its items */
    _Atomic uint64_t memory_used;                 /* bytes of tokens kept so far; relaxed: a budget, it orders nothing */
    _Atomic uint64_t partitions, partitions_home; /* of the bucket tables: built, and built on their own node; relaxed counts */
    weft_loop_report report;                      /* of the loop that analyses */
    weft_stats stats;                             /* of the pool, from begin to end of the computation */
    double seconds[STAGES];
};

/** Signature of a document. */
static inline uint32_t *run_signature(const struct run *run, size_t document) {
    return run->signatures + document * run->scheme.stride;
}

/** The loader of the calling worker. */
static inline struct loader *run_loader(const struct run *run) {
    return &run->loaders[weft_current_worker()];
}

/** Prepare a run. WEFT_OK, or what was missing; then nothing is held. */
weft_status run_create(struct run *run, const struct options *options, const struct collection *collection,
                       struct progress *progress, weft_pool *pool);
void run_release(struct run *run);

/** All stages up to the clusters. */
weft_status run_compute(struct run *run);

/** Seconds of all stages up to the clusters. */
double run_compute_seconds(const struct run *run);

/** Seconds on a clock that only goes forward. */
double run_now(void);

/** Whether two runs over one collection found the same. */
bool run_equal(const struct run *left, const struct run *right);

#endif
