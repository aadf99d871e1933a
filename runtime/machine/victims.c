/*
 * Lists are shared where they are equal, so that machines with a thousand CPUs stay small: remote lists by all workers of a
 * node, the rest of a node by all workers under one cache. Only the list of cache mates, which leaves out the worker itself, is
 * its own. Workers of a node that share a cache are neighbours in plan order, because that order is depth-first.
 */
#include "machine/victims.h"

#include <stdlib.h>

/* Remote groups of one node, nearest first; shared by its workers. */
struct remote {
    weft_victim_group *groups;
    unsigned count;
};

/* A run [first, end) of worker ids. */
struct run {
    unsigned first, end;
};

static bool in_run(struct run run, unsigned id) {
    return id >= run.first && id < run.end;
}

static struct run node_run(const struct weft_plan *plan, unsigned node) {
    unsigned first = plan->nodes[node].first_worker;
    return (struct run){first, first + plan->nodes[node].worker_count};
}

/* The workers of the node that share the worker's cache, itself included; alone if it has no cache. */
static struct run cache_run(const struct weft_plan *plan, unsigned worker) {
    struct run node = node_run(plan, plan->workers[worker].node), run = {worker, worker + 1};
    if (!plan->caches[worker])
        return run;
    while (run.first > node.first && plan->caches[run.first - 1] == plan->caches[worker])
        run.first--;
    while (run.end < node.end && plan->caches[run.end] == plan->caches[worker])
        run.end++;
    return run;
}

/* Ids of `all` that are not in `without`. */
static unsigned *list_without(struct weft_plan *plan, struct run all, struct run without) {
    unsigned count = 0, *list = wf_plan_allocate(plan, all.end - all.first, sizeof *list);
    for (unsigned id = all.first; list && id < all.end; id++)
        if (!in_run(without, id))
            list[count++] = id;
    return list;
}

/* The next distance from `node` above `last`; false: there is none. */
static bool next_distance(const struct weft_plan *plan, unsigned node, bool any, uint64_t last, uint64_t *next) {
    bool found = false;
    for (unsigned other = 0; other < plan->node_count; other++) {
        uint64_t distance = plan->distances[node * plan->node_count + other];
        if (other == node || (any && distance <= last) || (found && distance >= *next))
            continue;
        *next = distance;
        found = true;
    }
    return found;
}

/* Append the workers of all nodes at this distance; they come in increasing order, as nodes do. */
static unsigned list_at(const struct weft_plan *plan, unsigned node, uint64_t distance, unsigned *list) {
    unsigned count = 0;
    for (unsigned other = 0; other < plan->node_count; other++) {
        struct run run = node_run(plan, other);
        if (other != node && plan->distances[node * plan->node_count + other] == distance)
            for (unsigned id = run.first; id < run.end; id++)
                list[count++] = id;
    }
    return count;
}

static weft_status remote_fill(struct weft_plan *plan, unsigned node, struct remote *remote) {
    remote->count = 0;
    if (plan->node_count < 2)
        return WEFT_OK;
    remote->groups = wf_plan_allocate(plan, plan->node_count - 1, sizeof *remote->groups);
    unsigned *list = wf_plan_allocate(plan, plan->worker_count - plan->nodes[node].worker_count, sizeof *list);
    if (!remote->groups || !list)
        return WEFT_ENOMEM;
    uint64_t distance = 0;
    while (next_distance(plan, node, remote->count > 0, distance, &distance)) {
        unsigned count = list_at(plan, node, distance, list);
        remote->groups[remote->count++] = (weft_victim_group){WEFT_VICTIM_REMOTE, distance, count, list};
        list += count;
    }
    return WEFT_OK;
}

/* Everything of one worker; `others` is the rest of its node, shared by its cache mates. */
static weft_status worker_fill(struct weft_plan *plan, unsigned worker, struct run mates, const unsigned *others,
                               const struct remote *remote) {
    unsigned mate_count = mates.end - mates.first - 1;
    unsigned other_count = plan->nodes[plan->workers[worker].node].worker_count - mate_count - 1;
    weft_victim_group *groups = wf_plan_allocate(plan, remote->count + 2, sizeof *groups);
    unsigned count = 0;
    if (!groups)
        return WEFT_ENOMEM;
    if (mate_count) {
        unsigned *list = list_without(plan, mates, (struct run){worker, worker + 1});
        if (!list)
            return WEFT_ENOMEM;
        groups[count++] = (weft_victim_group){WEFT_VICTIM_CACHE, 0, mate_count, list};
    }
    if (other_count)
        groups[count++] = (weft_victim_group){WEFT_VICTIM_NODE, 0, other_count, others};
    for (unsigned i = 0; i < remote->count; i++)
        groups[count++] = remote->groups[i];
    plan->workers[worker].groups = groups;
    plan->workers[worker].group_count = count;
    return WEFT_OK;
}

static weft_status node_fill(struct weft_plan *plan, unsigned node) {
    struct remote remote = {0};
    struct run all = node_run(plan, node), mates;
    weft_status status = remote_fill(plan, node, &remote);
    for (unsigned first = all.first; !status && first < all.end; first = mates.end) {
        mates = cache_run(plan, first);
        unsigned *others = list_without(plan, all, mates);
        if (!others)
            return WEFT_ENOMEM;
        for (unsigned worker = mates.first; !status && worker < mates.end; worker++)
            status = worker_fill(plan, worker, mates, others, &remote);
    }
    return status;
}

weft_status wf_victims_fill(struct weft_plan *plan) {
    weft_status status = WEFT_OK;
    for (unsigned node = 0; !status && node < plan->node_count; node++)
        status = node_fill(plan, node);
    return status;
}
