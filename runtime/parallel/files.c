/*
 * Files in batches: a loop over the files of one batch, of which one more part is to find those of the next.
 * Threading: a batch is filled by the part that walks, and then read by the loop over it; letters as in scheduler/pool.h.
 */
#include "weft/files.h"

#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/status.h"
#include "parallel/file_walk.h"
#include "parallel/loop.h"
#include "scheduler/pool.h"

#define BATCH 1024u

struct batch {
    weft_file *files; /* paths are owned */
    size_t count;
};

struct files {
    struct wf_file_walk walk; /* of the part that walks */
    struct batch batches[2];  /* the loop's, and the walk's; they change roles */
    unsigned now;             /* I in a loop: which is the loop's */
    size_t most;
    weft_file_fn file;
    void *arg;
    wf_atomic_u32 stopped;      /* A: relaxed, a hint to who begins a file; the loop's end orders it for the caller */
    wf_atomic_u64 files, bytes; /* A: relaxed, the same */
};

static void find(struct files *files) {
    struct batch *batch = &files->batches[!files->now];
    weft_file file;
    while (batch->count < files->most && !wf_load(&files->stopped, WF_RELAXED) && wf_file_walk_next(&files->walk, &file)) {
        file.path = strdup(file.path);
        if (!file.path) {
            files->walk.exhausted = true;
            return;
        }
        batch->files[batch->count++] = file;
    }
}

static void work(struct files *files, const weft_file *file) {
    if (wf_load(&files->stopped, WF_RELAXED))
        return;
    wf_fetch_add(&files->files, 1, WF_RELAXED);
    wf_fetch_add(&files->bytes, file->bytes, WF_RELAXED);
    if (files->file(files->arg, file))
        wf_store(&files->stopped, 1, WF_RELAXED);
}

static void run_parts(void *arg, weft_range parts) {
    struct files *files = arg;
    for (size_t i = parts.first; i < parts.last; i++)
        if (i)
            work(files, &files->batches[files->now].files[i - 1]);
        else
            find(files);
}

static void clear(struct batch *batch) {
    for (size_t i = 0; i < batch->count; i++)
        free((char *)(uintptr_t)batch->files[i].path);
    batch->count = 0;
}

static weft_status run(weft_pool *pool, struct files *files) {
    weft_status status;
    do {
        struct batch *batch = &files->batches[files->now];
        status = wf_loop_run(pool, &(struct wf_loop_request){.n = 1 + batch->count, .body = run_parts, .arg = files, .grain = 1});
        clear(batch);
        files->now = !files->now;
    } while (!status && files->batches[files->now].count && !wf_load(&files->stopped, WF_RELAXED));
    if (!status && wf_load(&files->stopped, WF_RELAXED))
        return wf_fail(WEFT_ECANCELED, "the function of weft_for_files() said to stop");
    if (!status && files->walk.exhausted)
        return wf_fail(WEFT_ENOMEM, "no memory for more paths: set a smaller weft_files_options.batch than %zu", files->most);
    return status;
}

static weft_status check(weft_pool *pool, const char *const *paths, size_t path_count, weft_file_fn file) {
    if (!pool || !file || (path_count && !paths))
        return wf_fail(WEFT_EINVAL, "weft_for_files() needs a pool, paths and a function, got NULL");
    for (size_t i = 0; i < path_count; i++)
        if (!paths[i])
            return wf_fail(WEFT_EINVAL, "path %zu of %zu of weft_for_files() is NULL", i, path_count);
    return wf_pool_check(pool);
}

weft_status weft_for_files(weft_pool *pool, const char *const *paths, size_t path_count, weft_file_fn file, void *arg,
                           const weft_files_options *options) {
    weft_files_options known = {WEFT_FILES_OPTIONS_INIT};
    weft_files_report report = {0};
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_files_options");
    if (!status)
        status = check(pool, paths, path_count, file);
    if (status)
        return status;
    struct files files = {.walk = {.paths = paths, .path_count = path_count, .options = &known, .arg = arg, .report = &report},
                          .most = known.batch ? known.batch : BATCH,
                          .file = file,
                          .arg = arg};
    for (unsigned i = 0; i < 2 && files.most <= PTRDIFF_MAX / sizeof(weft_file); i++)
        files.batches[i].files = calloc(files.most, sizeof(weft_file));
    if (files.batches[0].files && files.batches[1].files)
        status = run(pool, &files);
    else
        status =
            wf_fail(WEFT_ENOMEM, "no memory for two batches of %zu files: set a smaller weft_files_options.batch", files.most);
    for (unsigned i = 0; i < 2; i++) {
        clear(&files.batches[i]);
        free(files.batches[i].files);
    }
    wf_file_walk_end(&files.walk);
    report.files = wf_load(&files.files, WF_RELAXED);
    report.bytes = wf_load(&files.bytes, WF_RELAXED);
    if (known.report)
        *known.report = report;
    return status;
}
