/*
 * Narrows the candidates down, in this order: the nodes that were listed, without the reserved cores, at most as many as asked
 * for or as the quota pays for. What is left is taken from the front of the plan's order, so that few workers sit close.
 */
#include "machine/select.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/status.h"

/* Above any OS index of a node that Linux could give (MAX_NUMNODES is 1024). */
#define MAX_NODE_INDEX 65535

/* One number at *text, which moves behind it. */
static bool parse_number(const char **text, unsigned *number) {
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    unsigned long long value = strtoull(*text, &end, 10);
    *text = end;
    *number = (unsigned)value;
    return value <= MAX_NODE_INDEX;
}

/* "0,2-3" */
static bool parse_list(const char *text, hwloc_bitmap_t set) {
    for (;; text++) {
        unsigned first, last;
        if (!parse_number(&text, &first))
            return false;
        last = first;
        if (*text == '-' && (text++, !parse_number(&text, &last) || last < first))
            return false;
        if (hwloc_bitmap_set_range(set, first, (int)last))
            return false;
        if (*text != ',')
            return !*text;
    }
}

/* The nodes that could be listed, as text. */
static void list_nodes(const struct weft_plan *plan, char *text, size_t room) {
    hwloc_bitmap_t known = hwloc_bitmap_alloc();
    text[0] = 0;
    for (unsigned i = 0; known && i < plan->homes.candidate_count; i++) {
        int node = plan->homes.homes[plan->homes.candidates[i].home].os_index;
        if (node >= 0)
            hwloc_bitmap_set(known, (unsigned)node);
    }
    if (known)
        hwloc_bitmap_list_snprintf(text, room, known);
    hwloc_bitmap_free(known);
}

static bool node_has_candidate(const struct weft_plan *plan, int node) {
    for (unsigned i = 0; i < plan->homes.candidate_count; i++)
        if (plan->homes.homes[plan->homes.candidates[i].home].os_index == node)
            return true;
    return false;
}

static weft_status check_nodes(const struct weft_plan *plan, hwloc_const_bitmap_t set) {
    char known[256];
    for (int node = hwloc_bitmap_first(set); node >= 0; node = hwloc_bitmap_next(set, node))
        if (!node_has_candidate(plan, node)) {
            list_nodes(plan, known, sizeof known);
            return wf_fail(WEFT_EINVAL, "node %d has no core this process may use; the nodes that have some are %s", node,
                           *known ? known : "unnamed");
        }
    return WEFT_OK;
}

static void keep_nodes(struct weft_plan *plan, hwloc_const_bitmap_t set) {
    unsigned kept = 0;
    for (unsigned i = 0; i < plan->worker_count; i++) {
        int node = plan->homes.homes[plan->chosen[i]->home].os_index;
        if (node >= 0 && hwloc_bitmap_isset(set, (unsigned)node))
            plan->chosen[kept++] = plan->chosen[i];
    }
    plan->worker_count = kept;
}

static weft_status narrow_to_nodes(struct weft_plan *plan, const char *list) {
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (!set)
        return wf_fail(WEFT_ENOMEM, "no memory for a node list");
    weft_status status = parse_list(list, set) ? check_nodes(plan, set)
                                               : wf_fail(WEFT_EINVAL, "node list \"%s\" is not of the form \"0,2-3\"", list);
    if (!status)
        keep_nodes(plan, set);
    hwloc_bitmap_free(set);
    return status;
}

/* Workers i - 1 and i sit on one core (of one node). */
static bool same_core(const struct weft_plan *plan, unsigned i) {
    const struct wf_candidate *before = plan->chosen[i - 1], *here = plan->chosen[i];
    return before->home == here->home && here->core && before->core == here->core;
}

static unsigned count_cores(const struct weft_plan *plan) {
    unsigned cores = 0;
    for (unsigned i = 0; i < plan->worker_count; i++)
        cores += !i || !same_core(plan, i);
    return cores;
}

/* One behind the last worker of the node with the most workers; the later one of equals. */
static unsigned end_of_fullest_node(const struct weft_plan *plan) {
    unsigned most = 0, end = 0, here = 0;
    for (unsigned i = 0; i < plan->worker_count; i++) {
        here = i && plan->chosen[i - 1]->home == plan->chosen[i]->home ? here + 1 : 1;
        if (here >= most) {
            most = here;
            end = i + 1;
        }
    }
    return end;
}

/* Take the workers of the last core before `end` away. */
static void drop_core(struct weft_plan *plan, unsigned end) {
    unsigned first = end - 1;
    while (first > 0 && same_core(plan, first))
        first--;
    for (unsigned i = end; i < plan->worker_count; i++)
        plan->chosen[first + i - end] = plan->chosen[i];
    plan->worker_count -= end - first;
}

