/*
 * Where a topology comes from: the live machine, an hwloc v2 XML file, a synthetic string, or an fsroot (a copy of another
 * machine's /proc and /sys). The live one is discovered once per process and shared; the others are loaded for each plan.
 * Threading: any thread, concurrently; a loaded topology is never changed again.
 */
#ifndef WF_MACHINE_TOPOLOGY_H
#define WF_MACHINE_TOPOLOGY_H

#include <hwloc.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "weft/status.h"

struct wf_topology {
    wf_atomic_u32 references;
    hwloc_topology_t hwloc; /* with disallowed objects; see the allowed sets */
    bool this_system;       /* describes the machine we run on: its affinity, quota and bindings apply */
    char *fsroot;           /* prefix of the copy's files, NULL for other sources */
};

/*
 * Load `text` (NULL: live), or share the live topology if it is loaded already; *load_ms is the time it took, 0 if nothing
 * was loaded. Release with wf_topology_release(). WEFT_EINVAL: empty text; WEFT_ETOPOLOGY: missing or broken; WEFT_ENOMEM.
 *
 * Never changes the caller's binding: the discovery steps that would are left out. An fsroot can be named to hwloc by the
 * environment only, so loading one sets HWLOC_FSROOT for a moment: do not load one while other threads read the environment.
 * hwloc's own messages are silenced unless the environment has HWLOC_HIDE_ERRORS.
 */
weft_status wf_topology_acquire(const char *text, struct wf_topology **topology, double *load_ms);
void wf_topology_release(struct wf_topology *topology);

/* Look at the live machine again, for the plans that are made from now on: CPUs and what is allowed may have changed. */
weft_status wf_topology_refresh(void);

/* Whether it is the one that live plans are made from now. */
bool wf_topology_is_live(const struct wf_topology *topology);

/* An empty bitmap with room for every PU of the topology, so that operations on its PU sets never allocate. NULL: no memory. */
hwloc_bitmap_t wf_topology_bitmap(const struct wf_topology *topology);

#endif
