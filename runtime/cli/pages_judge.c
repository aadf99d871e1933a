/* The rule of pages_judge.h. */
#include "cli/pages_judge.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define RUNS 0.05 /* share of the CPU time */
#define LEAST_BYTES ((uint64_t)256 << 10)
#define LEAST_CACHE_BYTES ((uint64_t)1 << 20)
#define UNEVEN 1.5 /* equal parts */
#define ONE_SIDE_BYTES ((uint64_t)16 << 20)
#define ONE_SIDE_OF_MAPPING 0.9
#define ONE_SIDE_OF_PROCESS 0.05
#define ONE_SIDE_EXCESS 0.25

bool wf_mapping_is_cache(const struct wf_process_mapping *mapping) {
    return mapping->kind == WF_MAPPING_FILE && !mapping->reserved_huge &&
           mapping->anonymous_bytes < mapping->bytes - mapping->anonymous_bytes;
}

bool wf_runs_on(const struct wf_running *running, unsigned node) {
    return running->share[node] >= RUNS;
}

/* How much a page on that node is away, 0 to 1. */
static double distance(const struct wf_running *running, const struct wf_judgement *judgement, unsigned node) {
    double part = running->share[node] * judgement->running_nodes / judgement->running_share; /* of an equal one */
    return part < 1 ? 1 - part : 0;
}

struct judge {
    struct wf_judgement *judgement;
    const struct wf_running *running;
    const struct wf_machine_nodes *nodes;
    bool named[WF_PROC_NODES]; /* by the mapping's policy */
    double *weight;            /* per node: how much the mapping's pages there are away */
};

/* Its policy's nodes that are there; *run: some of them run the process. */
static unsigned policy_nodes(const struct judge *judge, bool *run) {
    unsigned count = 0;
    *run = false;
    for (unsigned node = 0; node < judge->nodes->count; node++)
        if (judge->named[node]) {
            count++;
            *run |= wf_runs_on(judge->running, node);
        }
    return count;
}

static void weigh(struct judge *judge, const struct wf_process_mapping *mapping) {
    bool run;
    wf_proc_policy(mapping->policy, judge->named);
    policy_nodes(judge, &run);
    for (unsigned node = 0; node < judge->nodes->count; node++) {
        double weight = distance(judge->running, judge->judgement, node);
        if (mapping->mode == WF_POLICY_INTERLEAVED)
            weight = run && judge->named[node] ? 0 : weight;
        else if (mapping->mode != WF_POLICY_DEFAULT && judge->named[node] && !judge->nodes->has_cpus[node])
            weight = 0;
        judge->weight[node] = weight;
    }
}

/* Whether a node has too much of an interleaved mapping; what is beyond an equal part is then away. */
static bool is_uneven(struct judge *judge, const struct wf_process_mapping *mapping) {
    bool run, uneven = false;
    unsigned count = policy_nodes(judge, &run);
    if (mapping->mode != WF_POLICY_INTERLEAVED || !strncmp(mapping->policy, "weighted", 8) || count < 2 || !run)
        return false;
    double equal = (double)mapping->bytes / count;
    for (unsigned node = 0; node < judge->nodes->count; node++)
        if (judge->named[node] && (double)mapping->on[node] > UNEVEN * equal) {
            judge->weight[node] = 1 - equal / (double)mapping->on[node];
            uneven = true;
        }
    return uneven;
}

static void sum_up(const struct judge *judge, struct wf_process_mapping *mapping) {
    double away = 0;
    for (unsigned node = 0; node < judge->nodes->count; node++)
        away += judge->weight[node] * (double)mapping->on[node];
    mapping->away_bytes = (uint64_t)away < mapping->bytes ? (uint64_t)away : mapping->bytes;
    mapping->away = mapping->bytes ? away / (double)mapping->bytes : 0;
}

/* Whole numbers, so that nodes sum up to what the mapping has. */
static void add_away(const struct judge *judge, const struct wf_process_mapping *mapping) {
    for (unsigned node = 0; node < judge->nodes->count; node++)
        judge->judgement->nodes[node].away += (uint64_t)(judge->weight[node] * (double)mapping->on[node]);
}

/* What the process may move by itself: pages that are its own. */
static uint64_t movable(const struct wf_process_mapping *mapping) {
    uint64_t own = mapping->kind == WF_MAPPING_FILE && !mapping->reserved_huge ? mapping->anonymous_bytes : mapping->bytes;
    if (mapping->sharers > 1)
        return 0;
    return mapping->away_bytes < own ? mapping->away_bytes : own;
}

static bool is_one_sided(const struct judge *judge, struct wf_process_mapping *mapping) {
    const struct wf_judgement *judgement = judge->judgement;
    double memory = (double)judgement->all.memory, bytes = (double)mapping->bytes;
    if (judgement->running_nodes < 2 || mapping->mode != WF_POLICY_DEFAULT || mapping->bytes < ONE_SIDE_BYTES ||
        bytes < ONE_SIDE_OF_PROCESS * memory)
        return false;
    for (unsigned node = 0; node < judge->nodes->count; node++)
        if ((double)mapping->on[node] >= ONE_SIDE_OF_MAPPING * bytes &&
            (double)judgement->nodes[node].memory > (judge->running->share[node] + ONE_SIDE_EXCESS) * memory) {
            mapping->away = 1 - judge->running->share[node];
            mapping->away_bytes = (uint64_t)(mapping->away * bytes);
            return true;
        }
    return false;
}

