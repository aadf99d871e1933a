/* Arenas acquired and released. What is under a node's lock is short; mapping, unmapping and trimming happen outside. */
#include "scheduler/scratch_cache.h"

#include <sys/resource.h>

#include "base/status.h"
#include "machine/binding.h"
#include "scheduler/pool.h"

#define LIMIT_BYTES ((size_t)1 << 30)
#define LIMIT_SHARE 64 /* of the address space that `ulimit -v` leaves to the process */
#define KEEP_BYTES ((size_t)4 << 20)
#define IDLE 64u

void wf_scratch_home_init(struct wf_scratch_home *home) {
    pthread_mutex_init(&home->lock, NULL);
}

void wf_scratch_home_destroy(struct wf_scratch_home *home) {
    for (struct wf_scratch *scratch = home->made, *next; scratch; scratch = next) {
        next = scratch->next_made;
        wf_scratch_unmap(scratch);
    }
    pthread_mutex_destroy(&home->lock);
}

/* Bytes that a new arena of the pool is for. */
static size_t limit_of(const weft_pool *pool) {
    size_t limit = wf_load(&pool->scratch.limit_bytes, WF_RELAXED);
    struct rlimit space;
    if (limit)
        return limit;
    if (!getrlimit(RLIMIT_AS, &space) && space.rlim_cur / LIMIT_SHARE < LIMIT_BYTES)
        return space.rlim_cur / LIMIT_SHARE > wf_page_bytes() ? (size_t)(space.rlim_cur / LIMIT_SHARE) : wf_page_bytes();
    return LIMIT_BYTES;
}

struct target {
    const weft_pool *pool;
    int os_node;
};

static bool bind_to(void *arg, void *start, size_t bytes) {
    const struct target *target = arg;
    return wf_bind_memory(target->pool->plan, start, bytes, target->os_node, false) == WEFT_OK;
}

static void enter(struct wf_scratch_home *home, struct wf_scratch *scratch) {
    pthread_mutex_lock(&home->lock);
    if ((scratch->next_made = home->made))
        home->made->made_by = &scratch->next_made;
    scratch->made_by = &home->made;
    home->made = scratch;
    wf_count(&home->arenas, 1);
    pthread_mutex_unlock(&home->lock);
}

static struct wf_scratch *make(weft_pool *pool, unsigned node) {
    struct target target = {.pool = pool, .os_node = wf_pool_memory_node(pool, node)};
    struct wf_scratch *scratch = NULL;
    struct wf_detail before; /* a policy that is refused is no failure */
    wf_detail_keep(&before);
    if (wf_scratch_make(&scratch, limit_of(pool), wf_load(&pool->scratch.base_pages, WF_RELAXED), pool->placed ? bind_to : NULL,
                        &target))
        return NULL;
    wf_detail_restore(&before);
    scratch->os_node = target.os_node;
    scratch->node = node;
    scratch->keeper = pool;
    enter(&pool->nodes[node]->scratch, scratch);
    return scratch;
}

/* The last one that was released on the node; NULL: none is idle. */
static struct wf_scratch *take_idle(struct wf_scratch_home *home) {
    if (!wf_load(&home->idle_count, WF_RELAXED)) /* a hint: who releases at this moment may be missed */
        return NULL;
    pthread_mutex_lock(&home->lock);
    struct wf_scratch *scratch = home->idle;
    if (scratch) {
        home->idle = scratch->next_idle;
        wf_count(&home->idle_count, (uint64_t)-1);
    }
    pthread_mutex_unlock(&home->lock);
    return scratch;
}

static void count_acquired(struct wf_scratch_counters *counters, bool made) {
    wf_count(&counters->acquired, 1);
    wf_count(&counters->made, made);
}

/* The node's memory has moved since the arena was made (replan.h): the pages that it has follow. */
static void follow(weft_pool *pool, struct wf_scratch *scratch) {
    int os_node = wf_pool_memory_node(pool, scratch->node);
    if (WF_LIKELY(os_node == scratch->os_node))
        return;
    scratch->os_node = os_node;
    if (pool->placed) {
        struct wf_detail before;
        wf_detail_keep(&before);
        scratch->bound = wf_move_memory(pool->plan, scratch->area.start, scratch->area.bytes, os_node) == WEFT_OK;
        wf_detail_restore(&before);
    }
}

static struct wf_scratch *get(weft_pool *pool, unsigned node, struct wf_worker *self) {
    struct wf_scratch_home *home = &pool->nodes[node]->scratch;
    struct wf_scratch *scratch = self ? self->scratch.kept : NULL;
    bool made = false;
    if (scratch)
        self->scratch.kept = NULL;
    else if (!(scratch = take_idle(home)))
        made = (scratch = make(pool, node));
    if (!scratch)
        return NULL;
    if (self) {
        count_acquired(&self->scratch.counters, made);
    } else {
        pthread_mutex_lock(&home->lock);
        count_acquired(&home->counters, made);
        pthread_mutex_unlock(&home->lock);
    }
    return scratch;
}

/* The calling thread's worker if it is one of this node. */
static struct wf_worker *self_on(const weft_pool *pool, unsigned node) {
    struct wf_worker *self = wf_self_in(pool);
    return self && self->node == node ? self : NULL;
}

weft_scratch *weft_scratch_acquire(weft_pool *pool, unsigned node) {
    if (!pool) {
        wf_fail(WEFT_EINVAL, "weft_scratch_acquire() needs a pool, got NULL");
        return NULL;
    }
    if (wf_pool_check(pool))
        return NULL;
    if (node == WEFT_NODE_HOME)
        node = wf_pool_near(pool);
    if (node >= pool->node_count) {
        wf_fail(WEFT_EINVAL, "node %u: the pool's nodes are 0 to %u, or WEFT_NODE_HOME", node, pool->node_count - 1);
        return NULL;
    }
    struct wf_scratch *scratch = get(pool, node, self_on(pool, node));
    if (!scratch)
        return NULL;
    follow(pool, scratch);
    return &scratch->face;
}

