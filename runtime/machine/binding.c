/* Masks from the plan's PU sets, memory policies through hwloc, and the node of the CPU we run on. */
#include "machine/binding.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/status.h"
#include "machine/plan.h"

weft_plan *wf_plan_retain(const weft_plan *plan) {
    weft_plan *mine = (weft_plan *)plan;            /* only the count changes */
    wf_fetch_add(&mine->references, 1, WF_RELAXED); /* the caller's own reference keeps it alive */
    return mine;
}

/* The wide set that pin allows worker; *within narrows it further unless NULL. */
static hwloc_const_bitmap_t pin_set(const weft_plan *plan, unsigned worker, weft_pin pin, hwloc_const_bitmap_t *within) {
    *within = NULL;
    if (pin == WEFT_PIN_CORE)
        return plan->chosen[worker]->pu->cpuset;
    if (pin == WEFT_PIN_NONE)
        return plan->homes.allowed;
    if (pin == WEFT_PIN_CACHE && plan->caches[worker])
        *within = plan->caches[worker]->cpuset;
    return plan->node_homes[plan->workers[worker].node]->pus;
}

weft_status wf_plan_cpu_mask(const weft_plan *plan, unsigned worker, weft_pin pin, struct wf_cpu_mask *mask) {
    hwloc_const_bitmap_t within, pus = pin_set(plan, worker, pin, &within);
    mask->bytes = CPU_ALLOC_SIZE(plan->cpu_count);
    mask->set = CPU_ALLOC(plan->cpu_count);
    if (!mask->set)
        return wf_fail(WEFT_ENOMEM, "no memory for the CPU mask of a worker");
    CPU_ZERO_S(mask->bytes, mask->set);
    for (int pu = hwloc_bitmap_first(pus); pu >= 0; pu = hwloc_bitmap_next(pus, pu))
        if (!within || hwloc_bitmap_isset(within, (unsigned)pu))
            CPU_SET_S((size_t)pu, mask->bytes, mask->set);
    return WEFT_OK;
}

static bool mixes_cpu_kinds(const weft_plan *plan) {
    for (unsigned i = 1; i < plan->worker_count; i++)
        if (plan->workers[i].cpukind != plan->workers[0].cpukind)
            return true;
    return false;
}

weft_pin wf_plan_default_pin(const weft_plan *plan, const char **reason) {
    const weft_plan_limits *limits = &plan->limits;
    if (!limits->this_system) {
        *reason = "the topology is not the one of this machine, so its CPUs cannot be bound to";
        return WEFT_PIN_NONE;
    }
    if (limits->quota_cpus > 0 && limits->quota_cpus < limits->allowed_cores) {
        *reason = "the CPU quota is below the cores, which are shared with other groups: the kernel balances inside each node";
        return WEFT_PIN_NODE;
    }
    if (plan->fewer_than_machine) {
        *reason = "fewer workers than cores were asked for, so other processes may pick the same cores: free inside each node";
        return WEFT_PIN_NODE;
    }
    if (mixes_cpu_kinds(plan)) {
        *reason = "the CPUs are of several kinds: the kernel chooses the core inside each cache group";
        return WEFT_PIN_CACHE;
    }
    *reason = "each worker has a core of its own";
    return WEFT_PIN_CORE;
}

int wf_plan_current_node(const weft_plan *plan) {
    int cpu = plan->limits.this_system ? sched_getcpu() : -1;
    return cpu >= 0 && (unsigned)cpu < plan->cpu_count ? plan->node_of_cpu[cpu] : -1;
}

bool wf_plan_spans_memory(const weft_plan *plan) {
    unsigned usable = 0;
    for (unsigned i = 0; i < plan->homes.numa_count; i++)
        usable += plan->homes.numas[i].usable;
    return plan->limits.this_system && usable > 1;
}

bool wf_plan_places_memory(const weft_plan *plan) {
    return plan->limits.this_system && (plan->homes.numa_count > 1 || plan->node_count > 1);
}

static weft_status membind_status(int error, const char *nodes) {
    weft_status status = WEFT_EIO;
    if (error == EPERM || error == EACCES)
        status = WEFT_EPERM;
    else if (error == ENOMEM)
        status = WEFT_ENOMEM;
    else if (error == ENOSYS || error == EXDEV)
        status = WEFT_ENOTSUP;
    else if (error == EINVAL || error == EFAULT)
        status = WEFT_EINVAL;
    return wf_fail(status, "memory cannot be bound to node %s: %s", nodes, strerror(error));
}

