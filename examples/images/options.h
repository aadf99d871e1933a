/* The command line. */
#ifndef IMAGES_OPTIONS_H
#define IMAGES_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resample.h"

enum {
    EXIT_FINE = 0,
    EXIT_OUTPUT = 1,  /* the shards could not be written, or not all of them */
    EXIT_SKIPPED = 3, /* all is written but images that are broken or unreadable */
    EXIT_BAD_USE = 64
};

struct options {
    const char *const *paths;
    size_t path_count;
    const char *output;   /* NULL: --dry-run */
    const char *topology; /* NULL: this machine */
    const char *device;   /* PCI bus id that batches lie near; NULL: none */
    uint64_t generate;    /* images to make in paths[0]; 0: none */
    struct shape shape;
    size_t batch;  /* images */
    size_t window; /* images that are held back to be shuffled; 0: none */
    uint64_t seed;
    uint64_t pixels;  /* of a file at most */
    uint64_t bytes;   /* of a file at most */
    unsigned tokens;  /* 0: chosen */
    unsigned readers; /* threads that read */
    unsigned workers; /* 0: as many as the machine gives */
    int node;         /* that batches lie on; -1: any */
    bool shuffle, drop_last, full_decode, locked, quiet;
};

/** Read the command line; complains and exits with EXIT_BAD_USE on nonsense. */
void options_parse(struct options *options, int argc, char **argv);

#endif
