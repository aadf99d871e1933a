/*
 * The vocabulary of the program: what a document is, what was found out about it, and what can be wrong with it.
 *
 * A document is immutable once collected. Its finding is written by the one worker that analyses it and read by everybody
 * after that loop has ended.
 */
#ifndef PREPROCESS_DOCUMENT_H
#define PREPROCESS_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** Shards hold little-endian numbers and hashes are taken over them, so the program says no where that would not hold. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "written for little-endian machines");

enum problem {
    PROBLEM_NONE = 0,
    PROBLEM_UNREADABLE, /* the system refuses to open or read it */
    PROBLEM_CHANGED,    /* it was not the same when it was read again */
    PROBLEM_TOO_LARGE,  /* beyond --max-document */
    PROBLEM_BROKEN_GZIP,
    PROBLEM_BROKEN_UTF8,
    PROBLEM_BAD_JSON,    /* a line that is no JSON object */
    PROBLEM_NO_TEXT,     /* an object without the text field */
    PROBLEM_UNSUPPORTED, /* compressed JSON lines */
    PROBLEM_BINARY,      /* holds a NUL byte. From here on: named and counted, but nothing is wrong */
    PROBLEM_EMPTY,       /* no bytes, or no tokens */
    PROBLEM_SPECIAL,     /* neither file, directory nor link */
    PROBLEM_KINDS
};

/** Name of a problem in the report. */
static inline const char *problem_name(enum problem kind) {
    static const char *const names[PROBLEM_KINDS] = {"none",        "unreadable",  "changed",  "too-large",
                                                     "broken-gzip", "broken-utf8", "bad-json", "no-text",
                                                     "unsupported", "binary",      "empty",    "special"};
    return names[kind];
}

/** Whether a problem makes the exit code 3. */
static inline bool problem_is_failure(enum problem kind) {
    return kind != PROBLEM_NONE && kind < PROBLEM_BINARY;
}

/** A file of the input. */
struct source {
    char *path;
    uint64_t bytes; /* as the directory said; the file may have grown since */
    dev_t device;
    ino_t inode;
    bool lines; /* JSON lines: one document per line */
};

/** A document: a whole file, or one line of a JSON lines file. */
struct document {
    const struct source *source;
    uint64_t offset, bytes; /* where it lies in the source; of a whole file, offset 0 and the size when it was collected */
    uint32_t line;          /* from 1; 0: a whole file */
};

/** What one run found out about a document. All zero: not looked at. */
struct finding {
    uint64_t hash;       /* XXH64 of the normalised text */
    uint64_t text_bytes; /* length of the normalised text */
    uint64_t tokens;     /* number of tokens */
    uint32_t *kept;      /* the token hashes, where the memory budget allowed to keep them, else NULL; malloc */
    char *detail;        /* what is wrong in words; malloc, NULL: nothing to add */
    enum problem problem;
    uint32_t representative; /* smallest id of its cluster; its own id: kept */
    uint32_t agreement;      /* of a duplicate: equal signature values with its representative */
    uint32_t duplicates;     /* of a representative: other members of its cluster */
    uint32_t shard;          /* of a kept document */
    uint64_t shard_offset;   /* in tokens */
};

/** Whether the document has a text that can be compared. */
static inline bool finding_usable(const struct finding *f) {
    return f->problem == PROBLEM_NONE;
}

#endif
