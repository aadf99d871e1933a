/*
 * Which PUs may be used, which NUMA node each of them calls home, and which of them could take a worker.
 * Threading: built by one thread, then immutable.
 */
#ifndef WF_MACHINE_HOMES_H
#define WF_MACHINE_HOMES_H

#include <hwloc.h>
#include <stdbool.h>

#include "machine/topology.h"

/* A NUMANode object. */
struct wf_numa {
    hwloc_obj_t object;
    hwloc_bitmap_t pus; /* its allowed PUs */
    int pu_count;
    bool usable;  /* allowed, and has memory or no node says how much it has */
    bool special; /* some other memory than DRAM */
};

/* A node that at least one allowed PU calls home. */
struct wf_home {
    int os_index;               /* -1, -2, ... for one that the system does not name */
    const struct wf_numa *numa; /* NULL: hwloc has no object for it */
    hwloc_bitmap_t pus;         /* the allowed PUs at home here */
};

/* A PU that could take a worker. */
struct wf_candidate {
    hwloc_obj_t pu;
    hwloc_obj_t core; /* NULL if it has none */
    unsigned home;    /* index into homes */
};

struct wf_homes {
    const struct wf_topology *topology; /* borrowed */
    hwloc_bitmap_t allowed;             /* PUs that exist and may be used */
    unsigned allowed_cores;             /* cores with at least one of them */
    struct wf_numa *numas;              /* by logical index */
    unsigned numa_count;
    struct wf_home *homes; /* by OS index, unnamed ones last */
    unsigned home_count;
    struct wf_candidate *candidates; /* by home, then depth-first */
    unsigned candidate_count;
};

/*
 * Fill *homes, which is zeroed. mask: the PUs to stay within, NULL: no limit; whole: also those that are not allowed; smt: every allowed PU is a candidate instead of
 * one per core. WEFT_ETOPOLOGY: no PU may be used; WEFT_ENOMEM. Release in either case.
 */
weft_status wf_homes_build(struct wf_homes *homes, const struct wf_topology *topology, hwloc_const_bitmap_t mask, bool whole,
                           bool smt);
void wf_homes_release(struct wf_homes *homes);

/* Number of PUs in both sets. */
unsigned wf_common_pus(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b);

/* Better memory first: (special, fewer PUs, os_index). `usable_first` puts usable nodes before equal ones that are not. */
int wf_numa_compare(const struct wf_numa *a, const struct wf_numa *b, bool usable_first);

#endif
