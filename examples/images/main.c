/*
 * images: decodes JPEG files, resizes them and writes batches as NumPy files. README.md says what goes in and out; loader.h holds the
 * pipeline. This file puts things in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "generate.h"
#include "report.h"

static int complain_weft(const char *what, weft_status status) {
    fprintf(stderr, "images: %s: %s: %s\n", what, weft_status_name(status), weft_error_detail());
    return status == WEFT_EINVAL || status == WEFT_ETOPOLOGY ? EXIT_BAD_USE : EXIT_OUTPUT;
}

static int complain_system(const char *what, const char *name, int error) {
    fprintf(stderr, "images: cannot %s %s: %s\n", what, name, strerror(error));
    return EXIT_OUTPUT;
}

/* A batch becomes a shard. */
struct output {
    struct shards shards;
    const struct options *options;
    const struct files *files;
};

static bool write_batch(void *arg, const float *rows, size_t count, const size_t *numbers, char error[LOADER_ERROR_BYTES]) {
    struct output *output = arg;
    if (shards_write(&output->shards, rows, count, output->options->shape.size, output->files, numbers))
        return true;
    snprintf(error, LOADER_ERROR_BYTES, "%s", output->shards.error);
    return false;
}

static int finish(const struct loader *loader, const struct shards *shards, weft_status status) {
    struct totals totals = report_totals(loader->files, loader->written);
    report_problems(loader->files);
    if (status) {
        fprintf(stderr, "images: %s: %s: %s\n", status == WEFT_EIO ? "cannot write shards" : "cannot load",
                weft_status_name(status), loader->error);
        return EXIT_OUTPUT;
    }
    if (!loader->options->quiet)
        report_summary(loader, shards, &totals);
    return totals.left_out ? EXIT_SKIPPED : EXIT_FINE;
}

/* `output` NULL: nothing is written. */
static int load(const struct options *options, struct files *files, struct output *output, struct progress *progress,
                weft_pool *pool) {
    struct loader loader;
    weft_status status = loader_create(&loader, options, files, output ? write_batch : NULL, output, progress, pool);
    if (status)
        return progress_stop(progress), complain_weft("cannot make the pipeline", status);
    status = loader_run(&loader);
    progress_stop(progress);
    int code = finish(&loader, output ? &output->shards : NULL, status);
    loader_release(&loader);
    return code;
}

static int load_into(const struct options *options, struct files *files, struct progress *progress, weft_pool *pool) {
    struct output output = {.options = options, .files = files};
    int code = EXIT_OUTPUT;
    if (!options->output)
        return load(options, files, NULL, progress, pool);
    if (shards_open(&output.shards, options->output))
        code = load(options, files, &output, progress, pool);
    else
        progress_stop(progress), fprintf(stderr, "images: %s\n", output.shards.error);
    if (!shards_close(&output.shards) && code != EXIT_OUTPUT) {
        fprintf(stderr, "images: %s\n", output.shards.error);
        code = EXIT_OUTPUT;
    }
    return code;
}

static int find_and_load(const struct options *options, struct progress *progress, weft_pool *pool) {
    struct files files;
    progress_stage(progress, "find files", 0, 0);
    int error = files_find(&files, options->paths, options->path_count);
    if (error)
        return progress_stop(progress), complain_system("look through", options->paths[0], error);
    int code = EXIT_BAD_USE;
    if (options->shuffle)
        files_shuffle(&files, options->seed);
    if (files.count == 0) {
        progress_stop(progress);
        fprintf(stderr, "images: %s holds no files that end in .jpg, .jpeg, .jpe or .jfif; --generate 400 makes some there\n",
                options->paths[0]);
    } else {
        code = load_into(options, &files, progress, pool);
    }
    if (files.unreadable_directories) {
        fprintf(stderr, "images: %zu directories could not be read\n", files.unreadable_directories);
        code = code == EXIT_FINE ? EXIT_SKIPPED : code;
    }
    files_release(&files);
    return code;
}

static int generate_and_load(const struct options *options, struct progress *progress, weft_pool *pool) {
    char failed[256];
    int error = options->generate ? generate(pool, options->paths[0], options->generate, options->seed, progress, failed) : 0;
    if (error)
        return progress_stop(progress), complain_system("make", failed, error);
    return find_and_load(options, progress, pool);
}

int main(int argc, char **argv) {
    struct options options;
    struct progress progress;
    weft_pool *pool;
    options_parse(&options, argc, argv);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the size limit is an error of its write, not the end of the program */
    weft_pool_options pool_options = {WEFT_POOL_OPTIONS_INIT, .workers = options.workers, .topology = options.topology};
    weft_status status = weft_pool_create(&pool, &pool_options);
    if (status)
        return complain_weft("cannot start the workers", status);
    progress_start(&progress, options.quiet);
    int code = generate_and_load(&options, &progress, pool);
    progress_stop(&progress);
    weft_pool_destroy(pool);
    if (fflush(stdout) != 0)
        return complain_system("write to", "standard output", errno);
    return code;
}
