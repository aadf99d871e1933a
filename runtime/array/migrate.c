/*
 * Repairing an array: each page moves to the node where it belongs, pulled by that node's workers. They share a node's pages by
 * whole units of the area (huge pages where it has them), so that no two of them get hold of one huge page.
 */
#include <stdint.h>
#include <stdlib.h>

#include "array/workers.h"
#include "base/status.h"
#include "memory/mappings.h"
#include "memory/migration.h"
#include "memory/placement.h"

/* What the caller wants to be told: by whichever worker has tried some pages, and nobody else is telling. */
struct wf_progress {
    weft_migrate_options options;
    size_t pages;          /* I: of all copies */
    wf_atomic_u64 done;    /* A: relaxed, a count */
    wf_atomic_u32 busy;    /* A: taken with acquire, left with release: one call of the caller's function after the other */
    wf_atomic_u32 stopped; /* A: relaxed: it only hurries the others */
};

static bool tell(void *arg, size_t pages) {
    struct wf_progress *progress = arg;
    wf_fetch_add(&progress->done, pages, WF_RELAXED);
    if (wf_load(&progress->stopped, WF_RELAXED))
        return false;
    if (wf_exchange(&progress->busy, 1, WF_ACQUIRE)) /* pairs with the store below */
        return true;
    size_t done = wf_load(&progress->done, WF_RELAXED);
    bool go_on = done >= progress->pages || progress->options.progress(progress->options.arg, done, progress->pages);
    if (!go_on)
        wf_store(&progress->stopped, 1, WF_RELAXED);
    wf_store(&progress->busy, 0, WF_RELEASE);
    return go_on;
}

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
    order->lead = first ? 0 : wf_array_lead(array);
}

/* A huge page that is there although units are smaller is for one worker, unless it holds parts of two nodes. */
static size_t cut_at(const weft_array *array, size_t byte, size_t first, size_t last) {
    const struct wf_area *area = &array->areas[0];
    size_t over = wf_thp_bytes() ? ((uintptr_t)area->start + byte) % wf_thp_bytes() : 0;
    if (!array->adopted || byte == last)
        return byte;
    return byte - first > over ? byte - over : first;
}

/* Bytes of an area that belong to the worker's node; workers of the nearest nodes share those of a memory-only one. */
static void take_part(struct wf_migration_order *order, const weft_array *array, unsigned worker) {
    unsigned k = wf_array_node_of(array, worker);
    const weft_plan_node *node = &array->nodes[k];
    const struct wf_area *area = &array->areas[array->copies > 1 ? k : 0];
    size_t first = 0, last = area->bytes;
    weft_range slice;
    if (array->options.place == WEFT_ON_MEMORY_NODE) {
        slice = wf_array_memory_slice(array, worker);
    } else {
        if (array->copies == 1) {
            first = array->stretches[k];
            last = k + 1 < array->node_count ? array->stretches[k + 1] : area->bytes;
        }
        slice = wf_array_slice(area, first, last, worker - node->first_worker, node->worker_count);
    }
    first = first > wf_array_lead(array) ? first : wf_array_lead(array);
    slice.first = cut_at(array, slice.first > first ? slice.first : first, first, last);
    slice.last = cut_at(array, slice.last > first ? slice.last : first, first, last);
    take_slice(order, area, slice);
}

static struct wf_migration_order order_of(const struct wf_array_job *job, unsigned k) {
    const weft_array *array = job->array;
    int target = wf_array_target(array, k);
    bool borrows = !array->memory && target == array->nodes[k].memory_node;
    return (struct wf_migration_order){.target = target,
                                       .home = borrows ? array->nodes[k].os_index : target,
                                       .tried = job->progress ? tell : NULL,
                                       .arg = job->progress};
}

static void pull_turns(struct wf_array_job *job, unsigned worker, struct wf_migration_order *order, weft_migration *found) {
    const weft_array *array = job->array;
    unsigned k = wf_array_node_of(array, worker);
    weft_status status = WEFT_OK;
    for (unsigned turn = 0; status == WEFT_OK && turn < array->period; turn++) {
        if (array->turns[(turn + job->phase) % array->period] != k)
            continue;
        take_turn(order, array, worker, turn);
        if (order->bytes)
            status = wf_migrate(order, found);
    }
    wf_failure_note(&job->failure, status);
}

