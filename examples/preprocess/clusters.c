/*
 * Wait-free union-find (Anderson, Woll: "Wait-free parallel algorithms for the union-find problem", 1991), linked by id.
 *
 * Every access to a parent is relaxed: a parent is only an id, it publishes no other memory, and the end of each stage orders
 * all of them before the next. A parent only ever decreases and never exceeds its index, so a stale one still leads to an
 * ancestor; a link is a compare-and-swap on a word that was a root, so no link is lost.
 */
#include "clusters.h"

#include <math.h>

#include "buckets.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* Root of a document; halves the path on the way. */
static uint32_t find(_Atomic uint32_t *parents, uint32_t id) {
    for (;;) {
        uint32_t parent = atomic_load_explicit(&parents[id], memory_order_relaxed);
        if (parent == id)
            return id;
        uint32_t above = atomic_load_explicit(&parents[parent], memory_order_relaxed);
        atomic_compare_exchange_weak_explicit(&parents[id], &parent, above, memory_order_relaxed, memory_order_relaxed);
        id = above;
    }
}

static void unite(_Atomic uint32_t *parents, uint32_t left, uint32_t right) {
    for (;;) {
        left = find(parents, left);
        right = find(parents, right);
        if (left == right)
            return;
        uint32_t low = left < right ? left : right, high = left < right ? right : left;
        if (atomic_compare_exchange_strong_explicit(&parents[high], &high, low, memory_order_relaxed, memory_order_relaxed))
            return;
    }
}

static unsigned agreement(const struct run *run, size_t left, size_t right) {
    return signature_agreement(&run->scheme, run_signature(run, left), run_signature(run, right));
}

static bool same_text(const struct run *run, size_t left, size_t right) {
    const struct finding *a = &run->findings[left], *b = &run->findings[right];
    return a->hash == b->hash && a->text_bytes == b->text_bytes && agreement(run, left, right) == run->scheme.values;
}

static bool takes_usable(const struct run *run, size_t document) {
    return finding_usable(&run->findings[document]);
}

static uint64_t text_key(const struct run *run, size_t document, unsigned key) {
    (void)key;
    return run->findings[document].hash;
}

static void unite_exact(struct run *run, uint32_t first, uint32_t second) {
    if (same_text(run, first, second))
        unite(run->parents, first, second);
}

weft_status clusters_exact(struct run *run) {
    static const struct bucket_use use = {1, takes_usable, text_key, unite_exact};
    progress_stage(run->progress, "exact duplicates", 0, run->collection->document_count);
    return buckets_pairs(run, &use);
}

/* Whether the document stands for its exact duplicates. Nothing unites while the buckets are filled, so this is stable. */
static bool takes_leader(const struct run *run, size_t document) {
    uint32_t parent = atomic_load_explicit(&run->parents[document], memory_order_relaxed);
    return parent == document && finding_usable(&run->findings[document]);
}

static uint64_t band_key(const struct run *run, size_t document, unsigned band) {
    unsigned rows = run->options->rows;
    return XXH64(run_signature(run, document) + (size_t)band * rows, rows * sizeof(uint32_t), band);
}

static void unite_near(struct run *run, uint32_t first, uint32_t second) {
    double needed = ceil(run->options->threshold * run->scheme.values);
    if (find(run->parents, first) == find(run->parents, second))
        return;
    if (agreement(run, first, second) >= needed)
        unite(run->parents, first, second);
}

weft_status clusters_near(struct run *run) {
    struct bucket_use use = {run->options->bands, takes_leader, band_key, unite_near};
    progress_stage(run->progress, "near duplicates", 0, (uint64_t)run->collection->document_count * run->options->bands);
    return buckets_pairs(run, &use);
}

static void settle_range(void *arg, weft_range range) {
    struct run *run = arg;
    for (size_t id = range.first; id < range.last; id++) {
        struct finding *finding = &run->findings[id];
        finding->representative = find(run->parents, (uint32_t)id);
        if (finding->representative != id)
            finding->agreement = agreement(run, finding->representative, id);
    }
}

weft_status clusters_settle(struct run *run) {
    progress_stage(run->progress, "clusters", 0, 0);
    weft_status status = weft_for_array(run->finding_array, settle_range, run, NULL);
    for (size_t id = 0; status == WEFT_OK && id < run->collection->document_count; id++)
        if (run->findings[id].representative != id)
            run->findings[run->findings[id].representative].duplicates++;
    return status;
}
