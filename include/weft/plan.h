/*
 * The plan: which processing unit (PU) each worker gets, which NUMA node owns it, and the order in which it looks for
 * victims. Derived from an hwloc topology and from what the process may use. A plan is immutable once made.
 */
#ifndef WEFT_PLAN_H
#define WEFT_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_plan weft_plan;

/** How far a worker may move. */
typedef enum weft_pin {
    WEFT_PIN_DEFAULT =
        0, /**< $WEFT_PIN, else CORE where the process plausibly owns its CPUs, else wider; see weft_pool_effective() */
    WEFT_PIN_CORE = 1,  /**< its own PU */
    WEFT_PIN_CACHE = 2, /**< the allowed PUs of its node under its last-level cache */
    WEFT_PIN_NODE = 3,  /**< the allowed PUs of its node */
    WEFT_PIN_NONE = 4   /**< every PU the process may use */
} weft_pin;

/** Where a node is asked for: the own one of the calling thread or task; each function says which that is. */
#define WEFT_NODE_HOME UINT32_MAX

/** Options of weft_plan_create(). Zero means the default of each field. Start from WEFT_PLAN_OPTIONS_INIT. */
typedef struct weft_plan_options {
    size_t size;             /**< sizeof this struct as the caller knows it; set by WEFT_PLAN_OPTIONS_INIT */
    const char *topology;    /**< NULL: $WEFT_TOPOLOGY, else the live machine. Otherwise an hwloc v2 XML file, a directory
                                  (fsroot: a copy of a machine's /proc and /sys), or a synthetic string ("node:2 core:4 pu:2") */
    unsigned workers;        /**< exactly this many workers, whatever the quota; 0: $WEFT_WORKERS, else as many as the cores
                                  and the quota give */
    unsigned reserved_cores; /**< cores left without a worker, taken one by one from the node with the most workers */
    const char *nodes;       /**< OS indexes of the nodes to use, as "0,2-3"; NULL: all */
    bool smt;                /**< one worker per PU instead of one per core; false: $WEFT_SMT, else false */
    bool ignore_quota;       /**< do not limit the workers by the CPU quota of the control groups */
    bool ignore_affinity;    /**< live machine only: do not intersect with the process's affinity mask */
    const char *distances;   /**< a file of measured latencies (`weft membench --save`), which replace the firmware's distances;
                                  NULL: $WEFT_DISTANCES, else none. It is read once, by weft_plan_create() */
} weft_plan_options;

#define WEFT_PLAN_OPTIONS_INIT .size = sizeof(weft_plan_options)

/** How far a victim is. */
typedef enum weft_victim_kind {
    WEFT_VICTIM_CACHE = 0, /**< same node, same last-level cache */
    WEFT_VICTIM_NODE = 1,  /**< same node, another or no cache */
    WEFT_VICTIM_REMOTE = 2 /**< another node; groups of this kind come in increasing distance */
} weft_victim_kind;

/** One set of equally distant victims of a worker. Groups of one worker hold every other worker exactly once. */
typedef struct weft_victim_group {
    weft_victim_kind kind;
    uint64_t distance;       /**< REMOTE: distance of the nodes, in the unit of weft_plan_distance_source(); else 0 */
    unsigned worker_count;   /**< at least 1 */
    const unsigned *workers; /**< worker ids, increasing */
} weft_victim_group;

typedef struct weft_plan_worker {
    unsigned pu;   /**< OS index of the worker's PU */
    unsigned node; /**< index into the plan's nodes */
    int core;      /**< hwloc logical index of the Core, -1 if none */
    int cpukind;   /**< index of the hwloc CPU kind, -1 if unknown */
    int cache;     /**< workers of one plan share their last-level cache if and only if this is equal; -1: no cache known */
    unsigned group_count;
    const weft_victim_group *groups; /**< nearest first */
} weft_plan_worker;

typedef struct weft_plan_node {
    int os_index;                        /**< -1, -2, ... for a node that the system does not name */
    unsigned first_worker, worker_count; /**< its workers are [first_worker, first_worker + worker_count) */
    uint64_t local_memory;               /**< bytes; 0: none, unknown or not allowed */
    int memory_node;                     /**< OS index of the node where its workers allocate, -1 if there is none */
} weft_plan_node;

