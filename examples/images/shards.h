/*
 * The output directory: shard-00000.npy, ... (NumPy's format, float32, C order: image, colour, row, column) and index.tsv, which says
 * which image every row is. A shard appears under its name when all of it is written, and then its lines in the index: what the index
 * names is there, whatever happens afterwards. One thread writes. A shard whose lines cannot be written is removed again.
 *
 * Source: NumPy's format 1.0, numpy.lib.format.
 */
#ifndef IMAGES_SHARDS_H
#define IMAGES_SHARDS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "files.h"

struct shards {
    int directory;
    int index;
    off_t index_bytes;     /* of it that are complete: lines of whole shards */
    uint64_t count, bytes; /* shards that are complete */
    char error[256];       /* the last failure: what, and why */
};

/** Make the directory if need be, remove the shards of an earlier run, begin the index. False: error says why. */
bool shards_open(struct shards *shards, const char *path);

/**
 * Write one shard.
 *
 * @param rows     `row_count` rows of 3 x size x size floats, one after the other.
 * @param numbers  which file each row is.
 * @return false: error says why; no part of it is left, and no line in the index.
 */
bool shards_write(struct shards *shards, const float *rows, size_t row_count, unsigned size, const struct files *files,
                  const size_t *numbers);

/** False: the index could not be written to the end. Nothing happens if nothing is open (directory below 0). */
bool shards_close(struct shards *shards);

#endif
