/*
 * The walk over directory trees, file by file. It holds the directories that it is inside of, and nothing of those it has left.
 * Threading: one thread at a time.
 */
#ifndef WF_PARALLEL_FILE_WALK_H
#define WF_PARALLEL_FILE_WALK_H

#include <dirent.h>
#include <sys/stat.h>

#include "weft/files.h"

/* A directory that the walk is inside of. */
struct wf_file_level {
    DIR *directory;
    size_t path_bytes; /* of its path, in wf_file_walk.path */
    dev_t device;
    ino_t inode;
};

struct wf_file_walk {
    const char *const *paths; /* the caller's, and which is next */
    size_t path_count, next;
    const weft_files_options *options;
    void *arg;
    weft_files_report *report;
    char *path; /* of what the walk is at */
    size_t path_room;
    struct wf_file_level *levels;
    size_t depth, level_room;
    bool exhausted; /* no memory: the walk has ended early */
};

/* The next file, whose path is valid until the next call. False: there are no more, or there is no memory. */
bool wf_file_walk_next(struct wf_file_walk *walk, weft_file *file);

void wf_file_walk_end(struct wf_file_walk *walk);

#endif
