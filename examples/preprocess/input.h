/*
 * Collecting the documents: which files there are, each real file once, in an order that depends on nothing but their names.
 * Called by the main thread before anything runs in parallel, except for the line search of JSON lines.
 */
#ifndef PREPROCESS_INPUT_H
#define PREPROCESS_INPUT_H

#include <stddef.h>
#include <weft.h>

#include "document.h"

/** Something wrong with an input that never became a document. */
struct input_problem {
    char *path;
    enum problem kind;
    char *detail; /* malloc; may be NULL */
};

struct collection {
    struct source *sources; /* by path, bytewise */
    size_t source_count;
    struct document *documents; /* by source, then line: the index is the document's id */
    size_t document_count;
    struct input_problem *problems;
    size_t problem_count;
    uint64_t links;    /* symbolic links met in directories; not followed */
    uint64_t repeated; /* further names of files that were collected already */
    uint64_t bytes;    /* of all documents, as stored */
};

/**
 * Walk the paths and order what is found.
 *
 * @param skip  a directory that is left out (the output), or NULL.
 * @return 0, or -1 with errno: out of memory. Everything else goes wrong per path, into `problems`.
 */
int collection_walk(struct collection *collection, const char *const *paths, size_t path_count, const char *skip);

/** Note what is wrong with a path. 0, or -1: out of memory. */
int collection_add_problem(struct collection *collection, const char *path, enum problem kind, const char *detail);

/** Cut JSON lines files into lines and number the documents. 0, or -1: out of memory, or more than 2^32 - 2 documents. */
int collection_number(struct collection *collection, weft_pool *pool);

void collection_release(struct collection *collection);

#endif
