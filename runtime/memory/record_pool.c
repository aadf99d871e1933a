/* The slow halves of the record pool: remote frees and carving. The protocol stands in record_pool.h. */
#include "memory/record_pool.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

/* Remote frees that one refill takes back at most: each costs a cache miss, and the owner waits for all of them. */
#define REFILL_BATCH 64

weft_status wf_record_pool_init(struct wf_record_pool *pool, size_t record_bytes, size_t max_bytes, wf_record_bind_fn bind,
                                void *bind_arg) {
    if (!record_bytes || !max_bytes || record_bytes > max_bytes || max_bytes > SIZE_MAX / 2)
        return wf_fail(WEFT_EINVAL, "records of %zu bytes in an area of %zu: neither may be 0, and one record must fit",
                       record_bytes, max_bytes);
    max_bytes = (max_bytes + WF_RECORD_SLAB_BYTES - 1) / WF_RECORD_SLAB_BYTES * WF_RECORD_SLAB_BYTES;
    struct wf_area area;
    weft_status status = wf_area_reserve(&area, max_bytes, WEFT_PAGES_BASE);
    if (status != WEFT_OK)
        return status;
    if (bind && (status = bind(bind_arg, area.start, area.bytes)) != WEFT_OK) {
        wf_area_release(&area);
        return status;
    }
    wf_record_pool_init_in(pool, record_bytes, &area);
    return WEFT_OK;
}

void wf_record_pool_init_in(struct wf_record_pool *pool, size_t record_bytes, const struct wf_area *area) {
    record_bytes = (record_bytes + WF_LINE - 1) / WF_LINE * WF_LINE;
    *pool = (struct wf_record_pool){.record_bytes = record_bytes, .fresh = area->start, .populated = area->start, .area = *area};
    __cds_wfs_init(&pool->remote);
}

void wf_record_pool_destroy(struct wf_record_pool *pool) {
    if (!pool->area.start)
        return;
    wf_unpoison(pool->area.start, pool->area.bytes);
    wf_area_release(&pool->area);
    memset(pool, 0, sizeof *pool);
}

void wf_record_free_remote(struct wf_record_pool *pool, struct wf_free_record *record) {
    cds_wfs_node_init(&record->node);
    wf_store(&record->handed_over, 1, WF_RELEASE); /* partner: the acquire in take_back() */
    cds_wfs_push(&pool->remote, &record->node);
}

/*
 * Move up to REFILL_BATCH remote frees to the free list. A node belongs to the owner once its successor is known; one whose
 * pusher has not linked it yet stays pending with all that lies below it.
 */
static void take_back(struct wf_record_pool *pool) {
    if (!pool->pending && !cds_wfs_empty(&pool->remote))
        pool->pending = cds_wfs_first(__cds_wfs_pop_all(&pool->remote));
    for (unsigned taken = 0; pool->pending && taken < REFILL_BATCH; taken++) {
        struct cds_wfs_node *node = pool->pending, *next = cds_wfs_next_nonblocking(node);
        if (next == CDS_WFS_WOULDBLOCK)
            return;
        /* partner: the release in wf_record_free_remote() */
        (void)wf_load(&WF_CONTAINER_OF(node, struct wf_free_record, node)->handed_over, WF_ACQUIRE);
        pool->pending = next;
        node->next = pool->free;
        pool->free = node;
    }
}

/* One new record from the area, populating the next slab where needed. */
static void *carve(struct wf_record_pool *pool) {
    char *end = (char *)pool->area.start + pool->area.bytes;
    if ((size_t)(end - pool->fresh) < pool->record_bytes) {
        wf_fail(WEFT_ENOMEM, "all %zu records of %zu bytes are in use", pool->carved, pool->record_bytes);
        return NULL;
    }
    while ((size_t)(pool->populated - pool->fresh) < pool->record_bytes) {
        assert(pool->populated < end); /* the area is whole slabs and the record fits */
        if (wf_pages_populate(pool->populated, WF_RECORD_SLAB_BYTES) != WEFT_OK)
            return NULL;
        wf_poison(pool->populated, WF_RECORD_SLAB_BYTES);
        pool->populated += WF_RECORD_SLAB_BYTES;
    }
    void *record = pool->fresh;
    pool->fresh += pool->record_bytes;
    pool->carved++;
    wf_unpoison(record, pool->record_bytes);
    return record;
}

void *wf_record_refill(struct wf_record_pool *pool) {
    take_back(pool);
    return pool->free ? wf_record_alloc(pool) : carve(pool);
}

size_t wf_record_pool_free_count(struct wf_record_pool *pool) {
    size_t count = 0;
    do
        take_back(pool);
    while (pool->pending || !cds_wfs_empty(&pool->remote));
    for (struct cds_wfs_node *node = pool->free; node; node = node->next)
        count++;
    return count;
}