static weft_status reserve_cores(struct weft_plan *plan, unsigned reserved) {
    unsigned cores = count_cores(plan);
    if (reserved >= cores)
        return wf_fail(WEFT_EINVAL, "reserving %u of the %u cores this process may use leaves none for a worker", reserved,
                       cores);
    for (unsigned i = 0; i < reserved; i++)
        drop_core(plan, end_of_fullest_node(plan));
    return WEFT_OK;
}

static weft_status too_many(const struct weft_plan *plan, const struct wf_selection *selection) {
    unsigned cores = count_cores(plan), reserved = selection->reserved_cores;
    char where[64] = "", less[64] = "";
    if (selection->nodes)
        snprintf(where, sizeof where, " on nodes %.40s", selection->nodes);
    if (reserved)
        snprintf(less, sizeof less, ", %u reserved ones left out", reserved);
    if (selection->smt)
        return wf_fail(WEFT_EINVAL, "%s %u exceeds the %u processing units this process may use%s%s", selection->workers_who,
                       selection->workers, plan->worker_count, where, less);
    return wf_fail(WEFT_EINVAL, "%s %u exceeds the %u cores this process may use%s%s", selection->workers_who, selection->workers,
                   cores, where, less);
}

/* How many workers the quota pays for; a quota of 2.5 CPUs keeps three workers partly busy. */
static unsigned quota_workers(double cpus, unsigned most) {
    if (cpus >= most)
        return most;
    unsigned whole = (unsigned)cpus;
    return cpus - whole > 1e-6 || !whole ? whole + 1 : whole;
}

static const char *reason_all(struct weft_plan *plan, const struct wf_selection *selection) {
    const char *unit = selection->smt ? "processing unit" : "core";
    const char *whose = plan->limits.owns_machine  ? " of the machine"
                        : plan->limits.this_system ? " this process may use"
                                                   : " of the topology that may be used";
    char reserved[48] = "";
    if (selection->reserved_cores)
        snprintf(reserved, sizeof reserved, ", %u reserved cores left out", selection->reserved_cores);
    return wf_plan_format(plan, "one worker for each %s%s%s%s%s", unit, whose, selection->nodes ? " on nodes " : "",
                          selection->nodes ? selection->nodes : "", reserved);
}

static const char *reason_quota(struct weft_plan *plan, double cpus, unsigned before) {
    return wf_plan_format(plan, "the control groups grant %.4g CPUs (%s), less than the %u workers there is room for", cpus,
                          *plan->limits.quota_source ? plan->limits.quota_source : "quota", before);
}

static weft_status limit_count(struct weft_plan *plan, const struct wf_selection *selection) {
    unsigned room = plan->worker_count;
    const char *reason;
    if (selection->workers && selection->workers > room && selection->may_miss) {
        reason = wf_plan_format(plan, "%u asked for (%s), room for %u only", selection->workers, selection->workers_who, room);
    } else if (selection->workers) {
        if (selection->workers > room)
            return too_many(plan, selection);
        plan->worker_count = selection->workers;
        plan->fewer_than_machine = selection->workers < room;
        reason = wf_plan_format(plan, "%u asked for (%s), room for %u", selection->workers, selection->workers_who, room);
    } else if (selection->quota_cpus > 0 && quota_workers(selection->quota_cpus, room) < room) {
        plan->worker_count = quota_workers(selection->quota_cpus, room);
        reason = reason_quota(plan, selection->quota_cpus, room);
    } else {
        reason = reason_all(plan, selection);
    }
    if (reason && selection->most && plan->worker_count > selection->most) {
        reason = wf_plan_format(plan, "room for %u, but the pool was made with %u", plan->worker_count, selection->most);
        plan->worker_count = selection->most;
    }
    plan->limits.reason = reason;
    return reason ? WEFT_OK : WEFT_ENOMEM;
}

weft_status wf_select_workers(struct weft_plan *plan, const struct wf_selection *selection) {
    plan->chosen = wf_plan_allocate(plan, plan->homes.candidate_count, sizeof *plan->chosen);
    if (!plan->chosen)
        return WEFT_ENOMEM;
    plan->worker_count = plan->homes.candidate_count;
    for (unsigned i = 0; i < plan->worker_count; i++)
        plan->chosen[i] = &plan->homes.candidates[i];
    weft_status status = selection->nodes ? narrow_to_nodes(plan, selection->nodes) : WEFT_OK;
    if (!status && selection->reserved_cores)
        status = reserve_cores(plan, selection->reserved_cores);
    return status ? status : limit_count(plan, selection);
}
