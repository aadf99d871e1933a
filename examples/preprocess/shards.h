/* Second pass: which shard a kept document goes to, and writing the shards in parallel. */
#ifndef PREPROCESS_SHARDS_H
#define PREPROCESS_SHARDS_H

#include "output.h"
#include "run.h"

/** Token id 0 stands for nothing: it fills the place of a document that was not the same when it was read again. */
enum { TOKEN_PADDING = 0 };

/** Where the shards' documents are. */
struct layout {
    uint32_t *kept; /* ids of the kept documents, in order */
    size_t kept_count;
    size_t *shard_begin; /* shard s holds kept[shard_begin[s]] to kept[shard_begin[s + 1] - 1]; shard_count + 1 items */
    size_t shard_count;
    uint64_t tokens;
};

/** Share the kept documents out to shards, in order. 0, or -1: out of memory. */
int layout_create(struct layout *layout, struct run *run);
void layout_release(struct layout *layout);

/**
 * Write all shards under their temporary names, one task each.
 *
 * @return WEFT_OK: all are there, or error says which one is not and why; otherwise what weft lacked.
 */
weft_status shards_write(struct run *run, const struct layout *layout, const struct output *output, struct output_error *error);

#endif
