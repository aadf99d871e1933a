/* The command line. */
#ifndef PREPROCESS_OPTIONS_H
#define PREPROCESS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXIT_FINE = 0,
    EXIT_OUTPUT = 1,  /* the result could not be computed or written */
    EXIT_SKIPPED = 3, /* the result is complete except for inputs that the report names */
    EXIT_BAD_USE = 64
};

struct options {
    const char *const *paths;
    size_t path_count;
    const char *output;
    const char *field;    /* of JSON lines */
    const char *topology; /* NULL: this machine */
    unsigned workers;     /* 0: as many as the machine gives */
    unsigned rounds;      /* of --compare; 0: do not compare */
    bool quiet;
    unsigned bands, rows, shingle;
    double threshold;
    uint32_t vocabulary;
    uint64_t shard_tokens;
    uint64_t document_bytes; /* largest text that is read */
    uint64_t memory_bytes;   /* for tokens kept between the passes */
};

/** Read the command line; complains and exits with EXIT_BAD_USE on nonsense. */
void options_parse(struct options *options, int argc, char **argv);

/** Values in a signature. */
static inline unsigned options_signature(const struct options *o) {
    return o->bands * o->rows;
}

#endif
