/*
 * A function for each file of directory trees, run on the pool.
 */
#ifndef WEFT_FILES_H
#define WEFT_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "weft/pool.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A file, or a directory that is about to be entered. */
typedef struct weft_file {
    const char *path;       /**< as the caller's path, and what was found below it; lives until the function returns */
    uint64_t bytes;         /**< its size, as it was found */
    uint64_t device, inode; /**< together they name the file, whatever its paths */
    int64_t modified_ns;    /**< since 1970 */
    unsigned depth;         /**< directories between it and the caller's path, which has 0 */
} weft_file;

/** Why an entry was left out. */
typedef enum weft_file_problem {
    WEFT_FILE_UNREADABLE = 0, /**< the system refused to look at it or to enter it; errno says why */
    WEFT_FILE_SPECIAL = 1,    /**< no regular file, directory or link: a socket, a device, ... */
    WEFT_FILE_LINK = 2,       /**< a symbolic link that is not followed */
    WEFT_FILE_LOOP = 3,       /**< a link to a directory that the walk is inside of */
    WEFT_FILE_DEEP = 4,       /**< a directory beyond the depth that was asked for */
    WEFT_FILE_PROBLEMS = 5
} weft_file_problem;

/** What a walk came to. */
typedef struct weft_files_report {
    uint64_t files, bytes;                 /**< for which the function was called */
    uint64_t directories;                  /**< entered */
    uint64_t skipped;                      /**< directories that options.enter said not to enter */
    uint64_t problems[WEFT_FILE_PROBLEMS]; /**< entries left out, for each weft_file_problem */
} weft_files_report;

/** Options of weft_for_files(). Zero means the default of each field. Start from WEFT_FILES_OPTIONS_INIT. */
typedef struct weft_files_options {
    size_t size;
    bool
        follow_links; /**< symbolic links below the caller's paths stand for what they point to; a file with several names is met as
                            often */
    unsigned depth;   /**< directories below a caller's path that are entered one inside the other; 0: as many as there are */
    size_t batch;     /**< files that are held at once, twice; 0: 1024 */
    bool (*enter)(void *arg, const weft_file *directory); /**< whether to enter a directory; NULL: all */
    void (*problem)(void *arg, const char *path, weft_file_problem problem,
                    int error); /**< tells of each entry left out; error: an
                                            errno, 0 where there is none; NULL: they are counted only */
    weft_files_report *report;  /**< [out] NULL: not wanted */
} weft_files_options;

#define WEFT_FILES_OPTIONS_INIT .size = sizeof(weft_files_options)

/** Something to do with a file; anything but 0 stops the walk. */
typedef int (*weft_file_fn)(void *arg, const weft_file *file);

/**
 * Call a function for each regular file at or below some paths. Files come in no order, several at once; the next ones are looked for
 * while those found are worked on. What cannot be looked at is left out, told of and counted, and is no error of the call.
 *
 * @param paths    path_count files or directories; symbolic links among them are followed.
 * @param file     called by many threads at once. A worker that waits for a disk computes nothing meanwhile.
 * @param arg      of file, options.enter and options.problem; the latter two are called by one thread at a time, beside files.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EFORK; WEFT_ECANCELED: file said to stop; files that others were at
 *         have been finished, and no more begun than each worker's next. After WEFT_ENOMEM and WEFT_ECLOSED some files may have been worked on;
 *         options.report is written then too.
 *
 * Threads, order: as weft_for(). Blocks: yes. Allocates two batches of paths, and a file descriptor for each directory that the walk is
 * inside of; without any left, the directory is WEFT_FILE_UNREADABLE.
 */
WEFT_API weft_status weft_for_files(weft_pool *pool, const char *const *paths, size_t path_count, weft_file_fn file, void *arg,
                                    const weft_files_options *options);

#ifdef __cplusplus
}
#endif
#endif
