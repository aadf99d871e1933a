/*
 * Arrays whose pages lie with the workers that compute on them, loops that run where the pages are, and the truth about
 * where they are.
 */
#ifndef WEFT_ARRAY_H
#define WEFT_ARRAY_H

#include "weft/loop.h"
#include "weft/memory.h"
#include "weft/plan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weft_array weft_array;

typedef enum weft_place {
    WEFT_PARTITIONED = 0,    /**< part i on the node of worker i: first touched by it */
    WEFT_INTERLEAVED = 1,    /**< pages in turn over the pool's nodes */
    WEFT_ON_NODE = 2,        /**< all pages on one node */
    WEFT_REPLICATED = 3,     /**< one copy per node; write with weft_array_replicate(), read with weft_array_local() */
    WEFT_ON_MEMORY_NODE = 4, /**< all pages on one node that has memory and no workers (CXL, HBM, ...), touched by the workers
                                nearest to it. Loops are split over all workers */
    /**
     * Pages in turn over the pool's nodes, as many of each period as the node's weight says: with weights 3 and 1, node 0 has three
     * pages of every four. Touched by the node's workers, so no policy is needed, and the turns begin with the first page. Loops are
     * split over all workers.
     */
    WEFT_WEIGHTED = 5,
    /**
     * Partitioned, but each worker's part on a memory-only node of the tier: nearest to the worker and to as few others as may be
     * (nodes that have the same ones nearest share them evenly). WEFT_TIER_NORMAL: as PARTITIONED.
     */
    WEFT_IN_TIER = 6,
    /**
     * Partitioned over the workers of the nodes nearest to a PCI device, most often of one node. Over all nodes where nobody knows
     * where the device is, and over the nearest that have workers where its own has none: weft_placement.reason says so, and a
     * strict array is refused.
     */
    WEFT_NEAR_DEVICE = 7
} weft_place;

/** Options of weft_array_create(). Zero means the default of each field. Start from WEFT_ARRAY_OPTIONS_INIT. */
typedef struct weft_array_options {
    size_t size;
    weft_place place;
    unsigned node; /**< ON_NODE: index into weft_plan_nodes(); ON_MEMORY_NODE: into weft_plan_memory_nodes() (see `weft plan`) */
    weft_pages pages;
    /**
     * Fail with WEFT_ESTRICT when not every page landed where it belongs, when reserved pages (HUGE, 2M, 1G) were asked for and a node
     * has not enough of them, or when pages cannot be locked. INTERLEAVED pages are then in turn from the first one on, as weighted
     * ones are.
     */
    bool strict;
    /**
     * Reserve and bind only; the pages are touched by weft_array_touch() or by whoever writes first. WEIGHTED and strict INTERLEAVED:
     * only weft_array_touch() puts them in turn.
     */
    bool untouched;
    unsigned weight_count;   /**< WEIGHTED: weft_pool_nodes(), else 0 */
    const unsigned *weights; /**< WEIGHTED: one per node of the pool, 0 to 1000, not all 0, copied; else NULL */
    weft_tier tier;          /**< IN_TIER: which; see `weft plan` for what there is */
    const char *device;      /**< NEAR_DEVICE: PCI bus id, "0000:3b:00.0" (lspci -D; without the domain: 0); else NULL */
    /**
     * Lock the pages in memory once they are touched, so that they are never swapped (device drivers pin what they use themselves);
     * untouched ones as they come. Takes RLIMIT_MEMLOCK or CAP_IPC_LOCK: a refusal is said in weft_placement. Reserved pages are never
     * swapped anyhow. Migration may move locked pages.
     */
    bool locked;
} weft_array_options;

#define WEFT_ARRAY_OPTIONS_INIT .size = sizeof(weft_array_options)

/**
 * Make an array of n zeroed items and put its pages where the options say, touched in parallel by the workers of each node.
 * Where the kernel takes no memory policy, the first touch by these workers alone decides; weft_array_placement() says so. A
 * pool on a foreign topology (XML, synthetic) has no nodes of this machine: everything works, and pages lie anywhere.
 *
 * @param n           items, at least 1.
 * @param item_bytes  bytes per item, at least 1.
 * @return WEFT_OK; WEFT_EINVAL: NULL, zero or overflowing size, no such node, tier (the text names those there are) or device, no bus
 *         id, unknown option; WEFT_ETOPOLOGY: the XML file of the topology, which a device is looked up in, has gone; WEFT_ENOMEM;
 *         WEFT_ECLOSED; WEFT_ESTRICT; WEFT_EAGAIN: inside too many static loops, as weft_for(). An array that is touched at once and larger
 *         than memory and swap together is WEFT_ENOMEM; otherwise Linux's OOM killer, not this call, meets exhaustion.
 *
 * Threads: any. Blocks: until touched. The array must be destroyed before the pool.
 */
