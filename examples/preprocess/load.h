/*
 * Loading one document: its bytes, its normalised text, its tokens. Reads a document the same way in every pass. A loader
 * belongs to one worker; documents are shared.
 */
#ifndef PREPROCESS_LOAD_H
#define PREPROCESS_LOAD_H

#include "buffer.h"
#include "document.h"
#include "options.h"

struct loader {
    const struct options *options;
    struct buffer raw, spare;
    struct token_list tokens; /* of the document loaded last */
    uint64_t hash;            /* of its normalised text */
    uint64_t text_bytes;
    char detail[160];           /* what is wrong with it, in words */
    const struct source *lines; /* the JSON lines file that was read last, NULL: none */
    int lines_file;             /* which stays open, since its next line probably comes next */
};

/** Load a document. Afterwards tokens, hash and text_bytes describe it, or detail says what is wrong. */
enum problem loader_load(struct loader *loader, const struct document *document);

void loader_release(struct loader *loader);

#endif