/** How fast memory is beside what workers have at home. */
typedef enum weft_tier {
    WEFT_TIER_NORMAL = 0, /**< the nodes with workers; memory-only nodes of ordinary memory, their CPUs without workers */
    WEFT_TIER_FAST = 1,   /**< HBM, MCDRAM, or at least 1.5 times the bandwidth, as the firmware has it */
    WEFT_TIER_SLOW = 2    /**< NVM, CXL, GPU memory, at most 2/3 of the bandwidth, or without CPUs and a word about its speed */
} weft_tier;

/** "normal", "fast" or "slow"; "?" for a value that is none. Threads: any. The string is static. */
WEFT_API const char *weft_tier_name(weft_tier tier);

/** A node with usable memory and without workers (CXL, HBM, NVM, GPU memory, or all its CPUs disallowed). */
typedef struct weft_plan_memory_node {
    int os_index;
    uint64_t local_memory; /**< bytes */
    const char *subtype;   /**< hwloc's ("HBM", "NVM", ...), "" if it has none */
    unsigned nearest_count;
    const int *nearest; /**< OS indexes of the nearest nodes of the plan, increasing */
    weft_tier tier;
} weft_plan_memory_node;

typedef enum weft_distance_source {
    WEFT_DISTANCE_NONE = 0,    /**< fewer than two nodes */
    WEFT_DISTANCE_MATRIX = 1,  /**< the firmware's latency matrix, where 10 is a node's distance to itself */
    WEFT_DISTANCE_TREE = 2,    /**< size of the smallest object that covers both nodes, in PUs */
    WEFT_DISTANCE_MEASURED = 3 /**< measured latencies, in ns: from the shortest one upwards, what exceeds it by at most a tenth
                                    has the same distance. See weft_plan_options.distances */
} weft_distance_source;

/** What bounded the plan. */
typedef struct weft_plan_limits {
    unsigned allowed_pus;     /**< PUs this process may use */
    unsigned allowed_cores;   /**< cores with at least one such PU */
    double quota_cpus;        /**< tightest CPU quota over all control-group ancestors, in CPUs; 0: none */
    const char *quota_source; /**< file the quota was read from, "" if none */
    bool affinity_restricted; /**< the affinity mask left out PUs that the control groups allow */
    bool owns_machine;        /**< live machine, every present PU allowed, no quota */
    bool this_system;         /**< the plan describes the machine it runs on: workers can be bound */
    const char *reason;       /**< one sentence: why there are as many workers as there are */
    double discovery_ms;      /**< time it took to load the topology, 0 if it was already loaded */
} weft_plan_limits;

/**
 * Derive a plan.
 *
 * @param plan     [out] the plan; written on success only. Release it with weft_plan_destroy().
 * @param options  NULL: all defaults.
 * @return WEFT_OK; WEFT_EINVAL: plan is NULL, an option or an environment variable is nonsense, more workers are asked for
 *         than the process may use, a node of the list has no core to use, the reserved cores leave none, or the file of distances
 *         cannot be read, is not of its form, names a node that the machine lacks, or lacks one that has workers;
 *         WEFT_ETOPOLOGY: the topology is missing, broken, or holds no PU that may be used; WEFT_ENOMEM; WEFT_EPERM: the system
 *         does not tell the affinity mask, or has no file descriptor left to read files with.
 *
 * Threads: any, concurrently. Blocks: reads /sys and /proc (the live topology once per process). Allocates.
 */
WEFT_API weft_status weft_plan_create(weft_plan **plan, const weft_plan_options *options);

/** Release a plan. NULL is allowed. A pool made from it holds its own reference. Threads: any, once per plan. */
WEFT_API void weft_plan_destroy(weft_plan *plan);

/** The workers, in id order; count may be NULL. Valid while the plan lives. Threads: any. */
WEFT_API const weft_plan_worker *weft_plan_workers(const weft_plan *plan, unsigned *count);

/** The nodes that have workers, by OS index, anonymous ones last. Valid while the plan lives. Threads: any. */
WEFT_API const weft_plan_node *weft_plan_nodes(const weft_plan *plan, unsigned *count);

/** The memory-only nodes, by OS index; NULL with count 0 if there are none. Valid while the plan lives. Threads: any. */
WEFT_API const weft_plan_memory_node *weft_plan_memory_nodes(const weft_plan *plan, unsigned *count);

/** Where distances between nodes came from. Threads: any. */
WEFT_API weft_distance_source weft_plan_distance_source(const weft_plan *plan);

/** What bounded the plan. Valid while the plan lives. Threads: any. */
WEFT_API const weft_plan_limits *weft_plan_get_limits(const weft_plan *plan);

#ifdef __cplusplus
}
#endif
#endif
