/* The summary, one aligned line per question that somebody would ask. */
#include "summary.h"

#include "../common/print.h"

#include <inttypes.h>
#include <stdio.h>

static void print_documents(const struct run *run, const struct layout *layout, const struct totals *t) {
    double seconds = run_compute_seconds(run) + run->seconds[STAGE_WRITE];
    double text = (double)t->text_bytes * 1e-6;
    print_head("documents", grouped(t->documents));
    printf("in %.2f s: %s documents/s, %.1f MB/s of text\n", seconds, grouped((uint64_t)((double)t->documents / seconds)),
           text / seconds);
    print_head_number("text", "%.1f MB", text);
    printf("stored in %.1f MB\n", (double)run->collection->bytes * 1e-6);
    print_head("kept", grouped(t->kept));
    printf("%s of %s tokens, shards: %zu\n", grouped(t->kept_tokens), grouped(t->tokens), layout->shard_count);
    print_head("duplicates", grouped(t->exact + t->near));
    printf("%s exact, %s near: %.1f %% of the texts\n", grouped(t->exact), grouped(t->near),
           percent(t->exact + t->near, t->usable));
}

static void print_problems(const struct run *run, const struct totals *t) {
    uint64_t all = 0;
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        all += t->problems[kind];
    print_head("left out", grouped(all));
    const char *between = "";
    for (enum problem kind = 1; kind < PROBLEM_KINDS; kind++)
        if (t->problems[kind] > 0) {
            printf("%s%s %s%s", between, grouped(t->problems[kind]), problem_name(kind), problem_is_failure(kind) ? "!" : "");
            between = ", ";
        }
    printf("%s\n", all == 0 ? "nothing" : t->failures ? " (!: exit code 3)" : "");
    if (run->collection->links + run->collection->repeated > 0) {
        print_head("", grouped(run->collection->links));
        printf("links not followed, %s more names of files read\n", grouped(run->collection->repeated));
    }
    print_head("named in", "");
    printf("%s/report.json\n", run->options->output);
}

static void print_stages(const struct run *run) {
    const double *s = run->seconds;
    print_head_number("seconds", "%.2f", run_compute_seconds(run) + s[STAGE_WRITE]);
    printf("analyse %.3f, exact %.3f, near %.3f, write %.3f\n", s[STAGE_ANALYSE], s[STAGE_EXACT], s[STAGE_NEAR] + s[STAGE_SETTLE],
           s[STAGE_WRITE]);
}

static uint64_t remote_steals(const weft_stats *s) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        sum += s->steals_remote[i];
    return sum;
}

/* Where work ran. Of a pretended machine no page lies on a node, so there the plan is what can be compared with. */
static void print_local(const struct run *run) {
    const weft_loop_report *r = &run->report;
    const weft_stats *s = &run->stats;
    uint64_t built = atomic_load_explicit(&run->partitions, memory_order_relaxed);
    uint64_t home = atomic_load_explicit(&run->partitions_home, memory_order_relaxed);
    if (r->iterations_unknown < r->iterations) {
        print_head_number("local", "%.1f %%", percent(r->iterations_local, r->iterations - r->iterations_unknown));
        printf("of documents signed on the node of the signature\n");
    } else {
        print_head_number("local", "%.1f %%", percent(s->loop_iterations_local, s->loop_iterations));
        printf("of iterations on the planned node; pages unknown\n");
    }
    print_head_number("", "%.1f %%", percent(home, built));
    printf("of bucket tables built on their node\n");
}

static void print_steals(const struct run *run) {
    const weft_stats *s = &run->stats;
    uint64_t remote = remote_steals(s);
    print_head("steals", grouped(s->steals_cache + s->steals_node + remote));
    printf("%s same cache, %s same node", grouped(s->steals_cache), grouped(s->steals_node));
    for (unsigned i = 0; i < WEFT_REMOTE_CLASSES; i++)
        if (s->steals_remote[i] > 0)
            printf(", %s node distance %u", grouped(s->steals_remote[i]), i + 1);
    printf("\n");
}

static void print_workers(const struct run *run) {
    unsigned nodes = weft_pool_nodes(run->pool);
    print_head("workers", grouped(weft_pool_workers(run->pool)));
    printf("on %u node%s: %s\n", nodes, nodes == 1 ? "" : "s", weft_plan_get_limits(weft_pool_plan(run->pool))->reason);
    print_local(run);
    print_steals(run);
}

static void print_comparison(const struct run *run, const struct comparison *c) {
    print_head_number("speed-up", "%.2f", c->one_seconds / c->all_seconds);
    printf("1 worker %.3f s, %u workers %.3f s, without writing\n", c->one_seconds, weft_pool_workers(run->pool), c->all_seconds);
    print_head("", "");
    printf("medians of %u rounds in turn; %s\n", c->rounds, c->equal ? "equal results" : "THE RESULTS DIFFER");
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