static enum wf_verdict judge_one(struct judge *judge, struct wf_process_mapping *mapping) {
    weigh(judge, mapping);
    bool cache = wf_mapping_is_cache(mapping), uneven = !cache && is_uneven(judge, mapping);
    sum_up(judge, mapping);
    bool much = mapping->away > judge->judgement->threshold;
    if (cache)
        return much && mapping->away_bytes >= LEAST_CACHE_BYTES ? WF_VERDICT_CACHE_AWAY : WF_VERDICT_FINE;
    if (mapping->away_bytes >= LEAST_BYTES && (much || uneven)) {
        add_away(judge, mapping);
        return uneven ? WF_VERDICT_UNEVEN : WF_VERDICT_AWAY;
    }
    return is_one_sided(judge, mapping) ? WF_VERDICT_ONE_SIDED : WF_VERDICT_FINE;
}

static void add_totals(struct wf_judgement *judgement, const struct wf_process_mapping *mapping) {
    bool cache = wf_mapping_is_cache(mapping);
    for (unsigned node = 0; node < judgement->node_count; node++) {
        struct wf_node_total *total = &judgement->nodes[node];
        *(cache ? &total->cache : &total->memory) += mapping->on[node];
        double share = mapping->bytes ? (double)mapping->on[node] / (double)mapping->bytes : 0;
        total->huge += (uint64_t)(share * (double)mapping->huge_bytes); /* the kernel does not say it by node */
    }
    *(cache ? &judgement->all.cache : &judgement->all.memory) += mapping->bytes;
    judgement->all.huge += mapping->huge_bytes;
}

static int by_gravity(const void *left, const void *right) {
    const struct wf_process_mapping *a = left, *b = right;
    bool wrong_a = a->verdict <= WF_VERDICT_UNEVEN, wrong_b = b->verdict <= WF_VERDICT_UNEVEN;
    if (wrong_a != wrong_b)
        return wrong_a ? -1 : 1;
    if (!wrong_a && a->verdict != b->verdict)
        return a->verdict < b->verdict ? -1 : 1;
    uint64_t x = a->verdict == WF_VERDICT_FINE ? a->bytes : a->away_bytes;
    uint64_t y = b->verdict == WF_VERDICT_FINE ? b->bytes : b->away_bytes;
    if (x != y)
        return x > y ? -1 : 1;
    return (a->start > b->start) - (a->start < b->start);
}

static void find_target(struct wf_judgement *judgement, const struct wf_running *running) {
    judgement->target = -1;
    for (unsigned node = 0; running->by != WF_RUNNING_ANYWHERE && node < running->node_count; node++) {
        if (wf_runs_on(running, node)) {
            judgement->running_nodes++;
            judgement->running_share += running->share[node];
        }
        if (running->share[node] > 0 && (judgement->target < 0 || running->share[node] > running->share[judgement->target]))
            judgement->target = (int)node;
    }
}

weft_status wf_pages_judge(struct wf_judgement *judgement, struct wf_process_mappings *mappings, const struct wf_running *running,
                           const struct wf_machine_nodes *nodes, double threshold) {
    *judgement = (struct wf_judgement){
        .threshold = threshold, .node_count = nodes->count, .nodes = calloc(nodes->count, sizeof *judgement->nodes)};
    struct judge judge = {judgement, running, nodes, {0}, calloc(nodes->count, sizeof *judge.weight)};
    if (!judgement->nodes || !judge.weight) {
        free(judge.weight);
        wf_judgement_release(judgement);
        return wf_fail(WEFT_ENOMEM, "no memory to judge by %u nodes", nodes->count);
    }
    find_target(judgement, running);
    for (size_t i = 0; i < mappings->count; i++)
        add_totals(judgement, &mappings->list[i]);
    for (size_t i = 0; i < mappings->count; i++) {
        struct wf_process_mapping *mapping = &mappings->list[i];
        if (judgement->running_nodes)
            mapping->verdict = judge_one(&judge, mapping);
        judgement->count[mapping->verdict]++;
        if (mapping->verdict == WF_VERDICT_FINE)
            continue;
        mapping->movable_bytes = mapping->verdict == WF_VERDICT_CACHE_AWAY ? 0 : movable(mapping);
        if (mapping->verdict <= WF_VERDICT_UNEVEN) {
            judgement->all.away += mapping->away_bytes;
            judgement->movable += mapping->movable_bytes;
        }
    }
    if (mappings->count)
        qsort(mappings->list, mappings->count, sizeof *mappings->list, by_gravity);
    free(judge.weight);
    return WEFT_OK;
}

void wf_judgement_release(struct wf_judgement *judgement) {
    free(judgement->nodes);
    judgement->nodes = NULL;
}
