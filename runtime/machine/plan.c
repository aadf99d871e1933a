/*
 * Makes plans: options and environment, then the steps that plan.h lists, each filling its part of the struct. A half-built
 * plan is released like a whole one. The rule itself (ties, oddities, order of victims) is told in plan.md beside this file.
 */
#include "machine/plan.h"

#include <hwloc/cpukinds.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/status.h"
#include "machine/memory_nodes.h"
#include "machine/plan_bounds.h"
#include "machine/select.h"
#include "machine/victims.h"

/* No machine has more PUs; a larger number is a slip. */
#define MAX_WORKERS (1u << 20)

struct wf_block {
    struct wf_block *next;
    max_align_t data[];
};

void *wf_plan_allocate(struct weft_plan *plan, size_t count, size_t bytes) {
    size_t total;
    struct wf_block *block = NULL;
    if (!__builtin_mul_overflow(count, bytes, &total) && total <= SIZE_MAX / 2)
        block = calloc(1, sizeof *block + total);
    if (!block) {
        wf_fail(WEFT_ENOMEM, "no memory for a plan");
        return NULL;
    }
    block->next = plan->blocks;
    plan->blocks = block;
    return block->data;
}

const char *wf_plan_format(struct weft_plan *plan, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    char *text = length < 0 ? NULL : wf_plan_allocate(plan, (size_t)length + 1, 1);
    if (text)
        vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(args);
    return text;
}

/* Options that are zero come from the environment. */
static weft_status read_environment(weft_plan_options *options, const char **workers_who) {
    uint64_t workers = 0;
    weft_status status = WEFT_OK;
    *workers_who = "worker count";
    if (!options->topology)
        options->topology = wf_env_text("WEFT_TOPOLOGY");
    if (!options->distances)
        options->distances = wf_env_text("WEFT_DISTANCES");
    if (!options->smt)
        status = wf_env_bool("WEFT_SMT", &options->smt);
    if (status || options->workers)
        return status;
    status = wf_env_unsigned("WEFT_WORKERS", 1, MAX_WORKERS, &workers);
    if (workers)
        *workers_who = "WEFT_WORKERS";
    options->workers = (unsigned)workers;
    return status;
}

weft_status wf_plan_read_options(weft_plan_options *options, const weft_plan_options *given, const char **workers_who) {
    weft_status status = wf_options_copy(options, sizeof *options, given, "weft_plan_options");
    if (status)
        return status;
    status = read_environment(options, workers_who);
    if (status)
        return status;
    if (options->workers > MAX_WORKERS || options->reserved_cores > MAX_WORKERS)
        return wf_fail(WEFT_EINVAL, "%s %u is beyond any machine: at most %u",
                       options->workers > MAX_WORKERS ? *workers_who : "reserved_cores",
                       options->workers > MAX_WORKERS ? options->workers : options->reserved_cores, MAX_WORKERS);
    return WEFT_OK;
}

/* Add what the process may use: the bounds' mask, else its own. */
static weft_status add_mask(hwloc_bitmap_t set, const struct wf_cpu_mask *within) {
    struct wf_cpu_mask mask = {0};
    weft_status status = within ? WEFT_OK : wf_cpu_mask_of_process(&mask);
    if (!status)
        status = wf_limits_add(set, within ? within : &mask);
    wf_cpu_mask_release(&mask);
    return status;
}

static bool describes(const struct wf_topology *topology, hwloc_const_bitmap_t mask) {
    return hwloc_bitmap_isincluded(mask, hwloc_topology_get_allowed_cpuset(topology->hwloc)) &&
           hwloc_bitmap_isincluded(mask, hwloc_topology_get_topology_cpuset(topology->hwloc));
}

/*
 * The affinity mask where there is one, and the homes inside it. A mask that holds more than the live topology allows shows that
 * the machine has changed since that was loaded: then it is loaded once more.
 */
static weft_status find_homes(struct weft_plan *plan, const weft_plan_options *options, const struct wf_plan_bounds *bounds) {
    if (!plan->topology->this_system || options->ignore_affinity || bounds->whole)
        return wf_homes_build(&plan->homes, plan->topology, NULL, bounds->whole, options->smt);
    hwloc_bitmap_t mask = wf_topology_bitmap(plan->topology);
    if (!mask)
        return wf_fail(WEFT_ENOMEM, "no memory for a plan");
    weft_status status = add_mask(mask, bounds->within);
    if (!status && !describes(plan->topology, mask) && !wf_topology_refresh()) {
        wf_topology_release(plan->topology);
        plan->topology = NULL;
        status = wf_topology_acquire(NULL, &plan->topology, &plan->limits.discovery_ms);
    }
    if (!status)
        status = wf_homes_build(&plan->homes, plan->topology, mask, false, options->smt);
    hwloc_bitmap_free(mask);
    return status;
}

