/* Replicated arrays read and replaced at the same time. The protocol stands in versions.h. */
#include "array/replica.h"

#include <stdlib.h>
#include <string.h>

#include "array/workers.h"
#include "base/status.h"
#include "scheduler/worker.h"

/* Lines that readers share which are no workers of the pool. */
#define OUTSIDE_STRIPES 8u

weft_status wf_replica_make(weft_array *array) {
    unsigned stripes = OUTSIDE_STRIPES + array->worker_count;
    struct wf_replica *replica = calloc(1, sizeof *replica);
    struct wf_version_readers *readers = aligned_alloc(WF_LINE, stripes * sizeof *readers);
    if (!replica || !readers) {
        free(replica);
        free(readers);
        return wf_fail(WEFT_ENOMEM, "no memory for the readers of a replicated array");
    }
    memset((void *)readers, 0, stripes * sizeof *readers);
    pthread_mutex_init(&replica->lock, NULL);
    wf_versions_init(&replica->versions, readers, OUTSIDE_STRIPES, stripes, !wf_membarrier());
    array->replica = replica;
    return WEFT_OK;
}

static void release_areas(const weft_array *array, struct wf_area *areas) {
    for (unsigned copy = 0; areas && copy < array->copies; copy++)
        wf_area_release(&areas[copy]);
    free(areas);
}

/* Nobody uses the array. */
static void release_others(weft_array *array, const struct wf_area *kept) {
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++) {
        if (array->replica->areas[slot] != kept)
            release_areas(array, array->replica->areas[slot]);
        array->replica->areas[slot] = NULL;
    }
}

void wf_replica_restart(weft_array *array, const struct wf_area *last) {
    struct wf_replica *replica = array->replica;
    if (!replica)
        return;
    release_others(array, last);
    struct wf_versions *versions = &replica->versions;
    wf_versions_init(versions, versions->readers, versions->shared, versions->stripes, versions->fenced);
    replica->areas[0] = array->areas;
}

void wf_replica_destroy(weft_array *array) {
    if (!array->replica)
        return;
    release_others(array, array->areas);
    pthread_mutex_destroy(&array->replica->lock);
    free((void *)array->replica->versions.readers);
    free(array->replica);
}

static unsigned outside_stripe(void) {
    return (unsigned)((uint64_t)pthread_self() * UINT64_C(0x9e3779b97f4a7c15) >> 32) % OUTSIDE_STRIPES;
}

weft_reading weft_array_read_begin(weft_array *array) {
    weft_reading reading = {.array = array};
    if (array && array->replica) {
        const struct wf_worker *self = wf_self_in(array->pool);
        reading.stripe = self ? OUTSIDE_STRIPES + self->id : outside_stripe();
        reading.slot = wf_version_enter(&array->replica->versions, reading.stripe, self);
    }
    return reading;
}

const void *weft_array_read_local(weft_reading reading) {
    const weft_array *array = reading.array;
    if (!array || !array->replica)
        return weft_array_local(array);
    const struct wf_worker *self = array->copies > 1 ? wf_self_in(array->pool) : NULL;
    return array->replica->areas[reading.slot][self ? self->node : 0].start;
}

void weft_array_read_end(weft_reading reading) {
    const weft_array *array = reading.array;
    if (!array || !array->replica)
        return;
    const struct wf_worker *self = wf_self_in(array->pool);
    bool own = self && reading.stripe == OUTSIDE_STRIPES + self->id;
    wf_version_leave(&array->replica->versions, reading.stripe, reading.slot, own);
}

/* Release the old versions that nobody reads; how many are left. */
static unsigned reclaim(weft_array *array) {
    struct wf_replica *replica = array->replica;
    unsigned left = 0;
    uint32_t unread = wf_version_reclaim(&replica->versions);
    for (unsigned slot = 0; slot < WF_VERSIONS; slot++) {
        if (unread >> slot & 1) {
            release_areas(array, replica->areas[slot]);
            replica->areas[slot] = NULL;
            wf_version_free(&replica->versions, slot);
        }
        uint32_t state = wf_load(&replica->versions.state[slot], WF_RELAXED);
        left += state == WF_VERSION_RETIRED || state == WF_VERSION_RECLAIMING;
    }
    return left;
}

unsigned weft_array_reclaim(weft_array *array) {
    return array && array->replica ? reclaim(array) : 0;
}

/* The array as it is, without its areas. */
static weft_array without_areas(weft_array *array) {
    pthread_mutex_lock(&array->replica->lock);
    weft_array next = *array;
    pthread_mutex_unlock(&array->replica->lock);
    for (unsigned i = 0; i < WF_REASONS; i++)
        next.reasons[i] = "";
    next.policy = next.locked = false;
    return next;
}

static weft_status make_version(weft_array *next, const void *items) {
    weft_status status = wf_array_allocate_sized(next);
    if (status == WEFT_OK && (status = wf_array_furnish(next)) == WEFT_OK)
        status = wf_array_fill(next, items);
    return status;
}

static void publish(weft_array *array, const weft_array *next, unsigned slot) {
    struct wf_replica *replica = array->replica;
    replica->areas[slot] = next->areas;
    pthread_mutex_lock(&replica->lock);
    array->areas = next->areas;
    array->policy = next->policy;
    array->locked = next->locked;
    memcpy(array->reasons, next->reasons, sizeof array->reasons);
    wf_version_publish(&replica->versions, slot);
    pthread_mutex_unlock(&replica->lock);
}

weft_status weft_array_swap(weft_array *array, const void *items) {
    if (!array || !items)
        return wf_fail(WEFT_EINVAL, "array and items must be given");
    if (!array->replica)
        return wf_fail(WEFT_EINVAL, "the array was not made with place WEFT_REPLICATED: it has one copy, write to its items");
    reclaim(array);
    struct wf_versions *versions = &array->replica->versions;
    unsigned slot = wf_version_claim(versions);
    if (slot == WF_VERSIONS)
        return wf_fail(WEFT_EAGAIN, "%u versions of the array are read or being made: end some sections first", WF_VERSIONS);
    struct wf_detail before;
    wf_detail_keep(&before);
    weft_array next = without_areas(array);
    weft_status status = make_version(&next, items);
    if (status == WEFT_OK) {
        wf_detail_restore(&before);
        publish(array, &next, slot);
        next.areas = NULL;
        reclaim(array);
    } else {
        wf_version_free(versions, slot);
    }
    wf_array_release_sized(&next);
    return status;
}