WEFT_API weft_status weft_array_create(weft_array **array, weft_pool *pool, size_t n, size_t item_bytes,
                                       const weft_array_options *options);

/**
 * Make an array of memory that weft did not allocate: malloc, a file's mapping, a framework's tensor; also read-only, also one that
 * begins and ends inside pages. It stays the caller's: weft_array_destroy() leaves it, no memory policy is set, and weft's own calls
 * never access it (weft_array_touch() has the kernel do so), so that they meet a file that became shorter, or memory that was
 * unmapped, with a status and no signal. What the items are is the business of the loops' bodies.
 *
 * The pages may lie in any order over the nodes. weft_for_array() runs each item where its page is: every worker of a node gets its
 * share of the items there, in the order of addresses; items on absent pages and on nodes without workers are dealt out evenly.
 * The body then gets shorter ranges, one per stretch of neighbouring pages on one node. For this every page's node is asked now
 * (one system call per 512 pages, shared by the workers where there are more than 8192), and 32 bytes are kept for each such
 * stretch, at most one per page. Where the pool has one node, or the kernel does not say where pages are, parts are as of any
 * array. Pages move, and absent ones come: weft_array_refresh() asks again.
 *
 * `place` says where the pages should be: weft_array_migrate() moves them there, weft_array_touch() makes absent ones present there
 * (those of files and read-only mappings by reading), weft_placement.pages_expected counts them. The first and the last page
 * count and move as a whole, whatever else they hold. Memory of a huge page (2 MiB) or more, at least half of it in huge pages, is
 * dealt out in whole ones, even where that is uneven; a single one in other memory that would hold parts of two nodes goes to one of
 * them, whatever the counts of the repair say.
 *
 * @param start    the first item.
 * @param options  NULL: partitioned. pages, strict and untouched must be zero, and place not WEFT_REPLICATED.
 * @return WEFT_OK; WEFT_EINVAL: NULL, zero or overflowing size, no such node, an option that has no meaning here; WEFT_ENOMEM: no
 *         memory for the tables, or part of the memory is not mapped, or past the end of its file; WEFT_ECLOSED; WEFT_EAGAIN as
 *         weft_for().
 *
 * Threads: any. Blocks: until asked. The array must be destroyed before the pool, and should be before the memory.
 */
WEFT_API weft_status weft_array_adopt(weft_array **array, weft_pool *pool, const void *start, size_t n, size_t item_bytes,
                                      const weft_array_options *options);

/**
 * Ask again where the pages of an adopted array are; later loops follow, loops that run go on as they began.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL, or an array that weft allocated (its parts are fixed); WEFT_EPERM or WEFT_ENOTSUP: the kernel
 *         refuses move_pages; else as weft_array_adopt(). In an error loops follow the last look.
 *
 * Threads: any, concurrently, also while loops run over the array. Blocks: until asked.
 */
WEFT_API weft_status weft_array_refresh(weft_array *array);

/** Release an array. NULL is allowed; adopted memory stays as it is. Threads: any, when nobody uses it. */
WEFT_API void weft_array_destroy(weft_array *array);

/** The items, contiguous, aligned to the page size unless adopted. REPLICATED: the copy of node 0. NULL for NULL. Threads: any. */
WEFT_API void *weft_array_data(const weft_array *array);

/** Number of items; 0 for NULL. Threads: any. */
WEFT_API size_t weft_array_count(const weft_array *array);

/**
 * Give an array another number of items. The items that both sizes have keep their content, further ones are zero. Everything else
 * stays as it was asked for: place, kind of pages, strictness, locks; parts are split anew, and every page lies with its new worker.
 * The items are copied by these workers to memory of their own: until they have, both sizes take memory (of locked arrays: of the limit
 * on it; of reserved pages: of those that are free), and then weft_array_data(), weft_array_local() and what was computed from them
 * are no longer valid.
 *
 * @param n  items, at least 1. The number there is: nothing happens and pointers stay.
 * @return WEFT_OK; WEFT_EINVAL: NULL, zero or overflowing size; else as weft_array_create(). After an error the array is as it
 *         was, pointers included.
 *
 * Threads: any, when nobody uses the array. Blocks: until copied.
 */
