/* The plan as JSON, in the form that runtime/machine/plan.md and the recorded plans of the tests use. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "cli/plan_output.h"

static json_t *numbers(const unsigned *list, unsigned count) {
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_integer(list[i]));
    return array;
}

static json_t *node_json(const weft_plan *plan, const weft_plan_node *node) {
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    json_t *pus = json_array();
    for (unsigned i = 0; i < node->worker_count; i++)
        json_array_append_new(pus, json_integer(workers[node->first_worker + i].pu));
    return json_pack("{s:i, s:o, s:I, s:i}", "os_index", node->os_index, "workers", pus, "local_memory",
                     (json_int_t)node->local_memory, "memory_node", node->memory_node);
}

static json_t *memory_node_json(const weft_plan_memory_node *node) {
    json_t *nearest = json_array();
    for (unsigned i = 0; i < node->nearest_count; i++)
        json_array_append_new(nearest, json_integer(node->nearest[i]));
    return json_pack("{s:i, s:I, s:s, s:o, s:s}", "os_index", node->os_index, "local_memory", (json_int_t)node->local_memory,
                     "subtype", node->subtype, "nearest", nearest, "tier", weft_tier_name(node->tier));
}

static json_t *kind_json(const weft_victim_group *group) {
    if (group->kind == WEFT_VICTIM_REMOTE)
        return json_sprintf("remote:%" PRIu64, group->distance);
    return json_string(group->kind == WEFT_VICTIM_CACHE ? "llc" : "node");
}

static json_t *worker_json(const weft_plan *plan, unsigned id) {
    const weft_plan_worker *worker = &weft_plan_workers(plan, NULL)[id];
    json_t *groups = json_array(), *kinds = json_array();
    for (unsigned i = 0; i < worker->group_count; i++) {
        json_array_append_new(groups, numbers(worker->groups[i].workers, worker->groups[i].worker_count));
        json_array_append_new(kinds, kind_json(&worker->groups[i]));
    }
    return json_pack("{s:i, s:i, s:i, s:i, s:i, s:o, s:o}", "id", (int)id, "pu", (int)worker->pu, "node",
                     weft_plan_nodes(plan, NULL)[worker->node].os_index, "core", worker->core, "cpukind", worker->cpukind,
                     "victim_groups", groups, "victim_kinds", kinds);
}

static json_t *limits_json(const weft_plan_limits *limits) {
    char *source = wf_text_clean(limits->quota_source), *reason = wf_text_clean(limits->reason);
    json_t *json = json_pack("{s:i, s:i, s:f, s:s, s:b, s:b, s:b, s:s}", "allowed_pus", (int)limits->allowed_pus, "allowed_cores",
                             (int)limits->allowed_cores, "quota_cpus", limits->quota_cpus, "quota_source", source,
                             "affinity_restricted", limits->affinity_restricted, "owns_machine", limits->owns_machine,
                             "this_system", limits->this_system, "reason", reason);
    free(source);
    free(reason);
    return json;
}

static json_t *plan_json(const weft_plan *plan) {
    static const char *const sources[] = {"none", "matrix", "tree", "measured"};
    unsigned node_count, memory_count, worker_count;
    const weft_plan_node *plan_nodes = weft_plan_nodes(plan, &node_count);
    const weft_plan_memory_node *memory = weft_plan_memory_nodes(plan, &memory_count);
    json_t *nodes = json_array(), *memory_nodes = json_array(), *workers = json_array();
    weft_plan_workers(plan, &worker_count);
    for (unsigned i = 0; i < node_count; i++)
        json_array_append_new(nodes, node_json(plan, &plan_nodes[i]));
    for (unsigned i = 0; i < memory_count; i++)
        json_array_append_new(memory_nodes, memory_node_json(&memory[i]));
    for (unsigned i = 0; i < worker_count; i++)
        json_array_append_new(workers, worker_json(plan, i));
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "distance_source", sources[weft_plan_distance_source(plan)], "limits",
                     limits_json(weft_plan_get_limits(plan)), "nodes", nodes, "memory_only_nodes", memory_nodes, "workers",
                     workers);
}

int wf_plan_print_json(FILE *to, const weft_plan *plan) {
    json_t *root = plan_json(plan);
    if (!root) {
        errno = ENOMEM;
        return -1;
    }
    int failed = json_dumpf(root, to, JSON_INDENT(1)) || fputc('\n', to) == EOF;
    json_decref(root);
    return failed ? -1 : 0;
}
