/* The promises of weft/plan.h, checked from outside and without the code that keeps them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "machine/binding.h"

/* Larger plans are checked for some of their workers. */
#define EVERY_WORKER_UP_TO 256

struct view {
    const weft_plan *plan;
    const weft_plan_worker *workers;
    const weft_plan_node *nodes;
    unsigned worker_count, node_count;
};

static void check_nodes(const struct view *view) {
    unsigned next = 0;
    for (unsigned i = 0; i < view->node_count; i++) {
        const weft_plan_node *node = &view->nodes[i];
        FUZZ_CHECK(node->first_worker == next && node->worker_count >= 1, "node %u begins with %u", i, node->first_worker);
        for (unsigned j = 0; j < node->worker_count && next + j < view->worker_count; j++)
            FUZZ_CHECK(view->workers[next + j].node == i, "worker %u is of node %u", next + j, view->workers[next + j].node);
        next += node->worker_count;
        FUZZ_CHECK(node->memory_node >= -1, "memory node %d", node->memory_node);
        if (!i)
            continue;
        int before = view->nodes[i - 1].os_index, here = node->os_index;
        bool rises = before >= 0 ? here < 0 || here > before : here < before;
        FUZZ_CHECK(rises, "node %d comes after node %d", here, before);
    }
    FUZZ_CHECK(next == view->worker_count, "nodes have %u workers, the plan has %u", next, view->worker_count);
}

static int by_value(const void *a, const void *b) {
    unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
    return x < y ? -1 : x > y;
}

static void check_unique(unsigned *numbers, unsigned count, const char *what) {
    qsort(numbers, count, sizeof *numbers, by_value);
    for (unsigned i = 1; i < count; i++)
        FUZZ_CHECK(numbers[i] != numbers[i - 1], "two workers have %s %u", what, numbers[i]);
}

static void check_seats(const struct view *view, const struct fuzz_asked *asked) {
    unsigned *numbers = calloc(view->worker_count, sizeof *numbers), count = 0;
    for (unsigned i = 0; i < view->worker_count; i++)
        numbers[i] = view->workers[i].pu;
    check_unique(numbers, view->worker_count, "PU");
    for (unsigned i = 0; asked->one_per_core && i < view->worker_count; i++)
        if (view->workers[i].core >= 0)
            numbers[count++] = (unsigned)view->workers[i].core;
    check_unique(numbers, count, "core");
    free(numbers);
    for (unsigned i = 0; i < view->worker_count; i++)
        FUZZ_CHECK(view->workers[i].core >= -1 && view->workers[i].cpukind >= -1 && view->workers[i].cache >= -1, "worker %u", i);
}

static void check_group(const struct view *view, unsigned thief, const weft_victim_group *group, unsigned char *seen) {
    const weft_plan_worker *self = &view->workers[thief];
    FUZZ_CHECK(group->worker_count >= 1, "worker %u has an empty group", thief);
    for (unsigned i = 0; i < group->worker_count; i++) {
        unsigned id = group->workers[i];
        FUZZ_CHECK(id < view->worker_count && !seen[id]++, "worker %u steals twice or never from %u", thief, id);
        FUZZ_CHECK(!i || id > group->workers[i - 1], "worker %u: ids do not increase", thief);
        const weft_plan_worker *victim = &view->workers[id];
        bool same_node = victim->node == self->node, same_cache = self->cache >= 0 && victim->cache == self->cache;
        FUZZ_CHECK(same_node == (group->kind != WEFT_VICTIM_REMOTE), "worker %u to %u: kind %d", thief, id, (int)group->kind);
        FUZZ_CHECK(!same_node || same_cache == (group->kind == WEFT_VICTIM_CACHE), "worker %u to %u: cache", thief, id);
    }
}

static void check_victims(const struct view *view, unsigned thief, unsigned char *seen) {
    const weft_plan_worker *self = &view->workers[thief];
    memset(seen, 0, view->worker_count);
    seen[thief] = 1;
    for (unsigned g = 0; g < self->group_count; g++) {
        const weft_victim_group *group = &self->groups[g], *before = g ? group - 1 : NULL;
        FUZZ_CHECK((unsigned)group->kind <= WEFT_VICTIM_REMOTE, "kind %d", (int)group->kind);
        FUZZ_CHECK(!before || group->kind > before->kind ||
                       (group->kind == WEFT_VICTIM_REMOTE && group->kind == before->kind && group->distance > before->distance),
                   "worker %u: group %u is not farther than the one before", thief, g);
        FUZZ_CHECK(group->kind == WEFT_VICTIM_REMOTE || !group->distance, "worker %u: distance inside the node", thief);
        check_group(view, thief, group, seen);
    }
    for (unsigned id = 0; id < view->worker_count; id++)
        FUZZ_CHECK(seen[id] == 1, "worker %u never steals from %u", thief, id);
}

static uint64_t distance(const struct view *view, unsigned from, unsigned to) {
    const weft_plan_worker *worker = &view->workers[view->nodes[from].first_worker];
    for (unsigned g = 0; g < worker->group_count; g++)
        for (unsigned i = 0; i < worker->groups[g].worker_count; i++)
            if (worker->groups[g].workers[i] == view->nodes[to].first_worker)
                return worker->groups[g].distance;
    return 0;
}