static weft_status read_quota(struct weft_plan *plan, const struct wf_quota *known) {
    struct wf_quota read;
    plan->limits.quota_source = "";
    if (!plan->topology->this_system && !plan->topology->fsroot)
        return WEFT_OK;
    if (!known || plan->topology->fsroot) {
        weft_status status = wf_quota_read(plan->topology->fsroot ? plan->topology->fsroot : "", &read);
        if (status)
            return status;
        known = &read;
    }
    plan->limits.quota_cpus = known->cpus;
    if (known->cpus > 0)
        plan->limits.quota_source = wf_plan_format(plan, "%s", known->source);
    return plan->limits.quota_source ? WEFT_OK : WEFT_ENOMEM;
}

static weft_status read_limits(struct weft_plan *plan, const struct wf_quota *quota) {
    weft_plan_limits *limits = &plan->limits;
    hwloc_topology_t hwloc = plan->topology->hwloc;
    hwloc_bitmap_t present = hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(hwloc));
    if (!present)
        return wf_fail(WEFT_ENOMEM, "no memory for a plan");
    weft_status status = read_quota(plan, quota);
    limits->this_system = plan->topology->this_system;
    limits->allowed_pus = (unsigned)hwloc_bitmap_weight(plan->homes.allowed);
    limits->allowed_cores = plan->homes.allowed_cores;
    bool whole = limits->allowed_pus == (unsigned)hwloc_bitmap_weight(present);
    limits->owns_machine = limits->this_system && whole && limits->quota_cpus <= 0;
    hwloc_bitmap_and(present, present, hwloc_topology_get_allowed_cpuset(hwloc));
    limits->affinity_restricted = limits->allowed_pus < (unsigned)hwloc_bitmap_weight(present);
    hwloc_bitmap_free(present);
    return status;
}

/* The outermost data or unified cache above the PU. */
static hwloc_obj_t last_level_cache(hwloc_obj_t pu) {
    hwloc_obj_t cache = NULL;
    for (hwloc_obj_t above = pu->parent; above; above = above->parent)
        if (hwloc_obj_type_is_dcache(above->type))
            cache = above;
    return cache;
}

static int cache_number(const struct weft_plan *plan, unsigned worker) {
    if (!plan->caches[worker])
        return -1;
    int next = 0;
    for (unsigned i = 0; i < worker; i++) {
        if (plan->caches[i] == plan->caches[worker])
            return plan->workers[i].cache;
        next = plan->workers[i].cache >= next ? plan->workers[i].cache + 1 : next;
    }
    return next;
}

static weft_status fill_workers(struct weft_plan *plan) {
    plan->workers = wf_plan_allocate(plan, plan->worker_count, sizeof *plan->workers);
    plan->caches = wf_plan_allocate(plan, plan->worker_count, sizeof *plan->caches);
    if (!plan->workers || !plan->caches)
        return WEFT_ENOMEM;
    for (unsigned i = 0; i < plan->worker_count; i++) {
        const struct wf_candidate *chosen = plan->chosen[i];
        weft_plan_worker *worker = &plan->workers[i];
        int kind = hwloc_cpukinds_get_by_cpuset(plan->topology->hwloc, chosen->pu->cpuset, 0);
        plan->caches[i] = last_level_cache(chosen->pu);
        worker->pu = chosen->pu->os_index;
        worker->core = chosen->core ? (int)chosen->core->logical_index : -1;
        worker->cpukind = kind < 0 ? -1 : kind;
        worker->cache = cache_number(plan, i);
    }
    return WEFT_OK;
}

/* Nodes are the homes of workers, which come grouped by home. */
static weft_status fill_nodes(struct weft_plan *plan) {
    unsigned homes = plan->homes.home_count;
    plan->nodes = wf_plan_allocate(plan, homes, sizeof *plan->nodes);
    plan->node_homes = wf_plan_allocate(plan, homes, sizeof *plan->node_homes);
    plan->node_os_indexes = wf_plan_allocate(plan, homes, sizeof *plan->node_os_indexes);
    if (!plan->nodes || !plan->node_homes || !plan->node_os_indexes)
        return WEFT_ENOMEM;
    for (unsigned i = 0; i < plan->worker_count; i++) {
        const struct wf_home *home = &plan->homes.homes[plan->chosen[i]->home];
        if (!plan->node_count || plan->node_homes[plan->node_count - 1] != home) {
            plan->node_homes[plan->node_count] = home;
            plan->node_os_indexes[plan->node_count] = home->os_index;
            plan->nodes[plan->node_count].os_index = home->os_index;
            plan->nodes[plan->node_count++].first_worker = i;
        }
        plan->workers[i].node = plan->node_count - 1;
        plan->nodes[plan->node_count - 1].worker_count++;
    }
    return WEFT_OK;
}