static void pull(void *arg, weft_range range) {
    struct wf_array_job *job = arg;
    const weft_array *array = job->array;
    for (unsigned worker = (unsigned)range.first; worker < range.last; worker++) {
        struct wf_migration_order order = order_of(job, wf_array_node_of(array, worker));
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

static void vote(void *arg, void *const *pages, size_t count, int os_node) {
    const struct votes *votes = arg;
    const struct wf_area *area = &votes->array->areas[0];
    unsigned nodes = votes->array->node_count;
    for (unsigned k = 0; k < nodes; k++) {
        if (!wf_array_is_home(votes->array, k, os_node))
            continue;
        for (size_t i = 0; i < count; i++) {
            size_t unit = (size_t)((const char *)pages[i] - (const char *)area->start) / area->page_bytes;
            votes->votes[(k + nodes - unit % nodes) % nodes]++;
        }
    }
}

/* Which node comes first is the kernel's choice: the one that leaves most pages where they are. */
static weft_status choose_phase(struct wf_array_job *job) {
    const struct wf_area *area = &job->array->areas[0];
    struct votes votes = {job->array, calloc(job->array->node_count, sizeof *votes.votes)};
    size_t lead = wf_array_lead(job->array);
    struct wf_placement_scope scope = {0};
    if (!votes.votes)
        return wf_fail(WEFT_ENOMEM, "no memory to find the turns of %u nodes", job->array->node_count);
    weft_status status = wf_placement_visit((const char *)area->start + lead, area->bytes - lead, vote, &votes, &scope);
    for (unsigned phase = 1; phase < job->array->node_count; phase++)
        if (votes.votes[phase] > votes.votes[job->phase])
            job->phase = phase;
    free(votes.votes);
    return status;
}

static weft_status migrate(weft_array *array, struct wf_progress *progress, weft_migration *report) {
    struct wf_array_job job = {.array = array, .progress = progress};
    job.reports = calloc(array->worker_count, sizeof *job.reports);
    if (!job.reports)
        return wf_fail(WEFT_ENOMEM, "no memory for the reports of %u workers", array->worker_count);
    weft_status status = array->turns && !array->exact ? choose_phase(&job) : WEFT_OK;
    if (status == WEFT_OK)
        status = wf_array_run(&job, array->worker_count, pull);
    for (unsigned worker = 0; status == WEFT_OK && worker < array->worker_count; worker++)
        wf_migration_add(report, &job.reports[worker]);
    free(job.reports);
    return status;
}

/* Loops follow what has moved, also where not all was to move; the first failure stays. */
static weft_status look_again(weft_array *array, weft_status status) {
    struct wf_detail before;
    if (!array->adopted)
        return status;
    wf_detail_keep(&before);
    weft_status look = weft_array_refresh(array);
    if (status == WEFT_OK)
        return look;
    wf_detail_restore(&before);
    return status;
}

weft_status weft_array_migrate_with(weft_array *array, const weft_migrate_options *options, weft_migration *report) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    struct wf_progress progress = {.options = {WEFT_MIGRATE_OPTIONS_INIT}};
    weft_status status = wf_options_copy(&progress.options, sizeof progress.options, options, "weft_migrate_options");
    if (status != WEFT_OK)
        return status;
    if (!array->this_system)
        return wf_fail(WEFT_ENOTSUP,
                       "the array's nodes are those of a topology that is not this machine's: no page belongs there");
    if (array->adopted)
        status = wf_mappings_check(weft_array_data(array), array->n * array->item_bytes);
    if (status != WEFT_OK)
        return status;
    progress.pages = (array->areas[0].bytes - wf_array_lead(array)) / wf_page_bytes() * array->copies;
    weft_migration sum = WF_MIGRATION_INIT;
    status = look_again(array, migrate(array, progress.options.progress ? &progress : NULL, &sum));
    if (status != WEFT_OK)
        return status;
    if (progress.options.progress)
        (void)progress.options.progress(progress.options.arg, progress.pages, progress.pages); /* it is too late to stop */
    if (report)
        *report = sum;
    return WEFT_OK;
}

weft_status weft_array_migrate(weft_array *array, weft_migration *report) {
    return weft_array_migrate_with(array, NULL, report);
}
