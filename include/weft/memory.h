/*
 * Pages: how large they are asked for, where they are, and moving them.
 */
#ifndef WEFT_MEMORY_H
#define WEFT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "weft/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum weft_pages {
    WEFT_PAGES_DEFAULT = 0, /**< transparent huge pages for arrays of 4 MiB or more, else base pages */
    WEFT_PAGES_BASE = 1,    /**< base pages only */
    WEFT_PAGES_THP = 2,  /**< ask for transparent huge pages. Partitioned arrays over several nodes get base pages when a worker's
                           part has less than 4 of them (one huge page would hold parts of two nodes), and exact turns for less
                           than 4 periods of them. The kernel may give base pages all the same: see weft_placement.huge_bytes */
    WEFT_PAGES_HUGE = 3, /**< reserved huge pages (hugetlb) of the default size. Where there are not enough, also where a node has
                            less of them free than belong there, transparent ones, with the reason */
    WEFT_PAGES_2M = 4,   /**< reserved pages of 2 MiB; falls back to THP */
    WEFT_PAGES_1G = 5    /**< reserved pages of 1 GiB; falls back to 2M, then THP */
} weft_pages;

/** Where pages are. Counts are in base pages (a huge page counts as the base pages it covers). */
typedef struct weft_placement {
    size_t page_bytes;     /**< base page size */
    size_t pages;          /**< pages of the memory */
    size_t pages_asked;    /**< pages whose node was asked from the kernel: all, or (fewer than pages) one of each stretch */
    size_t pages_absent;   /**< of these, not present yet, or hidden by the kernel (reason says so) */
    size_t pages_expected; /**< of these, on the node where they belong (arrays; 0 for other memory) */
    bool huge;             /**< huge pages were granted for at least part of it */
    weft_pages granted;   /**< arrays: the kind of pages granted, never DEFAULT (of copies the smallest); other memory: DEFAULT */
    size_t granted_bytes; /**< arrays: bytes of such a page; other memory: 0 */
    size_t
        huge_bytes; /**< arrays: bytes that lie in huge pages now, by the page tables: THP is a request, and the kernel may have
                          given base pages. 0 for other memory, and where /proc does not say */
    bool locked;    /**< arrays: the pages are locked in memory */
    const char *reason; /**< why less is known or granted than asked ("" if nothing is amiss); static string */
} weft_placement;

typedef enum weft_query {
    WEFT_QUERY_SAMPLED = 0, /**< above 65536 pages one of each stretch of equal length: bounded time for any size */
    WEFT_QUERY_EXACT = 1    /**< every page */
} weft_query;

/**
 * Ask the kernel where the pages of [start, start + bytes) lie: any memory of the process. weft_memory_placement() is the sampled
 * query.
 *
 * @param placement  [out]
 * @param per_node   [out] room for `nodes` counts: per_node[k] pages on OS node k; NULL with nodes 0: not wanted. Pages on OS
 *                   nodes beyond are counted in the last.
 * @return WEFT_OK; WEFT_EINVAL; WEFT_EPERM or WEFT_ENOTSUP: the kernel refuses move_pages; WEFT_ENOMEM.
 *
 * Memory that is not mapped counts as absent, and so do pages of a device. Nothing is accessed: a file that has become shorter
 * than its mapping is no danger.
 *
 * Threads: any. Blocks: for one system call per 512 pages asked.
 */
WEFT_API weft_status weft_memory_query(const void *start, size_t bytes, weft_query query, weft_placement *placement,
                                       size_t *per_node, size_t nodes);
WEFT_API weft_status weft_memory_placement(const void *start, size_t bytes, weft_placement *placement, size_t *per_node,
                                           size_t nodes);

/** Why a page stayed where it is, the gravest last; see weft_refusal_text(). */
typedef enum weft_refusal {
    WEFT_REFUSED_BUSY = 0,       /**< pinned for a device, under input or output, or moving for somebody else */
    WEFT_REFUSED_PAGE_CACHE = 1, /**< a file's page that its file system does not let go of */
    WEFT_REFUSED_IMMOVABLE = 2,  /**< the kernel does not move this kind of page */
    WEFT_REFUSED_SHARED = 3,     /**< other processes have it mapped too, or this one twice */
    WEFT_REFUSED_NO_NODE = 4,    /**< the node has no name in this system, or the process may not use it */
    WEFT_REFUSED_NO_ROOM = 5,    /**< the node has no memory left */
    WEFT_REFUSALS = 6
} weft_refusal;

/** What a refusal means and what helps. "" for a value that is none. Threads: any. The string is static. */
WEFT_API const char *weft_refusal_text(weft_refusal refusal);

/** What became of pages that were to move. Counts are in base pages: pages = moved + there_already + absent + refused. */
typedef struct weft_migration {
    size_t page_bytes;                /**< base page size */
    size_t pages;                     /**< pages of the memory */
    size_t moved;                     /**< were elsewhere and are on the node now */
    size_t there_already;             /**< were on the node before */
    size_t absent;                    /**< not present (or the shared page of zeros): they stay so */
    size_t refused;                   /**< present elsewhere and still there */
    size_t refused_by[WEFT_REFUSALS]; /**< of these, for each weft_refusal */
    const char *reason; /**< the gravest reason why pages were refused, or hidden as absent ones ("": none); static string */
} weft_migration;

/**
 * Move the resident pages of [start, start + bytes) to an OS node: any memory of the process, huge pages as a whole. Contents and
 * addresses stay, threads may use the memory meanwhile (they wait for a page while it moves). The memory policy stays too: where
 * it names another node, pages that come later go there. Like move_pages(2) and hwloc's HWLOC_MEMBIND_MIGRATE without STRICT,
 * pages that cannot move are no error: whoever needs all of them looks at refused. Once the node is full, no more are tried;
 * Linux reclaims there, but kills nobody for it.
 *
 * @param os_node  OS index of the node (weft_plan_node.memory_node, weft_plan_memory_node.os_index).
 * @param report   [out] NULL: not wanted.
 * @return WEFT_OK; WEFT_EINVAL: NULL, zero or overflowing size, or the node does not exist, has no memory or is not allowed to the
 *         process (the text names those that are); WEFT_EPERM or WEFT_ENOTSUP: the kernel refuses move_pages; WEFT_ENOMEM: no
 *         memory for the lists of pages. After an error some pages may have moved.
 *
 * Threads: any. Blocks: for three system calls per 4096 pages, and the copying. See weft_array_migrate() for many threads.
 */
WEFT_API weft_status weft_memory_migrate(const void *start, size_t bytes, unsigned os_node, weft_migration *report);

#ifdef __cplusplus
}
#endif
#endif