/* The nodes of the file are some of the machine's. */
static weft_status check_measured(const struct weft_plan *plan) {
    const struct wf_measured *measured = plan->matrices.measured;
    hwloc_const_bitmap_t machine = hwloc_topology_get_complete_nodeset(plan->topology->hwloc);
    for (unsigned i = 0; i < measured->count; i++)
        if (!hwloc_bitmap_isset(machine, measured->nodes[i])) {
            char list[100];
            hwloc_bitmap_list_snprintf(list, sizeof list, machine);
            return wf_fail(
                WEFT_EINVAL,
                "distances in \"%s\", line %u: the machine has no node %u, only %s: measure on it (weft membench --save)",
                plan->options.distances, measured->line, measured->nodes[i], list);
        }
    return WEFT_OK;
}

static weft_status read_measured(struct weft_plan *plan, const weft_plan *again) {
    if (again) {
        plan->matrices.measured = wf_measured_retain(again->matrices.measured);
        return WEFT_OK;
    }
    if (!plan->options.distances)
        return WEFT_OK;
    weft_status status = wf_measured_load(&plan->matrices.measured, plan->options.distances);
    return status ? status : check_measured(plan);
}

/* Whoever names a file wants it used. */
static weft_status check_distances(const struct weft_plan *plan) {
    unsigned node = 0;
    if (!plan->matrices.measured || plan->node_count < 2 || plan->distance_source == WEFT_DISTANCE_MEASURED)
        return WEFT_OK;
    while (wf_measured_position(plan->matrices.measured, plan->node_os_indexes[node]) >= 0)
        node++; /* which ends: one is missing */
    return wf_fail(WEFT_EINVAL,
                   "distances in \"%s\", line %u: node %d is not listed, and the plan has workers there: measure from all nodes "
                   "(weft membench --save), or use only those that are listed",
                   plan->options.distances, plan->matrices.measured->line, plan->node_os_indexes[node]);
}

static weft_status fill_distances(struct weft_plan *plan) {
    weft_status status = wf_matrices_load(&plan->matrices, plan->topology->hwloc);
    if (status)
        return status;
    plan->distances = wf_plan_allocate(plan, (size_t)plan->node_count * plan->node_count, sizeof *plan->distances);
    if (!plan->distances)
        return WEFT_ENOMEM;
    plan->distance_source = wf_distances_fill(plan->distances, &plan->homes, &plan->matrices, plan->node_homes,
                                              plan->node_os_indexes, plan->node_count, plan->scratch);
    return WEFT_OK;
}

static weft_status fill_cpu_table(struct weft_plan *plan) {
    plan->cpu_count = (unsigned)hwloc_bitmap_last(plan->homes.allowed) + 1;
    plan->node_of_cpu = wf_plan_allocate(plan, plan->cpu_count, sizeof *plan->node_of_cpu);
    if (!plan->node_of_cpu)
        return WEFT_ENOMEM;
    for (unsigned cpu = 0; cpu < plan->cpu_count; cpu++)
        plan->node_of_cpu[cpu] = -1;
    for (unsigned node = 0; node < plan->node_count; node++) {
        hwloc_const_bitmap_t pus = plan->node_homes[node]->pus;
        for (int cpu = hwloc_bitmap_first(pus); cpu >= 0; cpu = hwloc_bitmap_next(pus, cpu))
            plan->node_of_cpu[cpu] = (int)node;
    }
    return WEFT_OK;
}

static const char *keep_text(struct weft_plan *plan, const char *text) {
    return text ? wf_plan_format(plan, "%s", text) : NULL;
}

static weft_status keep_options(struct weft_plan *plan, const weft_plan_options *options, const char *workers_who) {
    plan->options = *options;
    plan->workers_who = workers_who;
    plan->options.topology = keep_text(plan, options->topology);
    plan->options.nodes = keep_text(plan, options->nodes);
    plan->options.distances = keep_text(plan, options->distances);
    bool lost = (options->topology && !plan->options.topology) || (options->nodes && !plan->options.nodes) ||
                (options->distances && !plan->options.distances);
    return lost ? WEFT_ENOMEM : WEFT_OK;
}