WEFT_API weft_status weft_array_resize(weft_array *array, size_t n);

/** REPLICATED: the copy on the calling worker's node (node 0's on other threads); else weft_array_data(). Threads: any. */
WEFT_API void *weft_array_local(const weft_array *array);

/**
 * REPLICATED: copy the items from `items` into every node's copy, each by its own workers.
 *
 * @return WEFT_OK; WEFT_EINVAL: NULL or not a replicated array; WEFT_ENOMEM; WEFT_ECLOSED; WEFT_EAGAIN as weft_for().
 *
 * Threads: any, when nobody reads the array. Blocks: yes.
 */
WEFT_API weft_status weft_array_replicate(weft_array *array, const void *items);

/** A section in which an array is read, see weft_array_read_begin(). Its fields are weft's. */
typedef struct weft_reading {
    weft_array *array;
    unsigned stripe, slot;
} weft_reading;

/**
 * Begin a section in which the array's copies stay what they are, while others may replace them (weft_array_swap()): all that
 * weft_array_read_local() gives for this section, on whatever node, is of one version. A section may be long, sections nest, and
 * loops and tasks inside it may use it on other threads until it ends, on any thread. Arrays of other places have one version, and a
 * section does nothing.
 *
 * Threads: any. Blocks: no, and keeps nobody waiting: it only keeps its version's memory. Orders: what was there before the swap that
 * made the version is visible. In a task it costs a few nanoseconds and no locked
 * instruction, on other threads two of them.
 */
WEFT_API weft_reading weft_array_read_begin(weft_array *array);

/** The section's copy on the calling worker's node (node 0's on other threads). NULL for NULL. Threads: any, inside the section. */
WEFT_API const void *weft_array_read_local(weft_reading reading);

/** End the section, once. Threads: any. */
WEFT_API void weft_array_read_end(weft_reading reading);

/**
 * REPLICATED: replace all copies while others read them in sections. New copies are made on each node by its workers and filled from
 * `items`; then sections that begin get these, on all nodes at once, while sections that have begun keep theirs. An old version is
 * released by this call if nobody reads it any more, else by a later one, weft_array_reclaim(), weft_array_resize() or
 * weft_array_destroy(). Of several swaps at once each publishes its own version, in some order, and the last stays.
 *
 * @param items  as many as the array has. They may be a copy of the version that the caller reads.
 * @return WEFT_OK; WEFT_EINVAL: NULL, or not a replicated array; WEFT_EAGAIN: seven old versions are still read, or as weft_for(); else
 *         as weft_array_create(). After an error nothing is replaced.
 *
 * Threads: any, also inside tasks and sections: it never waits for readers. Other calls on the array (weft_array_data(),
 * weft_array_local() without a section, loops, placement) do not overlap with it. Blocks: until the copies are made.
 *
 * Source: versions and grace periods as in read-copy update (McKenney, Slingwine, PDCS 1998), with counted readers as in SRCU.
 */
WEFT_API weft_status weft_array_swap(weft_array *array, const void *items);

/** Release old versions of a REPLICATED array that nobody reads any more; how many are left. Threads: any. Blocks: no. */
WEFT_API unsigned weft_array_reclaim(weft_array *array);

/**
 * Touch the pages of the array in parallel, each by a worker of the node it belongs to. Pages already present keep their content.
 *
 * Threads: any. Blocks: yes. Errors: WEFT_EINVAL; WEFT_ENOMEM: the memory is not there, or not
 * writable; WEFT_ECLOSED; WEFT_EAGAIN as weft_for(); WEFT_ESTRICT: the array is strict, and pages are not where they belong.
 */
WEFT_API weft_status weft_array_touch(weft_array *array);

/**
 * Touch memory that weft did not allocate: [start, start + bytes) as items of item_bytes, partitioned like weft_for() with
 * FIRST_TOUCH. Content is kept. Pages that are present already stay where they are.
 *
 * Threads: any. Blocks: yes. Errors: WEFT_EINVAL; WEFT_ENOMEM: the memory is not there, or not
 * writable; WEFT_ECLOSED; WEFT_EAGAIN as weft_for().
 */