static void count_released(struct wf_scratch_counters *counters, size_t peak, bool trimmed) {
    wf_count(&counters->released, 1);
    wf_count(&counters->peaks_sum, peak);
    wf_count(&counters->trimmed, trimmed);
    if (peak > wf_load(&counters->peak_bytes, WF_RELAXED))
        wf_store(&counters->peak_bytes, peak, WF_RELAXED);
}

static void forget(struct wf_scratch_home *home, struct wf_scratch *scratch) {
    if ((*scratch->made_by = scratch->next_made))
        scratch->next_made->made_by = scratch->made_by;
    wf_count(&home->arenas, (uint64_t)-1);
}

/* To the node; an arena that is one too many is unmapped. */
static void put(const weft_pool *pool, struct wf_scratch_home *home, struct wf_scratch *scratch, struct wf_worker *self,
                size_t peak, bool trimmed) {
    unsigned most = wf_load(&pool->scratch.idle, WF_RELAXED);
    pthread_mutex_lock(&home->lock);
    if (!self)
        count_released(&home->counters, peak, trimmed);
    bool full = wf_load(&home->idle_count, WF_RELAXED) >= (most ? most : IDLE);
    if (full) {
        forget(home, scratch);
    } else {
        scratch->next_idle = home->idle;
        home->idle = scratch;
        wf_count(&home->idle_count, 1);
    }
    pthread_mutex_unlock(&home->lock);
    if (full)
        wf_scratch_unmap(scratch);
}

void weft_scratch_release(weft_scratch *face) {
    if (!face)
        return;
    struct wf_scratch *scratch = wf_scratch_of(face);
    weft_pool *pool = scratch->keeper;
    if (wf_pool_check(pool)) /* a child of fork(): somebody of the parent may hold the lock for ever */
        return;
    size_t peak = wf_scratch_peak(scratch), keep = wf_load(&pool->scratch.keep_bytes, WF_RELAXED);
    wf_scratch_renew(scratch);
    size_t had = wf_scratch_populated(scratch);
    wf_scratch_trim(scratch, keep ? keep : KEEP_BYTES);
    bool trimmed = wf_scratch_populated(scratch) < had;
    struct wf_worker *self = self_on(pool, scratch->node);
    if (self)
        count_released(&self->scratch.counters, peak, trimmed);
    if (self && !self->scratch.kept)
        self->scratch.kept = scratch;
    else
        put(pool, &pool->nodes[scratch->node]->scratch, scratch, self, peak, trimmed);
}

weft_status weft_scratch_configure(weft_pool *pool, const weft_scratch_options *options) {
    weft_scratch_options known = {WEFT_SCRATCH_OPTIONS_INIT};
    if (!pool)
        return wf_fail(WEFT_EINVAL, "weft_scratch_configure() needs a pool, got NULL");
    weft_status status = wf_options_copy(&known, sizeof known, options, "weft_scratch_options");
    if (status)
        return status;
    if (known.limit_bytes > PTRDIFF_MAX / 2)
        return wf_fail(WEFT_EINVAL, "a limit of %zu bytes: an arena has at most half of the address space, %zu",
                       known.limit_bytes, (size_t)(PTRDIFF_MAX / 2));
    wf_store(&pool->scratch.limit_bytes, known.limit_bytes, WF_RELAXED);
    wf_store(&pool->scratch.keep_bytes, known.keep_bytes, WF_RELAXED);
    wf_store(&pool->scratch.idle, known.idle, WF_RELAXED);
    wf_store(&pool->scratch.base_pages, known.base_pages, WF_RELAXED);
    return WEFT_OK;
}

static void add(weft_scratch_stats *sum, uint64_t *peaks, const struct wf_scratch_counters *counters) {
    uint64_t peak = wf_load(&counters->peak_bytes, WF_RELAXED);
    sum->acquired += wf_load(&counters->acquired, WF_RELAXED);
    sum->released += wf_load(&counters->released, WF_RELAXED);
    sum->made += wf_load(&counters->made, WF_RELAXED);
    sum->trimmed += wf_load(&counters->trimmed, WF_RELAXED);
    sum->peak_bytes = peak > sum->peak_bytes ? peak : sum->peak_bytes;
    *peaks += wf_load(&counters->peaks_sum, WF_RELAXED);
}

weft_status weft_scratch_get_stats(weft_pool *pool, unsigned node, weft_scratch_stats *stats) {
    if (!pool || !stats)
        return wf_fail(WEFT_EINVAL, "pool and stats must be given");
    if (node >= pool->node_count)
        return wf_fail(WEFT_EINVAL, "node %u: the pool's nodes are 0 to %u", node, pool->node_count - 1);
    const struct wf_scratch_home *home = &pool->nodes[node]->scratch;
    const weft_plan_node *planned = &weft_plan_nodes(pool->plan, NULL)[node];
    weft_scratch_stats sum = {.arenas = wf_load(&home->arenas, WF_RELAXED), .idle = wf_load(&home->idle_count, WF_RELAXED)};
    uint64_t peaks = 0;
    add(&sum, &peaks, &home->counters);
    for (unsigned i = 0; i < planned->worker_count; i++)
        add(&sum, &peaks, &pool->workers[planned->first_worker + i]->scratch.counters);
    sum.mean_bytes = sum.released ? peaks / sum.released : 0;
    *stats = sum;
    return WEFT_OK;
}
