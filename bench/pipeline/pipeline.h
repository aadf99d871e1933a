/*
 * Pipelines of stages that do next to nothing: what the runtime costs per token and stage. pipeline.c has the shapes, the stages and the
 * check; each other file is one peer's pipeline.
 */
#ifndef BENCH_PIPELINE_PIPELINE_H
#define BENCH_PIPELINE_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PIPELINE_STAGES_MOST 8

struct pipeline_shape {
    const char *name;
    const char *stages; /* a letter for each: o in order, p parallel */
    unsigned tokens;    /* that may be there at once */
    unsigned work_ns;   /* of each parallel stage; 0: none */
};

/* What stages call. The source: false: there is no more. */
bool pipeline_source(uint64_t *value);
uint64_t pipeline_middle(uint64_t value); /* any stage between the ends */
void pipeline_last(uint64_t value);       /* the last; in order if it is an o */

/* The peer's: make, run through once (false: failed), release. */
bool pipeline_make(const struct pipeline_shape *shape);
bool pipeline_run(const struct pipeline_shape *shape);
void pipeline_release(void);

#ifdef __cplusplus
}
#endif
#endif