WEFT_API weft_status weft_touch(weft_pool *pool, void *start, size_t bytes, size_t item_bytes);

/**
 * Repair an array: move each page that is present to the node where it belongs, in parallel, each node's pages by its workers.
 * Interleaved pages go in turn over the nodes, in the order that leaves most where they are. Content and addresses stay, and
 * other threads may use the items meanwhile. Absent pages stay absent (see weft_array_touch()). Pages that cannot move are
 * counted as refused, by reason, and no error, as in weft_memory_migrate(); all others are then where weft_array_placement() expects
 * them. Adopted arrays are looked at again afterwards, so that loops follow (weft_array_refresh()); WEFT_ENOMEM: also where part of
 * them is not mapped any more, or past the end of its file.
 *
 * @param report  [out] summed over nodes and copies; NULL: not wanted.
 * @return WEFT_OK; WEFT_EINVAL: NULL; WEFT_ENOTSUP: the pool's topology is not this machine's, or as WEFT_EPERM: the kernel refuses
 *         move_pages; WEFT_ENOMEM: no memory for the lists; WEFT_ECLOSED; WEFT_EAGAIN as weft_for(). After an error some pages may
 *         have moved.
 *
 * Threads: any, one at a time per array (two would find pages busy). Blocks: until all have been tried.
 */
WEFT_API weft_status weft_array_migrate(weft_array *array, weft_migration *report);

/**
 * Options of weft_array_migrate_with(). Start from WEFT_MIGRATE_OPTIONS_INIT.
 */
typedef struct weft_migrate_options {
    size_t size;
    /**
     * Told how many pages have been tried, of how many, after every 4096 or fewer of a worker; false: stop. One call at a time, of
     * numbers that never fall, by the pool's workers while they migrate; the last one, with both numbers equal, by the thread
     * that migrates, and only if all have been tried. NULL: nobody is told.
     */
    bool (*progress)(void *arg, size_t pages_done, size_t pages);
    void *arg;
} weft_migrate_options;

#define WEFT_MIGRATE_OPTIONS_INIT .size = sizeof(weft_migrate_options)

/**
 * weft_array_migrate() with options.
 *
 * @return as weft_array_migrate(); WEFT_EINVAL: also for unknown options; WEFT_ECANCELED: progress said to stop: pages that have moved
 *         stay where they are now, *report is not written.
 */
WEFT_API weft_status weft_array_migrate_with(weft_array *array, const weft_migrate_options *options, weft_migration *report);

/**
 * Run body over the items of the array, each part on the workers of the node its pages belong to; idle workers then steal,
 * nearest first. The report's local share compares the node of each page, asked from the kernel before the loop, with the node
 * of the worker that ran it; an item counts where its first byte lies, absent pages and those of a foreign topology as unknown.
 * No worker is on a memory-only node: ON_MEMORY_NODE's items are local to the workers of weft_plan_memory_node.nearest.
 * Parts follow the array, so FIRST_TOUCH means STATIC, and `align` moves the first items of parts down to its multiples.
 * REPLICATED arrays are split like weft_for(); each worker is compared with its own node's copy.
 *
 * @return as weft_for(); WEFT_EINVAL: also a NULL array; WEFT_ENOMEM: no memory for the report or the aligned parts.
 *
 * Threads, blocks, order: as weft_for(). With a report it first makes one system call per 512 pages: of a sample above 65536, of all
 * pages of an adopted array, whose nodes a sample does not tell (shared by the workers, as weft_array_adopt()).
 */
WEFT_API weft_status weft_for_array(weft_array *array, weft_loop_fn body, void *arg, const weft_for_options *options);

/**
 * Ask the kernel where the pages of an array lie, or (query) those of some of its items. weft_array_placement() is the sampled query of
 * all items.
 *
 * @param items  at least one: the pages of the first to the last byte of theirs, in each copy.
 *
 * Other parameters, errors, threads: as weft_memory_query(); placement->pages_expected is counted as well. Adopted arrays whose
 * memory has gone, or whose file became shorter, have absent pages and a reason.
 */
WEFT_API weft_status weft_array_query(const weft_array *array, weft_range items, weft_query query, weft_placement *placement,
                                      size_t *per_node, size_t nodes);
WEFT_API weft_status weft_array_placement(const weft_array *array, weft_placement *placement, size_t *per_node, size_t nodes);

#ifdef __cplusplus
}
#endif
#endif
