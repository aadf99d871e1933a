/* The summary, one aligned line per question that somebody would ask. */
#include "summary.h"

#include <inttypes.h>
#include <stdio.h>

/* A number with its thousands apart, in one of a few static buffers that take turns. */
static const char *grouped(uint64_t value) {
    static char buffers[8][32];
    static unsigned turn;
    char *end = buffers[turn++ % 8] + 31, *at = end;
    *at = '\0';
    for (unsigned digits = 0; digits == 0 || value > 0; digits++, value /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--at = ',';
        *--at = (char)('0' + value % 10);
    }
    return at;
}

static double percent(uint64_t part, uint64_t all) {
    return all > 0 ? 100.0 * (double)part / (double)all : 0;
}

static void print_documents(const struct run *run, const struct layout *layout, const struct totals *t) {
    double seconds = run_compute_seconds(run) + run->seconds[STAGE_WRITE];
    double text = (double)t->text_bytes * 1e-6;
    printf("%-14s %12s  in %.2f s: %s documents/s, %.1f MB/s of text (%.1f MB, stored in %.1f MB)\n", "documents",
           grouped(t->documents), seconds, grouped((uint64_t)((double)t->documents / seconds)), text / seconds, text,
           (double)run->collection->bytes * 1e-6);
    printf("%-14s %12s  with %s of %s tokens, in %zu shards in %s/\n", "kept", grouped(t->kept), grouped(t->kept_tokens),
           grouped(t->tokens), layout->shard_count, run->options->output);
    printf("%-14s %12s  exact %s, near %s: %.1f %% of the texts\n", "duplicates", grouped(t->exact + t->near), grouped(t->exact),
           grouped(t->near), percent(t->exact + t->near, t->usable));
}

static void print_problems(const struct run *run, const struct totals *t) {
    uint64_t all = 0;
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        all += t->problems[kind];
    printf("%-14s %12s %s", "left out", grouped(all), all == 0 ? " nothing" : "");
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        if (t->problems[kind] > 0)
            printf(" %s %s%s", problem_name(kind), grouped(t->problems[kind]), problem_is_failure(kind) ? "!" : "");
    printf("%s%s%s%s\n", all > 0 ? ", named in " : "", all > 0 ? run->options->output : "", all > 0 ? "/report.json" : "",
           t->failures ? " (!: exit code 3)" : "");
    if (run->collection->links + run->collection->repeated > 0)
        printf("%-14s %12s  links not followed, %s further names of files already read\n", "", grouped(run->collection->links),
               grouped(run->collection->repeated));
}

static void print_stages(const struct run *run) {
    static const char *const names[STAGES] = {"analyse", "exact", "near", "clusters", "write"};
    printf("%-14s %12s ", "seconds", "");
    for (unsigned stage = 0; stage < STAGES; stage++)
        printf(" %s %.3f%s", names[stage], run->seconds[stage], stage + 1 < STAGES ? "," : "\n");
}

static void print_remote(const struct weft_stats *s, unsigned nodes) {
    for (unsigned i = 0; i + 1 < nodes && i < WEFT_REMOTE_CLASSES; i++)
        if (i == 0 || s->steals_remote[i] > 0)
            printf(", node distance %u: %" PRIu64, i + 1, s->steals_remote[i]);
}

static uint64_t all_steals(const weft_stats *s) {
    uint64_t sum = s->steals_cache + s->steals_node;
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        sum += s->steals_remote[i];
    return sum;
}

static void print_workers(const struct run *run) {
    const weft_stats *s = &run->stats;
    unsigned nodes = weft_pool_nodes(run->pool);
    const weft_loop_report *r = &run->report;
    uint64_t built = atomic_load_explicit(&run->partitions, memory_order_relaxed);
    uint64_t home = atomic_load_explicit(&run->partitions_home, memory_order_relaxed);
    printf("%-14s %12u  on %u node%s: %s\n", "workers", weft_pool_workers(run->pool), nodes, nodes == 1 ? "" : "s",
           weft_plan_get_limits(weft_pool_plan(run->pool))->reason);
    printf("%-14s %10.1f %%  of documents analysed on the node where their signature lies", "local",
           percent(r->iterations_local, r->iterations - r->iterations_unknown));
    if (r->iterations_unknown > 0)
        printf(" (%.1f %% unknown)", percent(r->iterations_unknown, r->iterations));
    printf(", %.1f %% of bucket tables built at home\n", percent(home, built));
    printf("%-14s %12s  same cache: %" PRIu64 ", same node: %" PRIu64, "steals", grouped(all_steals(s)), s->steals_cache,
           s->steals_node);
    print_remote(s, nodes);
    printf("; tasks %s, parks %s\n", grouped(s->tasks), grouped(s->parks));
}

static void print_comparison(const struct run *run, const struct comparison *c) {
    printf("%-14s %12.2f  %u workers %.3f s, one worker %.3f s (medians of %u interleaved rounds, without writing); %s\n",
           "speed-up", c->one_seconds / c->all_seconds, weft_pool_workers(run->pool), c->all_seconds, c->one_seconds, c->rounds,
           c->equal ? "equal results" : "THE RESULTS DIFFER");
}

void summary_print(const struct run *run, const struct layout *layout, const struct totals *totals,
                   const struct comparison *comparison) {
    print_documents(run, layout, totals);
    print_problems(run, totals);
    print_stages(run);
    print_workers(run);
    if (comparison != NULL)
        print_comparison(run, comparison);
}