static weft_status bind_area(const weft_plan *plan, void *start, size_t bytes, hwloc_const_nodeset_t nodes,
                             hwloc_membind_policy_t policy, int flags) {
    hwloc_topology_t hwloc = plan->topology->hwloc;
    const struct hwloc_topology_membind_support *support = hwloc_topology_get_support(hwloc)->membind;
    if (!support->set_area_membind)
        return wf_fail(WEFT_ENOTSUP, "this system does not bind memory to nodes");
    char text[64];
    hwloc_bitmap_list_snprintf(text, sizeof text, nodes);
    return hwloc_set_area_membind(hwloc, start, bytes, nodes, policy, flags | HWLOC_MEMBIND_BYNODESET)
               ? membind_status(errno, text)
               : WEFT_OK;
}

static weft_status refuse_foreign(const weft_plan *plan) {
    if (plan->limits.this_system)
        return WEFT_OK;
    return wf_fail(WEFT_ENOTSUP, "memory is not bound to the nodes of a topology that is not this machine's");
}

static weft_status bind_to(const weft_plan *plan, void *start, size_t bytes, int os_node, int flags) {
    weft_status status = refuse_foreign(plan);
    if (status)
        return status;
    if (os_node < 0)
        return wf_fail(WEFT_ENOTSUP, "the system has no name for the node that memory should be bound to");
    hwloc_nodeset_t nodes = hwloc_bitmap_alloc();
    if (!nodes || hwloc_bitmap_only(nodes, (unsigned)os_node))
        status = wf_fail(WEFT_ENOMEM, "no memory for a node set");
    else
        status = bind_area(plan, start, bytes, nodes, HWLOC_MEMBIND_BIND, flags);
    hwloc_bitmap_free(nodes);
    return status;
}

weft_status wf_bind_memory(const weft_plan *plan, void *start, size_t bytes, int os_node, bool strict) {
    return bind_to(plan, start, bytes, os_node, strict ? HWLOC_MEMBIND_STRICT : 0);
}

weft_status wf_move_memory(const weft_plan *plan, void *start, size_t bytes, int os_node) {
    return bind_to(plan, start, bytes, os_node, HWLOC_MEMBIND_MIGRATE);
}

weft_status wf_bind_memory_interleaved(const weft_plan *plan, void *start, size_t bytes, const int *os_nodes, unsigned count) {
    weft_status status = refuse_foreign(plan);
    if (status)
        return status;
    hwloc_nodeset_t nodes = hwloc_bitmap_alloc();
    if (!nodes)
        return wf_fail(WEFT_ENOMEM, "no memory for a node set");
    for (unsigned i = 0; i < count; i++)
        if (os_nodes[i] >= 0)
            hwloc_bitmap_set(nodes, (unsigned)os_nodes[i]);
    if (hwloc_bitmap_iszero(nodes))
        status = wf_fail(WEFT_ENOTSUP, "no node has memory that may be used and a name");
    else
        status = bind_area(plan, start, bytes, nodes, HWLOC_MEMBIND_INTERLEAVE, 0);
    hwloc_bitmap_free(nodes);
    return status;
}

weft_status wf_bind_memory_first_touch(const weft_plan *plan, void *start, size_t bytes) {
    weft_status status = refuse_foreign(plan);
    hwloc_const_nodeset_t all = hwloc_topology_get_complete_nodeset(plan->topology->hwloc);
    return status ? status : bind_area(plan, start, bytes, all, HWLOC_MEMBIND_FIRSTTOUCH, 0);
}

bool wf_thread_policy_prefer(const weft_plan *plan, int os_node, struct wf_thread_policy *before) {
    enum { BITS = 8 * sizeof(unsigned long) };
    struct wf_thread_policy wanted = {.nodes = {0}};
    *before = (struct wf_thread_policy){.changed = false};
    if (!plan->limits.this_system || os_node < 0 || os_node >= WF_POLICY_NODES - 1)
        return false;
    wanted.nodes[os_node / BITS] = 1ul << os_node % BITS;
    before->changed = !syscall(SYS_get_mempolicy, &before->mode, before->nodes, (unsigned long)WF_POLICY_NODES, NULL, 0ul) &&
                      !syscall(SYS_set_mempolicy, MPOL_PREFERRED, wanted.nodes, (unsigned long)WF_POLICY_NODES);
    return before->changed;
}

void wf_thread_policy_restore(const struct wf_thread_policy *before) {
    if (before->changed && syscall(SYS_set_mempolicy, before->mode, before->nodes, (unsigned long)WF_POLICY_NODES))
        syscall(SYS_set_mempolicy, MPOL_DEFAULT, NULL, 0ul); /* no memory for a policy: this one needs none */
}
