/*
 * The pipeline: read (own threads) -> decode -> resize -> [shuffle] -> batch -> write (own thread, in order). A file is a token: its bytes
 * and pixels lie in the token's arena until it is resized, its planes in the token's buffer, all on the token's home node. The batch
 * stage copies planes into the buffer of a batch.
 */
#ifndef IMAGES_LOADER_H
#define IMAGES_LOADER_H

#include <weft.h>

#include "../common/progress.h"
#include "files.h"
#include "options.h"

enum { LOADER_ERROR_BYTES = 256, LOADER_BATCHES = 2 };

/** Take one batch: rows one behind the other, and which file each is. In order, one after the other, on a thread that may block. False: `error`
 * says why, and the run stops. */
typedef bool (*loader_batch_fn)(void *arg, const float *rows, size_t count, const size_t *numbers,
                                char error[LOADER_ERROR_BYTES]);

struct loader {
    const struct options *options;
    struct files *files;
    loader_batch_fn take; /* NULL: nobody wants the batches */
    void *take_arg;
    struct progress *progress;
    weft_pool *pool;
    struct jpeg_decoder **decoders;     /* one per worker, made by it */
    weft_array *arrays[LOADER_BATCHES]; /* where batches lie, if somebody wants them in a certain place */
    void *buffers[LOADER_BATCHES];      /* in them; NULL: on the batch's home node */
    uint64_t written;                   /* images in batches that were taken; the write stage's */
    weft_pipeline *pipeline;
    unsigned tokens;                /* T */
    char error[LOADER_ERROR_BYTES]; /* after a run that failed: why */
};

/** Make the pipeline. On failure weft_error_detail() says why, and nothing is left. */
weft_status loader_create(struct loader *loader, const struct options *options, struct files *files, loader_batch_fn take,
                          void *take_arg, struct progress *progress, weft_pool *pool);

/** All files, once. Files that cannot be used have a problem in their outcome. WEFT_EIO: a batch was not taken; `error` says why. */
weft_status loader_run(struct loader *loader);

void loader_release(struct loader *loader);

#endif
