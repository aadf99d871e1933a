/* Folders, and one loop over the files. */
#include "generate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "pictures.h"

enum { PATH_BYTES = 4096, PER_FOLDER = 1000 };

struct job {
    const char *directory;
    uint64_t seed;
    struct progress *progress;
    char *failed;
    atomic_int error; /* the first one; its thread writes `failed` */
};

static void make_files(void *arg, weft_range range) {
    struct job *job = arg;
    for (size_t i = range.first; i < range.last && !atomic_load_explicit(&job->error, memory_order_relaxed); i++) {
        char path[PATH_BYTES];
        snprintf(path, sizeof path, "%s/%03zu/%06zu.jpg", job->directory, i / PER_FOLDER, i);
        int none = 0, error = picture_write(path, job->seed, i);
        progress_advance(job->progress, 1, 1);
        if (error && atomic_compare_exchange_strong(&job->error, &none, error))
            snprintf(job->failed, 256, "%.255s", path);
    }
}

static int make_folders(const char *directory, uint64_t count, char *failed) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s", directory);
    for (uint64_t i = 0;; i++) {
        snprintf(failed, 256, "%.255s", path);
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return errno;
        if (i * PER_FOLDER >= count)
            return 0;
        snprintf(path, sizeof path, "%s/%03" PRIu64, directory, i);
    }
}

int generate(weft_pool *pool, const char *directory, uint64_t count, uint64_t seed, struct progress *progress, char *failed) {
    struct job job = {.directory = directory, .seed = seed, .progress = progress, .failed = failed};
    if (strlen(directory) > PATH_BYTES - 64)
        return snprintf(failed, 256, "%.250s...", directory), ENAMETOOLONG;
    int error = make_folders(directory, count, failed);
    if (error)
        return error;
    progress_stage(progress, "generate", count, count);
    weft_status status = weft_for(pool, count, make_files, &job, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .grain = 1});
    return status ? (snprintf(failed, 256, "%.255s", weft_error_detail()), ENOMEM) : atomic_load(&job.error);
}
