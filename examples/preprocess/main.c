/*
 * preprocess: finds near-duplicate documents in a text collection and writes the others as shards of tokens. README.md says
 * what goes in and out; run.h holds the computation, shards.h and report.h the output. This file puts them in order.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "summary.h"

static int complain(const struct output *output, const struct output_error *error) {
    fprintf(stderr, "preprocess: cannot write %s%s%s: %s\n", output->path, *error->name ? "/" : "", error->name,
            strerror(error->error));
    return EXIT_OUTPUT;
}

static int complain_weft(const char *what, weft_status status) {
    fprintf(stderr, "preprocess: %s: %s: %s\n", what, weft_status_name(status), weft_error_detail());
    return status == WEFT_EINVAL || status == WEFT_ETOPOLOGY ? EXIT_BAD_USE : EXIT_OUTPUT;
}

static int complain_memory(void) {
    fprintf(stderr, "preprocess: out of memory, or more than 4,294,967,294 documents\n");
    return EXIT_OUTPUT;
}

/* Everything after the computation: shards, report, their place, the summary. */
static int finish(struct run *run, struct output *output, const struct comparison *comparison) {
    struct layout layout;
    struct totals totals;
    struct output_error error = {0};
    double begin = run_now();
    if (layout_create(&layout, run) != 0)
        return complain_memory();
    weft_status status = shards_write(run, &layout, output, &error);
    totals_compute(&totals, run);
    bool written = status == WEFT_OK && error.error == 0 && report_write(run, &layout, &totals, output, &error) &&
                   output_commit(output, layout.shard_count, &error);
    run->seconds[STAGE_WRITE] = run_now() - begin;
    progress_stop(run->progress);
    int code = totals.failures ? EXIT_SKIPPED : EXIT_FINE;
    if (status != WEFT_OK)
        code = complain_weft("cannot write shards", status);
    else if (!written)
        code = complain(output, &error);
    else if (!run->options->quiet)
        summary_print(run, &layout, &totals, comparison);
    layout_release(&layout);
    return code;
}

static int compute(const struct options *options, const struct collection *collection, struct progress *progress, weft_pool *pool,
                   struct output *output) {
    struct run run;
    struct comparison comparison;
    weft_status status = run_create(&run, options, collection, progress, pool);
    if (status != WEFT_OK)
        return complain_weft("cannot prepare", status);
    status = options->rounds > 0 ? compare(&comparison, &run) : run_compute(&run);
    int code;
    if (status == WEFT_OK) {
        code = finish(&run, output, options->rounds > 0 ? &comparison : NULL);
    } else {
        progress_stop(progress);
        code = complain_weft("cannot compute", status);
    }
    if (status == WEFT_OK && options->rounds > 0 && !comparison.equal) {
        fprintf(stderr, "preprocess: the result depends on the number of workers; this is a bug\n");
        code = EXIT_OUTPUT;
    }
    run_release(&run);
    return code;
}

static int collect_and_compute(const struct options *options, struct progress *progress, weft_pool *pool, struct output *output) {
    struct collection collection;
    int code = EXIT_OUTPUT;
    progress_stage(progress, "find files", 0, 0);
    if (collection_walk(&collection, options->paths, options->path_count, options->output) != 0 ||
        collection_number(&collection, pool) != 0)
        progress_stop(progress), complain_memory();
    else
        code = compute(options, &collection, progress, pool, output);
    collection_release(&collection);
    return code;
}

int main(int argc, char **argv) {
    struct options options;
    struct output output;
    struct output_error error;
    struct progress progress;
    weft_pool *pool;
    options_parse(&options, argc, argv);
    signal(SIGXFSZ, SIG_IGN); /* a file beyond the size limit is an error of its write, not the end of the program */
    weft_pool_options pool_options = {WEFT_POOL_OPTIONS_INIT, .workers = options.workers, .topology = options.topology};
    weft_status status = weft_pool_create(&pool, &pool_options);
    if (status != WEFT_OK)
        return complain_weft("cannot start the workers", status);
    if (!output_open(&output, options.output, &error)) {
        weft_pool_destroy(pool);
        output_close(&output);
        return complain(&output, &error);
    }
    progress_start(&progress, options.quiet);
    int code = collect_and_compute(&options, &progress, pool, &output);
    progress_stop(&progress);
    output_close(&output);
    weft_pool_destroy(pool);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "preprocess: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_OUTPUT;
    }
    return code;
}
