/*
 * The rules for allowed PUs, candidates and home nodes. Bandwidth, latency and capacity are not asked: the node with the
 * highest bandwidth is HBM, which is too small to be home.
 */
#include "machine/homes.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* No home found yet. */
#define HOMELESS INT_MIN

static weft_status no_memory(void) {
    return wf_fail(WEFT_ENOMEM, "no memory for a plan");
}

unsigned wf_common_pus(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b) {
    unsigned count = 0;
    for (int pu = hwloc_bitmap_first(a); pu >= 0; pu = hwloc_bitmap_next(a, pu))
        count += hwloc_bitmap_isset(b, (unsigned)pu) != 0;
    return count;
}

int wf_numa_compare(const struct wf_numa *a, const struct wf_numa *b, bool usable_first) {
    if (a->special != b->special)
        return a->special ? 1 : -1;
    if (a->pu_count != b->pu_count)
        return a->pu_count < b->pu_count ? -1 : 1;
    if (usable_first && a->usable != b->usable)
        return a->usable ? -1 : 1;
    return a->object->os_index < b->object->os_index ? -1 : a->object->os_index > b->object->os_index;
}

static hwloc_obj_t next_pu(const struct wf_homes *homes, hwloc_obj_t before) {
    hwloc_obj_t pu = before;
    do
        pu = hwloc_get_next_obj_by_type(homes->topology->hwloc, HWLOC_OBJ_PU, pu);
    while (pu && !hwloc_bitmap_isset(homes->allowed, pu->os_index));
    return pu;
}

/* PUs that are present, allowed by the control groups and in the mask. The allowed set of hwloc may hold offline PUs. */
static weft_status find_allowed(struct wf_homes *homes, hwloc_const_bitmap_t mask, bool whole) {
    hwloc_topology_t hwloc = homes->topology->hwloc;
    hwloc_const_bitmap_t allowed = hwloc_topology_get_allowed_cpuset(hwloc);
    homes->allowed = wf_topology_bitmap(homes->topology);
    if (!homes->allowed)
        return no_memory();
    for (hwloc_obj_t pu = NULL; (pu = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_PU, pu));)
        if ((whole || hwloc_bitmap_isset(allowed, pu->os_index)) && (!mask || hwloc_bitmap_isset(mask, pu->os_index)))
            hwloc_bitmap_set(homes->allowed, pu->os_index);
    if (!hwloc_bitmap_iszero(homes->allowed))
        return WEFT_OK;
    return wf_fail(WEFT_ETOPOLOGY,
                   "no processing unit of this topology may be used: its allowed set%s holds none that is present",
                   mask ? " together with the process's affinity mask" : "");
}

static bool any_memory_known(hwloc_topology_t hwloc) {
    for (hwloc_obj_t node = NULL; (node = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node));)
        if (node->attr->numanode.local_memory)
            return true;
    return false;
}

static weft_status find_numas(struct wf_homes *homes) {
    hwloc_topology_t hwloc = homes->topology->hwloc;
    hwloc_const_nodeset_t allowed = hwloc_topology_get_allowed_nodeset(hwloc);
    bool sizes_known = any_memory_known(hwloc);
    int count = hwloc_get_nbobjs_by_type(hwloc, HWLOC_OBJ_NUMANODE);
    homes->numas = calloc(count > 0 ? (size_t)count : 1, sizeof *homes->numas);
    if (!homes->numas)
        return no_memory();
    for (hwloc_obj_t node = NULL; (node = hwloc_get_next_obj_by_type(hwloc, HWLOC_OBJ_NUMANODE, node)); homes->numa_count++) {
        struct wf_numa *numa = &homes->numas[homes->numa_count];
        numa->pus = wf_topology_bitmap(homes->topology);
        if (!numa->pus)
            return no_memory();
        hwloc_bitmap_and(numa->pus, node->cpuset, homes->allowed);
        numa->object = node;
        numa->pu_count = hwloc_bitmap_weight(numa->pus);
        numa->usable = hwloc_bitmap_isset(allowed, node->os_index) && (node->attr->numanode.local_memory || !sizes_known);
        numa->special = node->subtype && *node->subtype && strcmp(node->subtype, "DRAM") != 0;
    }
    return WEFT_OK;
}

static int home_order(const void *a, const void *b) {
    return wf_numa_compare(*(const struct wf_numa *const *)a, *(const struct wf_numa *const *)b, true);
}

/* Give each PU (by OS index) the best of its local nodes: walk the nodes best first, keep what is taken. */
static weft_status assign_local(const struct wf_homes *homes, int *home_of) {
    const struct wf_numa **order = calloc(homes->numa_count + 1, sizeof *order);
    if (!order)
        return no_memory();
    for (unsigned i = 0; i < homes->numa_count; i++)
        order[i] = &homes->numas[i];
    qsort(order, homes->numa_count, sizeof *order, home_order);
    for (unsigned i = 0; i < homes->numa_count; i++)
        for (int pu = hwloc_bitmap_first(order[i]->pus); pu >= 0; pu = hwloc_bitmap_next(order[i]->pus, pu))
            if (home_of[pu] == HOMELESS)
                home_of[pu] = (int)order[i]->object->os_index;
    free(order);
    return WEFT_OK;
}

/* A PU without a local node: hwloc may have dropped the node (its index is still in the set), or the system has no name for it.
 */