static void check_distances(const struct view *view) {
    weft_distance_source source = weft_plan_distance_source(view->plan);
    FUZZ_CHECK((source == WEFT_DISTANCE_NONE) == (view->node_count < 2), "source %d of %u nodes", (int)source, view->node_count);
    unsigned most = view->node_count < 24 ? view->node_count : 24;
    for (unsigned from = 0; source == WEFT_DISTANCE_TREE && from < most; from++)
        for (unsigned to = 0; to < from; to++)
            FUZZ_CHECK(distance(view, from, to) == distance(view, to, from), "tree distance of nodes %u and %u", from, to);
}

static bool is_plan_node(const struct view *view, int os_index) {
    for (unsigned i = 0; i < view->node_count; i++)
        if (view->nodes[i].os_index == os_index)
            return true;
    return false;
}

static void check_memory_nodes(const struct view *view) {
    unsigned count;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(view->plan, &count);
    FUZZ_CHECK((nodes != NULL) == (count > 0), "%u memory nodes at %p", count, (const void *)nodes);
    for (unsigned i = 0; i < count; i++) {
        FUZZ_CHECK(nodes[i].os_index >= 0 && (!i || nodes[i].os_index > nodes[i - 1].os_index), "%d", nodes[i].os_index);
        FUZZ_CHECK(nodes[i].subtype && nodes[i].nearest_count >= 1, "memory node %d", nodes[i].os_index);
        FUZZ_CHECK(!is_plan_node(view, nodes[i].os_index), "memory node %d has workers", nodes[i].os_index);
        for (unsigned j = 0; j < nodes[i].nearest_count; j++)
            FUZZ_CHECK(is_plan_node(view, nodes[i].nearest[j]), "%d is no node of the plan", nodes[i].nearest[j]);
    }
}

static void check_limits(const struct view *view) {
    const weft_plan_limits *limits = weft_plan_get_limits(view->plan);
    FUZZ_CHECK(limits->allowed_cores >= 1 && limits->allowed_cores <= limits->allowed_pus, "%u cores of %u PUs",
               limits->allowed_cores, limits->allowed_pus);
    FUZZ_CHECK(view->worker_count <= limits->allowed_pus, "%u workers", view->worker_count);
    FUZZ_CHECK(isfinite(limits->quota_cpus) && limits->quota_cpus >= 0, "quota %g", limits->quota_cpus);
    FUZZ_CHECK(limits->quota_source && (limits->quota_cpus > 0 || !*limits->quota_source), "%s", limits->quota_source);
    FUZZ_CHECK(limits->reason && *limits->reason, "a plan of %u workers gives no reason", view->worker_count);
    FUZZ_CHECK(limits->discovery_ms >= 0, "%g ms", limits->discovery_ms);
    FUZZ_CHECK(!limits->owns_machine || (limits->this_system && limits->quota_cpus <= 0), "owns what it may not use");
}

/* Masks widen from CORE to NONE, and each holds the worker's PU. */
static void check_masks(const struct view *view, unsigned worker) {
    struct wf_cpu_mask masks[5];
    unsigned pu = view->workers[worker].pu;
    for (weft_pin pin = WEFT_PIN_CORE; pin <= WEFT_PIN_NONE; pin++) {
        FUZZ_CHECK(!wf_plan_cpu_mask(view->plan, worker, pin, &masks[pin]), "%s", weft_error_detail());
        FUZZ_CHECK(CPU_ISSET_S(pu, masks[pin].bytes, masks[pin].set), "mask %d of worker %u lacks PU %u", (int)pin, worker, pu);
    }
    FUZZ_CHECK(CPU_COUNT_S(masks[WEFT_PIN_CORE].bytes, masks[WEFT_PIN_CORE].set) == 1, "CORE mask of worker %u", worker);
    for (weft_pin pin = WEFT_PIN_CACHE; pin <= WEFT_PIN_NONE; pin++)
        for (size_t cpu = 0; cpu < masks[pin].bytes * 8 && cpu < 4096; cpu++)
            FUZZ_CHECK(!CPU_ISSET_S(cpu, masks[pin - 1].bytes, masks[pin - 1].set) ||
                           CPU_ISSET_S(cpu, masks[pin].bytes, masks[pin].set),
                       "mask %d of worker %u is no part of the next", (int)pin - 1, worker);
    for (weft_pin pin = WEFT_PIN_CORE; pin <= WEFT_PIN_NONE; pin++)
        wf_cpu_mask_release(&masks[pin]);
}

void fuzz_check_plan(const weft_plan *plan, const struct fuzz_asked *asked) {
    struct view view = {.plan = plan};
    view.workers = weft_plan_workers(plan, &view.worker_count);
    view.nodes = weft_plan_nodes(plan, &view.node_count);
    FUZZ_CHECK(view.worker_count >= 1 && view.node_count >= 1, "%u workers on %u nodes", view.worker_count, view.node_count);
    FUZZ_CHECK(!asked->workers || view.worker_count == asked->workers, "%u workers for %u", view.worker_count, asked->workers);
    check_nodes(&view);
    check_seats(&view, asked);
    check_limits(&view);
    check_memory_nodes(&view);
    check_distances(&view);
    unsigned char *seen = calloc(view.worker_count, 1);
    unsigned step = view.worker_count <= EVERY_WORKER_UP_TO ? 1 : view.worker_count / 16;
    for (unsigned i = 0; i < view.worker_count; i += step) {
        check_victims(&view, i, seen);
        if (i % (step * 8) == 0)
            check_masks(&view, i);
    }
    free(seen);
}
