/*
 * From a plan to the system: CPU masks for threads that do not run yet, policies for memory that is not touched yet, and
 * where the calling thread is. Nothing here changes the caller's affinity or memory policy.
 * Threading: plans are immutable, so every call is safe from any thread.
 */
#ifndef WF_MACHINE_BINDING_H
#define WF_MACHINE_BINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "machine/cpu_mask.h"
#include "weft/plan.h"

#define WF_POLICY_NODES 4096 /* Linux has at most 1024 */

/* Take one more reference; weft_plan_destroy() gives it back. */
weft_plan *wf_plan_retain(const weft_plan *plan);

/* The mask of one worker: CORE its PU, CACHE, NODE, NONE as weft_pin says; pin is never DEFAULT. WEFT_ENOMEM. */
weft_status wf_plan_cpu_mask(const weft_plan *plan, unsigned worker, weft_pin pin, struct wf_cpu_mask *mask);

/* What DEFAULT means for this plan, and in *reason (a static sentence) why. */
weft_pin wf_plan_default_pin(const weft_plan *plan, const char **reason);

/* Index of the plan node whose PUs hold the CPU the caller runs on now, -1 if none does (or the topology is foreign). */
int wf_plan_current_node(const weft_plan *plan);

/* Whether memory can lie on one node or another: several nodes of this machine have some that the process may use. */
bool wf_plan_spans_memory(const weft_plan *plan);

/* Whether it can now, or could if the process were allowed more. Without this, policies are not asked for. */
bool wf_plan_places_memory(const weft_plan *plan);

/*
 * Ask for the pages of [start, start + bytes), not touched yet, on OS node `os_node`: preferred, or strict (an allocation
 * there fails rather than falling back). WEFT_ENOTSUP: foreign topology, anonymous node or no support; WEFT_EPERM: refused.
 */
weft_status wf_bind_memory(const weft_plan *plan, void *start, size_t bytes, int os_node, bool strict);

/* The same, preferred, for memory that may be touched already: its pages are moved there. */
weft_status wf_move_memory(const weft_plan *plan, void *start, size_t bytes, int os_node);

/* The same, for memory on which pages stay where they are and come where they are touched, whatever the threads' policies. */
weft_status wf_bind_memory_first_touch(const weft_plan *plan, void *start, size_t bytes);

/* As wf_bind_memory(), pages in turn over `count` OS nodes; those that the system does not name (below 0) are left out. */
weft_status wf_bind_memory_interleaved(const weft_plan *plan, void *start, size_t bytes, const int *os_nodes, unsigned count);

/* A thread's memory policy, while it has another. */
struct wf_thread_policy {
    bool changed;
    int mode;
    unsigned long nodes[WF_POLICY_NODES / (8 * sizeof(unsigned long))];
};

/*
 * Have what the calling thread touches from now on lie on OS node `os_node`, if that may be, where the memory has no policy of its
 * own; *before is for wf_thread_policy_restore(). False: the kernel refuses, or there is no such node, and nothing has changed.
 */
bool wf_thread_policy_prefer(const weft_plan *plan, int os_node, struct wf_thread_policy *before);
void wf_thread_policy_restore(const struct wf_thread_policy *before);

#endif