static weft_status assign_rest(const struct wf_homes *homes, int *home_of) {
    int packages = hwloc_get_nbobjs_by_type(homes->topology->hwloc, HWLOC_OBJ_PACKAGE);
    int *anonymous = calloc((packages > 0 ? (size_t)packages : 0) + 1, sizeof *anonymous);
    int last = 0;
    if (!anonymous)
        return no_memory();
    for (hwloc_obj_t pu = NULL; (pu = next_pu(homes, pu));) {
        if (home_of[pu->os_index] != HOMELESS)
            continue;
        int dropped = pu->complete_nodeset ? hwloc_bitmap_first(pu->complete_nodeset) : -1;
        hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(homes->topology->hwloc, HWLOC_OBJ_PACKAGE, pu);
        int *slot = &anonymous[package ? package->logical_index + 1 : 0];
        if (dropped < 0 && !*slot)
            *slot = --last;
        home_of[pu->os_index] = dropped >= 0 ? dropped : *slot;
    }
    free(anonymous);
    return WEFT_OK;
}

static const struct wf_numa *numa_by_os_index(const struct wf_homes *homes, int os_index) {
    for (unsigned i = 0; i < homes->numa_count; i++)
        if (os_index >= 0 && homes->numas[i].object->os_index == (unsigned)os_index)
            return &homes->numas[i];
    return NULL;
}

static unsigned home_index(const struct wf_homes *homes, int os_index) {
    unsigned i = 0;
    while (i < homes->home_count && homes->homes[i].os_index != os_index)
        i++;
    return i;
}

static int by_os_index_unnamed_last(const void *a, const void *b) {
    int x = ((const struct wf_home *)a)->os_index, y = ((const struct wf_home *)b)->os_index;
    if ((x < 0) != (y < 0))
        return x < 0 ? 1 : -1;
    return x < 0 ? (x > y ? -1 : x < y) : (x < y ? -1 : x > y);
}

static weft_status add_home(struct wf_homes *homes, int os_index) {
    struct wf_home *grown = realloc(homes->homes, (homes->home_count + 1) * sizeof *grown);
    if (!grown)
        return no_memory();
    homes->homes = grown;
    hwloc_bitmap_t pus = wf_topology_bitmap(homes->topology);
    if (!pus)
        return no_memory();
    grown[homes->home_count++] = (struct wf_home){os_index, numa_by_os_index(homes, os_index), pus};
    return WEFT_OK;
}

static weft_status collect_homes(struct wf_homes *homes, const int *home_of) {
    for (int pu = hwloc_bitmap_first(homes->allowed); pu >= 0; pu = hwloc_bitmap_next(homes->allowed, pu)) {
        unsigned home = home_index(homes, home_of[pu]);
        weft_status status = home == homes->home_count ? add_home(homes, home_of[pu]) : WEFT_OK;
        if (status)
            return status;
        hwloc_bitmap_set(homes->homes[home].pus, (unsigned)pu);
    }
    qsort(homes->homes, homes->home_count, sizeof *homes->homes, by_os_index_unnamed_last);
    return WEFT_OK;
}

/* Is this the PU of its core with the lowest OS index among the allowed ones? */
static bool leads_core(const struct wf_homes *homes, hwloc_obj_t pu, hwloc_obj_t core) {
    if (!core)
        return true;
    int first = hwloc_bitmap_first(core->cpuset);
    while (first >= 0 && !hwloc_bitmap_isset(homes->allowed, (unsigned)first))
        first = hwloc_bitmap_next(core->cpuset, first);
    return first == (int)pu->os_index;
}

static int candidate_order(const void *a, const void *b) {
    const struct wf_candidate *x = a, *y = b;
    if (x->home != y->home)
        return x->home < y->home ? -1 : 1;
    return x->pu->logical_index < y->pu->logical_index ? -1 : x->pu->logical_index > y->pu->logical_index;
}

static weft_status find_candidates(struct wf_homes *homes, const int *home_of, bool smt) {
    homes->candidates = calloc((size_t)hwloc_bitmap_weight(homes->allowed), sizeof *homes->candidates);
    if (!homes->candidates)
        return no_memory();
    for (hwloc_obj_t pu = NULL; (pu = next_pu(homes, pu));) {
        hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(homes->topology->hwloc, HWLOC_OBJ_CORE, pu);
        bool leads = leads_core(homes, pu, core);
        homes->allowed_cores += leads;
        if (leads || smt)
            homes->candidates[homes->candidate_count++] =
                (struct wf_candidate){pu, core, home_index(homes, home_of[pu->os_index])};
    }
    qsort(homes->candidates, homes->candidate_count, sizeof *homes->candidates, candidate_order);
    return WEFT_OK;
}

static weft_status find_homes(struct wf_homes *homes, int *home_of, bool smt) {
    weft_status status = assign_local(homes, home_of);
    if (!status)
        status = assign_rest(homes, home_of);
    if (!status)
        status = collect_homes(homes, home_of);
    return status ? status : find_candidates(homes, home_of, smt);
}

weft_status wf_homes_build(struct wf_homes *homes, const struct wf_topology *topology, hwloc_const_bitmap_t mask, bool whole,
                           bool smt) {
    homes->topology = topology;
    weft_status status = find_allowed(homes, mask, whole);
    if (!status)
        status = find_numas(homes);
    if (status)
        return status;
    size_t pus = (size_t)hwloc_bitmap_last(homes->allowed) + 1;
    int *home_of = malloc(pus * sizeof *home_of);
    if (!home_of)
        return no_memory();
    for (size_t pu = 0; pu < pus; pu++)
        home_of[pu] = HOMELESS;
    status = find_homes(homes, home_of, smt);
    free(home_of);
    return status;
}

void wf_homes_release(struct wf_homes *homes) {
    for (unsigned i = 0; i < homes->numa_count; i++)
        hwloc_bitmap_free(homes->numas[i].pus);
    for (unsigned i = 0; i < homes->home_count; i++)
        hwloc_bitmap_free(homes->homes[i].pus);
    hwloc_bitmap_free(homes->allowed);
    free(homes->numas);
    free(homes->homes);
    free(homes->candidates);
}
