/* What the system calls the memory goes before what it measures, and that before where the node stands. */
#include "machine/tiers.h"

#include <hwloc/memattrs.h>
#include <string.h>

/* Faster or slower than ordinary memory by less than a half says nothing: firmware rounds, and nodes differ. */
static bool exceeds(uint64_t value, uint64_t other) {
    return (double)value >= 1.5 * (double)other;
}

/* Bandwidth or latency of a node as seen from a PU; false: not known. */
static bool measured(const struct weft_plan *plan, hwloc_memattr_id_t what, const struct wf_numa *numa, hwloc_const_bitmap_t pu,
                     uint64_t *value) {
    hwloc_bitmap_t own = hwloc_bitmap_dup(pu); /* hwloc takes no const set */
    struct hwloc_location from = {.type = HWLOC_LOCATION_TYPE_CPUSET, .location.cpuset = own};
    hwloc_uint64_t found = 0;
    bool known = own && !hwloc_memattr_get_value(plan->topology->hwloc, what, numa->object, &from, 0, &found) && found;
    hwloc_bitmap_free(own);
    *value = found;
    return known;
}

/* By what the firmware says of this memory and of the workers' own; false: it does not say. */
static bool tier_by_speed(const struct weft_plan *plan, const struct wf_numa *numa, int nearest, weft_tier *tier) {
    const struct wf_home *home = NULL;
    uint64_t its, own;
    for (unsigned k = 0; k < plan->node_count; k++)
        if (plan->node_homes[k]->os_index == nearest)
            home = plan->node_homes[k];
    if (!home || !home->numa)
        return false;
    hwloc_bitmap_only(plan->scratch, (unsigned)hwloc_bitmap_first(home->pus));
    if (measured(plan, HWLOC_MEMATTR_ID_BANDWIDTH, numa, plan->scratch, &its) &&
        measured(plan, HWLOC_MEMATTR_ID_BANDWIDTH, home->numa, plan->scratch, &own))
        *tier = exceeds(its, own) ? WEFT_TIER_FAST : exceeds(own, its) ? WEFT_TIER_SLOW : WEFT_TIER_NORMAL;
    else if (measured(plan, HWLOC_MEMATTR_ID_LATENCY, numa, plan->scratch, &its) &&
             measured(plan, HWLOC_MEMATTR_ID_LATENCY, home->numa, plan->scratch, &own))
        *tier = exceeds(its, own) ? WEFT_TIER_SLOW : WEFT_TIER_NORMAL;
    else
        return false;
    return true;
}

static bool begins(const char *text, const char *word) {
    return !strncmp(text, word, strlen(word));
}

/* Whether it is home to CPUs, or has some that no other node has: ordinary memory whose CPUs have no workers. */
static bool has_cpus(const struct weft_plan *plan, const struct wf_numa *numa) {
    hwloc_const_bitmap_t cpus = numa->object->cpuset;
    bool alone = !hwloc_bitmap_iszero(cpus);
    for (unsigned i = 0; i < plan->homes.home_count; i++)
        if (plan->homes.homes[i].numa == numa)
            return true;
    for (unsigned i = 0; alone && i < plan->homes.numa_count; i++)
        if (&plan->homes.numas[i] != numa && hwloc_bitmap_intersects(cpus, plan->homes.numas[i].object->cpuset))
            alone = false;
    return alone;
}

weft_tier wf_tier_of(const struct weft_plan *plan, const struct wf_numa *numa, int nearest) {
    const char *subtype = numa->object->subtype ? numa->object->subtype : "";
    weft_tier tier;
    if (begins(subtype, "HBM") || begins(subtype, "MCDRAM"))
        return WEFT_TIER_FAST;
    if (begins(subtype, "NVM") || begins(subtype, "CXL") || begins(subtype, "GPU"))
        return WEFT_TIER_SLOW;
    if (tier_by_speed(plan, numa, nearest, &tier))
        return tier;
    return !strcmp(subtype, "DRAM") || has_cpus(plan, numa) ? WEFT_TIER_NORMAL : WEFT_TIER_SLOW;
}

const char *weft_tier_name(weft_tier tier) {
    static const char *const names[] = {"normal", "fast", "slow"};
    return (unsigned)tier <= WEFT_TIER_SLOW ? names[tier] : "?";
}
