/*
 * Loading images: every JPEG file of a directory read, decoded, resized and put into batches, which are written in order or only
 * added up. All peers call the functions of examples/images for one image.
 */
#ifndef BENCH_IMAGES_WORKLOAD_H
#define BENCH_IMAGES_WORKLOAD_H

#include <stdbool.h>

#include "../../examples/images/files.h"
#include "../../examples/images/options.h"
#include "../../examples/images/shards.h"

struct images_run {
    const struct options *options;
    struct files *files;
    struct shards *shards; /* NULL: nothing is written */
};

/** By each peer. False: failed. */
bool images_begin(void);
bool images_load(struct images_run *run); /* all files, once */
bool images_end(void);

/** Called by the peer for each batch, in order, one after the other: writes it, and adds up what it holds. False: failed. */
bool images_batch(const struct images_run *run, const float *rows, size_t count, const size_t *numbers);

#endif
