/*
 * Plans of recorded machines against expected plans. $WEFT_TOPOLOGY_CORPUS names a directory with NAME.xml,
 * expected/NAME.json and expected/NAME.allpus.json; without it the test is skipped. A plain program, exit 0, 1 or 77.
 * Victim groups are compared as sets; cpukind, subtype and the number in remote:<d> are not compared.
 */
#include <dirent.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "weft/plan.h"

static unsigned compared, matched;

static long integer(const json_t *object, const char *name) {
    return (long)json_integer_value(json_object_get(object, name));
}

/* Report the first difference of a plan; always false. */
static bool differs(const char *name, const char *what, unsigned index, long expected, long got) {
    printf("%s: %s of %u: expected %ld, got %ld\n", name, what, index, expected, got);
    return false;
}

static bool same_source(const char *name, const weft_plan *plan, const json_t *expected) {
    static const char *const words[] = {"none", "matrix", "tree", "measured"};
    const char *word = words[weft_plan_distance_source(plan)];
    const char *want = json_string_value(json_object_get(expected, "distance_source"));
    if (want && !strcmp(word, want))
        return true;
    printf("%s: distance source: expected %s, got %s\n", name, want ? want : "?", word);
    return false;
}

static bool same_nodes(const char *name, const weft_plan *plan, const json_t *expected) {
    unsigned count;
    const weft_plan_node *nodes = weft_plan_nodes(plan, &count);
    const weft_plan_worker *workers = weft_plan_workers(plan, NULL);
    if (json_array_size(expected) != count)
        return differs(name, "number of nodes", 0, (long)json_array_size(expected), count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *want = json_array_get(expected, i), *pus = json_object_get(want, "workers");
        if (integer(want, "os_index") != nodes[i].os_index)
            return differs(name, "os_index", i, integer(want, "os_index"), nodes[i].os_index);
        if ((uint64_t)integer(want, "local_memory") != nodes[i].local_memory)
            return differs(name, "local memory", i, integer(want, "local_memory"), (long)nodes[i].local_memory);
        if (integer(want, "memory_node") != nodes[i].memory_node)
            return differs(name, "memory node", i, integer(want, "memory_node"), nodes[i].memory_node);
        if (json_array_size(pus) != nodes[i].worker_count)
            return differs(name, "workers", i, (long)json_array_size(pus), nodes[i].worker_count);
        for (unsigned j = 0; j < nodes[i].worker_count; j++)
            if (json_integer_value(json_array_get(pus, j)) != workers[nodes[i].first_worker + j].pu)
                return differs(name, "PU of a node's worker", j, (long)json_integer_value(json_array_get(pus, j)),
                               workers[nodes[i].first_worker + j].pu);
    }
    return true;
}

static bool same_memory_nodes(const char *name, const weft_plan *plan, const json_t *expected) {
    unsigned count;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(plan, &count);
    if (json_array_size(expected) != count)
        return differs(name, "number of memory-only nodes", 0, (long)json_array_size(expected), count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *want = json_array_get(expected, i), *nearest = json_object_get(want, "nearest");
        if (integer(want, "os_index") != nodes[i].os_index)
            return differs(name, "memory-only os_index", i, integer(want, "os_index"), nodes[i].os_index);
        if ((uint64_t)integer(want, "local_memory") != nodes[i].local_memory)
            return differs(name, "memory-only bytes", i, integer(want, "local_memory"), (long)nodes[i].local_memory);
        if (json_array_size(nearest) != nodes[i].nearest_count)
            return differs(name, "nearest nodes", i, (long)json_array_size(nearest), nodes[i].nearest_count);
        for (unsigned j = 0; j < nodes[i].nearest_count; j++)
            if (json_integer_value(json_array_get(nearest, j)) != nodes[i].nearest[j])
                return differs(name, "nearest", i, (long)json_integer_value(json_array_get(nearest, j)), nodes[i].nearest[j]);
    }
    return true;
}

/* Same members: equal sizes, and every expected id once among ours (which are increasing, hence distinct). */
static bool same_set(const weft_victim_group *group, const json_t *expected) {
    size_t i;
    json_t *id;
    if (json_array_size(expected) != group->worker_count)
        return false;
    for (unsigned j = 1; j < group->worker_count; j++)
        if (group->workers[j] <= group->workers[j - 1])
            return false;
    json_array_foreach(expected, i, id) {
        bool found = false;
        for (unsigned j = 0; j < group->worker_count; j++)
            found |= group->workers[j] == json_integer_value(id);
        if (!found)
            return false;
    }
    return true;
}

