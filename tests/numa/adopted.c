#include "adopted.h"

#include <sched.h>
#include <stdint.h>
#include <unistd.h>

struct adopted adopt(const char *name, const struct machine *machine, weft_pool *pool, const void *data, size_t n,
                     size_t item_bytes, const weft_array_options *options) {
    struct adopted adopted = {.name = name, .machine = machine, .n = n, .item_bytes = item_bytes};
    adopted.place = options ? options->place : WEFT_PARTITIONED;
    OK(weft_array_adopt(&adopted.array, pool, data, n, item_bytes, options));
    adopted.data = weft_array_data(adopted.array);
    CHECK(adopted.data == data && weft_array_count(adopted.array) == n);
    return adopted;
}

static size_t bytes_of(const struct adopted *adopted) {
    return adopted->n * adopted->item_bytes;
}

/* Where the pages of the first to the last byte are, and on which page an item begins. */
struct lie {
    struct pages pages;
    int *node_of;
};

static struct lie ask(const struct adopted *adopted) {
    struct lie lie = {.node_of = malloc((pages_in(bytes_of(adopted)) + 1) * sizeof *lie.node_of)};
    CHECK(lie.node_of);
    lie.pages = pages_ask(adopted->data, bytes_of(adopted), lie.node_of);
    return lie;
}

static int node_of_item(const struct adopted *adopted, const struct lie *lie, size_t item) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), head = (uintptr_t)adopted->data % page;
    return lie->node_of[(head + item * adopted->item_bytes) / page];
}

struct run {
    const struct adopted *adopted;
    int *ran;            /* per item: node of the CPU that ran it; O by who runs it */
    unsigned char *runs; /* per item: how often */
};

static void note(void *arg, weft_range range) {
    struct run *run = arg;
    for (size_t i = range.first; i < range.last; i++) {
        run->ran[i] = run->adopted->machine->cpu_node[sched_getcpu()];
        run->runs[i]++;
    }
}

static void check_query(const struct adopted *adopted, const struct pages *pages) {
    weft_placement placement;
    size_t per_node[MAX_NODES];
    OK(weft_array_query(adopted->array, (weft_range){0, adopted->n}, WEFT_QUERY_EXACT, &placement, per_node, MAX_NODES));
    CHECK(placement.pages == pages->count && placement.pages_asked == pages->count);
    CHECK(placement.pages_absent == pages->count - pages->present);
    for (unsigned node = 0; node < MAX_NODES; node++)
        CHECK(per_node[node] == pages->on[node]);
}

struct pages adopted_follows(const struct adopted *adopted) {
    struct run run = {adopted, malloc(adopted->n * sizeof *run.ran), calloc(adopted->n, 1)};
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC, .report = &report};
    CHECK(run.ran && run.runs);
    struct lie lie = ask(adopted);
    OK(weft_for_array(adopted->array, note, &run, &options));
    size_t unknown = 0;
    for (size_t i = 0; i < adopted->n; i++) {
        int node = node_of_item(adopted, &lie, i);
        unknown += node == NO_NODE;
        if (run.runs[i] != 1)
            FAIL("%s: item %zu ran %d times", adopted->name, i, run.runs[i]);
        if (node != NO_NODE && run.ran[i] != (node + (int)adopted->shifted) % (int)adopted->machine->nodes)
            FAIL("%s: item %zu lies on node %d and ran on %d", adopted->name, i, node, run.ran[i]);
    }
    CHECK(report.iterations == adopted->n && report.iterations_unknown == unknown);
    CHECK(report.iterations_local == adopted->n - unknown);
    check_query(adopted, &lie.pages);
    free(run.ran);
    free(run.runs);
    free(lie.node_of);
    return lie.pages;
}

weft_migration adopted_repair(const struct adopted *adopted, const weft_migrate_options *options) {
    weft_migration report;
    weft_placement placement;
    struct lie before = ask(adopted);
    OK(weft_array_migrate_with(adopted->array, options, &report));
    struct lie after = ask(adopted);
    size_t changed = 0;
    for (size_t i = 0; i < before.pages.count; i++)
        changed += before.node_of[i] != after.node_of[i];
    printf("%s: %zu pages moved, %zu were there, %zu absent, %zu refused%s%s\n", adopted->name, report.moved,
           report.there_already, report.absent, report.refused, *report.reason ? ": " : "", report.reason);
    CHECK(report.pages == before.pages.count && report.moved == changed);
    CHECK(report.pages == report.moved + report.there_already + report.absent + report.refused);
    CHECK(report.absent == before.pages.count - before.pages.present && after.pages.present == before.pages.present);
    size_t refused = 0;
    for (unsigned reason = 0; reason < WEFT_REFUSALS; reason++)
        refused += report.refused_by[reason];
    CHECK(refused == report.refused);
    OK(weft_array_query(adopted->array, (weft_range){0, adopted->n}, WEFT_QUERY_EXACT, &placement, NULL, 0));
    CHECK(placement.pages_expected == after.pages.present - report.refused);
    free(before.node_of);
    free(after.node_of);
    adopted_follows(adopted);
    return report;
}
