#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "../common/print.h"

struct totals report_totals(const struct files *files, uint64_t written) {
    struct totals totals = {.written = written};
    for (size_t i = 0; i < files->count; i++)
        totals.left_out += files->outcomes[i].problem != NULL;
    totals.dropped = files->count - totals.left_out - written;
    return totals;
}

void report_problems(const struct files *files) {
    for (size_t i = 0; i < files->count; i++)
        if (files->outcomes[i].problem)
            fprintf(stderr, "images: left out: %s: %s: %s\n", files->paths[i], files->outcomes[i].problem,
                    files->outcomes[i].text);
}

static void print_amounts(const struct loader *loader, const struct shards *shards, const struct totals *totals,
                          const weft_pipeline_stats *stats) {
    double seconds = (double)stats->elapsed_ns * 1e-9, rate = seconds > 0 ? 1 / seconds : 0;
    print_head("images", grouped(totals->written));
    printf("in %.2f s: %s images/s, %.1f MB/s of files\n", seconds, grouped((uint64_t)((double)totals->written * rate)),
           (double)loader->files->bytes * 1e-6 * rate);
    print_head("left out", grouped(totals->left_out));
    printf("broken or unreadable, named above; %s by --drop-last\n", grouped(totals->dropped));
    if (shards) {
        print_head("shards", grouped(shards->count));
        printf("%.1f MB in %s\n", (double)shards->bytes * 1e-6, loader->options->output);
    }
    print_head_number("memory", "%.1f MB", (double)stats->token_bytes * 1e-6);
    printf("of %u images on their way at once\n", loader->tokens);
    print_head("workers", grouped(weft_pool_workers(loader->pool)));
    printf("on %u node%s, and %u thread%s that read\n", weft_pool_nodes(loader->pool),
           weft_pool_nodes(loader->pool) == 1 ? "" : "s", loader->options->readers, loader->options->readers == 1 ? "" : "s");
    print_head_number("local", "%.1f %%", percent(stats->stages_local, stats->stages_local + stats->stages_remote));
    printf("of the workers' stages ran on the node of their image\n");
}

static void print_stage(const weft_stage_stats *stage, bool bottleneck) {
    double each_us = stage->tokens ? (double)stage->busy_ns * 1e-3 / (double)stage->tokens : 0;
    printf("  %-8s  %9s  %7.1f %%  %10.1f  %8.1f  %6.1f %6u   %s\n", stage->name, grouped(stage->tokens), 100 * stage->busy_share,
           each_us, (double)stage->bytes * 1e-6, stage->queued_mean, stage->queued_most, bottleneck ? "<- bottleneck" : "");
}

void report_summary(const struct loader *loader, const struct shards *shards, const struct totals *totals) {
    weft_pipeline_stats stats;
    weft_stage_stats stage;
    if (weft_pipeline_get_stats(loader->pipeline, &stats))
        return;
    print_amounts(loader, shards, totals, &stats);
    printf("\n  stage        tokens       busy     us each        MB    queue   most\n");
    for (unsigned i = 0; !weft_pipeline_stage_stats(loader->pipeline, i, &stage); i++)
        print_stage(&stage, i == stats.bottleneck);
}
