/*
 * Repairing an array: each page moves to the node where it belongs, pulled by that node's workers. They share a node's pages by
 * whole units of the area (huge pages where it has them), so that no two of them get hold of one huge page.
 */
#include <stdint.h>
#include <stdlib.h>

#include "array/workers.h"
#include "base/status.h"
#include "memory/migration.h"
#include "memory/placement.h"

static void take_slice(struct wf_migration_order *order, const struct wf_area *area, weft_range slice) {
    order->start = (const char *)area->start + slice.first;
    order->bytes = slice.last - slice.first;
    order->unit = SIZE_MAX;
    order->step = 1;
}

/* Of the worker's units of an array with turns, those of one turn in each period. */
static void take_turn(struct wf_migration_order *order, const weft_array *array, unsigned worker, unsigned turn) {
    const struct wf_area *area = &array->areas[0];
    weft_range units = wf_array_turns_of(array, worker);
    size_t first = units.first * area->page_bytes, last = units.last * area->page_bytes;
    order->start = (const char *)area->start + first;
    order->bytes = first < last ? (last < area->bytes ? last : area->bytes) - first : 0;
    order->unit = area->page_bytes;
    order->first = turn;
    order->step = array->period;
}

/* Bytes of an area that belong to the worker's node; workers of the nearest nodes share those of a memory-only one. */
static void take_part(struct wf_migration_order *order, const weft_array *array, unsigned worker) {
    unsigned k = wf_array_node_of(array, worker);
    const weft_plan_node *node = &array->nodes[k];
    const struct wf_area *area = &array->areas[array->copies > 1 ? k : 0];
    size_t first = 0, last = area->bytes;
    if (array->options.place == WEFT_ON_MEMORY_NODE) {
        take_slice(order, area, wf_array_memory_slice(array, worker));
        return;
    }
    if (array->copies == 1) {
        first = array->stretches[k];
        last = k + 1 < array->node_count ? array->stretches[k + 1] : area->bytes;
    }
    take_slice(order, area, wf_array_slice(area, first, last, worker - node->first_worker, node->worker_count));
}

static struct wf_migration_order order_of(const weft_array *array, unsigned k) {
    int target = wf_array_target(array, k);
    bool borrows = !array->memory && target == array->nodes[k].memory_node;
    return (struct wf_migration_order){.target = target, .home = borrows ? array->nodes[k].os_index : target};
}

static void pull_turns(struct wf_array_job *job, unsigned worker, struct wf_migration_order *order, weft_migration *found) {
    const weft_array *array = job->array;
    unsigned k = wf_array_node_of(array, worker);
    for (unsigned turn = 0; turn < array->period; turn++) {
        if (array->turns[(turn + job->phase) % array->period] != k)
            continue;
        take_turn(order, array, worker, turn);
        if (order->bytes)
            wf_failure_note(&job->failure, wf_migrate(order, found));
    }
}

static void pull(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    for (unsigned worker = (unsigned)range.first; worker < range.last; worker++) {
        struct wf_migration_order order = order_of(array, wf_array_node_of(array, worker));
        weft_migration found = WF_MIGRATION_INIT; /* in lines of its own until it is done */
        if (array->turns) {
            pull_turns(job, worker, &order, &found);
        } else {
            take_part(&order, array, worker);
            if (order.bytes)
                wf_failure_note(&job->failure, wf_migrate(&order, &found));
        }
        job->reports[worker] = found;
    }
}

/* Interleaved pages that lie in turn already: votes[p] of them say that unit u belongs to node (u + p) mod nodes. */
struct votes {
    const weft_array *array;
    size_t *votes;
};

static void vote(void *arg, size_t page, int os_node) {
    const struct votes *votes = arg;
    unsigned nodes = votes->array->node_count;
    size_t unit = page * wf_page_bytes() / votes->array->areas[0].page_bytes;
    for (unsigned k = 0; k < nodes; k++)
        if (wf_array_is_home(votes->array, k, os_node))
            votes->votes[(k + nodes - unit % nodes) % nodes]++;
}

/* Which node comes first is the kernel's choice: the one that leaves most pages where they are. */
static weft_status choose_phase(struct wf_array_job *job) {
    const struct wf_area *area = &job->array->areas[0];
    struct votes votes = {job->array, calloc(job->array->node_count, sizeof *votes.votes)};
    struct wf_placement_scope scope = {0};
    if (!votes.votes)
        return wf_fail(WEFT_ENOMEM, "no memory to find the turns of %u nodes", job->array->node_count);
    weft_status status = wf_placement_visit(area->start, area->bytes, vote, &votes, &scope);
    for (unsigned phase = 1; phase < job->array->node_count; phase++)
        if (votes.votes[phase] > votes.votes[job->phase])
            job->phase = phase;
    free(votes.votes);
    return status;
}

weft_status weft_array_migrate(weft_array *array, weft_migration *report) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    if (!array->this_system)
        return wf_fail(WEFT_ENOTSUP,
                       "the array's nodes are those of a topology that is not this machine's: no page belongs there");
    struct wf_array_job job = {.array = array, .reports = calloc(array->worker_count, sizeof *job.reports)};
    if (!job.reports)
        return wf_fail(WEFT_ENOMEM, "no memory for the reports of %u workers", array->worker_count);
    weft_status status = array->turns && !array->exact ? choose_phase(&job) : WEFT_OK;
    if (status == WEFT_OK)
        status = wf_array_run(&job, array->worker_count, pull);
    weft_migration sum = WF_MIGRATION_INIT;
    for (unsigned worker = 0; status == WEFT_OK && worker < array->worker_count; worker++)
        wf_migration_add(&sum, &job.reports[worker]);
    if (status == WEFT_OK && report)
        *report = sum;
    free(job.reports);
    return status;
}