static weft_status build(struct weft_plan *plan, const struct wf_plan_bounds *bounds) {
    static weft_status (*const steps[])(struct weft_plan *) = {fill_workers,   fill_nodes,           fill_distances,
                                                               fill_cpu_table, wf_memory_nodes_fill, wf_victims_fill};
    const weft_plan_options *options = &plan->options;
    weft_status status = wf_topology_acquire(options->topology, &plan->topology, &plan->limits.discovery_ms);
    if (!status)
        status = find_homes(plan, options, bounds);
    if (!status)
        status = read_limits(plan, bounds->quota);
    if (!status)
        status = read_measured(plan, bounds->again);
    if (status)
        return status;
    plan->scratch = wf_topology_bitmap(plan->topology);
    if (!plan->scratch)
        return wf_fail(WEFT_ENOMEM, "no memory for a plan");
    const struct wf_selection selection = {
        .nodes = options->nodes,
        .reserved_cores = options->reserved_cores,
        .workers = options->workers,
        .workers_who = plan->workers_who,
        .may_miss = bounds->again != NULL,
        .most = bounds->most,
        .quota_cpus = options->ignore_quota || bounds->whole ? 0 : plan->limits.quota_cpus,
        .smt = options->smt,
    };
    status = wf_select_workers(plan, &selection);
    for (unsigned i = 0; !status && i < WF_ARRAY_LENGTH(steps); i++)
        status = steps[i](plan);
    return status || bounds->again ? status : check_distances(plan);
}

static weft_status create(weft_plan **plan, const weft_plan_options *options, const char *workers_who,
                          const struct wf_plan_bounds *bounds) {
    struct weft_plan *made = calloc(1, sizeof *made);
    if (!made)
        return wf_fail(WEFT_ENOMEM, "no memory for a plan");
    wf_store(&made->references, 1, WF_RELAXED); /* nobody else knows it yet */
    weft_status status = keep_options(made, options, workers_who);
    if (!status)
        status = build(made, bounds);
    if (status) {
        weft_plan_destroy(made);
        return status;
    }
    *plan = made;
    return WEFT_OK;
}

weft_status weft_plan_create(weft_plan **plan, const weft_plan_options *options) {
    if (!plan)
        return wf_fail(WEFT_EINVAL, "weft_plan_create() needs a place for the plan, not NULL");
    return wf_plan_create_bounded(plan, options, &(struct wf_plan_bounds){0});
}

weft_status wf_plan_create_bounded(weft_plan **plan, const weft_plan_options *options, const struct wf_plan_bounds *bounds) {
    weft_plan_options known = {WEFT_PLAN_OPTIONS_INIT};
    const char *workers_who = "worker count";
    if (bounds->again)
        return create(plan, options, workers_who, bounds);
    weft_status status = wf_plan_read_options(&known, options, &workers_who);
    return status ? status : create(plan, &known, workers_who, bounds);
}

weft_status wf_plan_refresh_machine(void) {
    return wf_topology_refresh();
}

const weft_plan_options *wf_plan_options(const weft_plan *plan) {
    return &plan->options;
}

void weft_plan_destroy(weft_plan *plan) {
    /* acq_rel: the last one sees everything the others read and wrote before it frees */
    if (!plan || wf_fetch_sub(&plan->references, 1, WF_ACQ_REL) != 1)
        return;
    wf_matrices_release(&plan->matrices);
    wf_homes_release(&plan->homes);
    hwloc_bitmap_free(plan->scratch);
    wf_topology_release(plan->topology);
    for (struct wf_block *block = plan->blocks, *next; block; block = next) {
        next = block->next;
        free(block);
    }
    free(plan);
}

const weft_plan_worker *weft_plan_workers(const weft_plan *plan, unsigned *count) {
    if (count)
        *count = plan ? plan->worker_count : 0;
    return plan ? plan->workers : NULL;
}

const weft_plan_node *weft_plan_nodes(const weft_plan *plan, unsigned *count) {
    if (count)
        *count = plan ? plan->node_count : 0;
    return plan ? plan->nodes : NULL;
}

const weft_plan_memory_node *weft_plan_memory_nodes(const weft_plan *plan, unsigned *count) {
    if (count)
        *count = plan ? plan->memory_node_count : 0;
    return plan && plan->memory_node_count ? plan->memory_nodes : NULL;
}

weft_distance_source weft_plan_distance_source(const weft_plan *plan) {
    return plan ? plan->distance_source : WEFT_DISTANCE_NONE;
}

const weft_plan_limits *weft_plan_get_limits(const weft_plan *plan) {
    return plan ? &plan->limits : NULL;
}