static bool same_kind(const weft_victim_group *group, const json_t *expected) {
    static const char *const words[] = {"llc", "node", "remote:"};
    const char *want = json_string_value(expected), *word = words[group->kind];
    return want && !strncmp(want, word, strlen(word));
}

static bool same_victims(const char *name, const weft_plan_worker *worker, unsigned id, const json_t *expected) {
    const json_t *groups = json_object_get(expected, "victim_groups"), *kinds = json_object_get(expected, "victim_kinds");
    if (json_array_size(groups) != worker->group_count)
        return differs(name, "number of victim groups", id, (long)json_array_size(groups), worker->group_count);
    for (unsigned i = 0; i < worker->group_count; i++) {
        if (!same_set(&worker->groups[i], json_array_get(groups, i)))
            return differs(name, "members of victim group", id, i, i);
        if (!same_kind(&worker->groups[i], json_array_get(kinds, i)))
            return differs(name, "kind of victim group", id, i, worker->groups[i].kind);
    }
    return true;
}

static bool same_workers(const char *name, const weft_plan *plan, const json_t *expected) {
    unsigned count;
    const weft_plan_worker *workers = weft_plan_workers(plan, &count);
    const weft_plan_node *nodes = weft_plan_nodes(plan, NULL);
    if (json_array_size(expected) != count)
        return differs(name, "number of workers", 0, (long)json_array_size(expected), count);
    for (unsigned i = 0; i < count; i++) {
        const json_t *want = json_array_get(expected, i);
        if (integer(want, "id") != i || integer(want, "pu") != workers[i].pu)
            return differs(name, "PU of worker", i, integer(want, "pu"), workers[i].pu);
        if (integer(want, "node") != nodes[workers[i].node].os_index)
            return differs(name, "node of worker", i, integer(want, "node"), nodes[workers[i].node].os_index);
        if (integer(want, "core") != workers[i].core)
            return differs(name, "core of worker", i, integer(want, "core"), workers[i].core);
        if (!same_victims(name, &workers[i], i, want))
            return false;
    }
    return true;
}

static bool matches(const char *name, const char *xml, const json_t *expected, bool smt) {
    weft_plan *plan;
    weft_plan_options options = {WEFT_PLAN_OPTIONS_INIT, .topology = xml, .smt = smt};
    if (weft_plan_create(&plan, &options)) {
        printf("%s: %s\n", name, weft_error_detail());
        return false;
    }
    bool same = same_source(name, plan, expected) && same_nodes(name, plan, json_object_get(expected, "nodes")) &&
                same_memory_nodes(name, plan, json_object_get(expected, "memory_only_nodes")) &&
                same_workers(name, plan, json_object_get(expected, "workers"));
    weft_plan_destroy(plan);
    return same;
}

static void compare(const char *corpus, const char *name, bool smt) {
    char xml[4096], path[4096], label[300];
    snprintf(xml, sizeof xml, "%s/%s.xml", corpus, name);
    snprintf(path, sizeof path, "%s/expected/%s%s.json", corpus, name, smt ? ".allpus" : "");
    snprintf(label, sizeof label, "%s%s", name, smt ? " (all PUs)" : "");
    json_error_t error;
    json_t *expected = json_load_file(path, 0, &error);
    compared++;
    if (!expected)
        printf("%s: %s: %s\n", label, path, error.text);
    else
        matched += matches(label, xml, expected, smt);
    json_decref(expected);
}

static int only_xml(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 4 && !strcmp(entry->d_name + length - 4, ".xml");
}

int main(void) {
    const char *corpus = getenv("WEFT_TOPOLOGY_CORPUS");
    if (!corpus || !*corpus) {
        puts("skipped: WEFT_TOPOLOGY_CORPUS names no directory of recorded topologies");
        return 77;
    }
    unsetenv("WEFT_WORKERS");
    unsetenv("WEFT_SMT");
    struct dirent **entries;
    int count = scandir(corpus, &entries, only_xml, alphasort);
    for (int i = 0; i < count; i++) {
        entries[i]->d_name[strlen(entries[i]->d_name) - 4] = 0;
        compare(corpus, entries[i]->d_name, false);
        compare(corpus, entries[i]->d_name, true);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    printf("%u of %u plans match\n", matched, compared);
    return compared && matched == compared ? 0 : 1;
}
