/* The input: which files there are, in an order that does not depend on the file system. */
#ifndef IMAGES_FILES_H
#define IMAGES_FILES_H

#include <stddef.h>
#include <stdint.h>

/** What became of a file. Written by whoever has its token, read after the run. */
struct outcome {
    const char *problem; /* NULL: it is in a shard; else static, or text */
    char text[120];      /* a problem's detail */
    uint32_t width, height;
};

struct files {
    char **paths; /* sorted by their bytes, or shuffled */
    struct outcome *outcomes;
    size_t count, capacity;
    uint64_t bytes;
    size_t unreadable_directories;
};

/** All regular files below the paths whose names end in .jpg, .jpeg, .jpe or .jfif, in any case; files that are named themselves, whatever
 * their names. Links inside directories are not followed. 0; else errno, `files` is released. */
int files_find(struct files *files, const char *const *paths, size_t path_count);

/** Another order, a function of the seed and the number of files. */
void files_shuffle(struct files *files, uint64_t seed);

void files_release(struct files *files);

#endif
