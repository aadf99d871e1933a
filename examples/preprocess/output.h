/*
 * The output directory. Files are written under temporary names and appear together, after all of them are on the disk: a run
 * that fails leaves an earlier result as it was, and report.json, which appears last, marks a complete one.
 */
#ifndef PREPROCESS_OUTPUT_H
#define PREPROCESS_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct output {
    const char *path;
    int directory; /* file descriptor */
};

/** What went wrong with an output file. */
struct output_error {
    char name[64];
    int error; /* errno; 0: nothing */
};

enum { OUTPUT_NAME_BYTES = 32 };

/** Make the directory if need be, see that it can be written, remove what an interrupted run left. False: error says why. */
bool output_open(struct output *output, const char *path, struct output_error *error);

/** Begin a file. NULL: error says why. Any thread, each with its own file. */
FILE *output_begin(const struct output *output, const char *name, struct output_error *error);

/** End a file: on the disk or not at all. False: error says why, and the file is gone. */
bool output_end(const struct output *output, FILE *file, const char *name, struct output_error *error);

/** Name of a shard. */
void output_shard_name(char name[OUTPUT_NAME_BYTES], size_t shard);

/** Let `shards` shards and the other files, all of them ended, take the place of an earlier result. */
bool output_commit(const struct output *output, size_t shards, struct output_error *error);

/** Remove what was not committed, and close. */
void output_close(struct output *output);

#endif
