/*
 * The versions of a replicated array: each has a copy per node, and readers in a section keep theirs (versions.h).
 * Threading: as array.h; what swaps write is under the lock, which nobody holds while he waits for workers.
 */
#ifndef WF_ARRAY_REPLICA_H
#define WF_ARRAY_REPLICA_H

#include <pthread.h>

#include "array/array.h"
#include "array/versions.h"

struct wf_replica {
    struct wf_versions versions;
    struct wf_area *areas[WF_VERSIONS]; /* per slot, its copies, or NULL: written by the slot's holder (versions.h) */
    pthread_mutex_t lock;               /* array->areas, reasons, policy and locked are those of the current version */
};

/* The versions of an array whose areas are not reserved yet. WEFT_ENOMEM. */
weft_status wf_replica_make(weft_array *array);

/*
 * array->areas are the only version now; `last` was the current one's, which are the caller's to release, NULL: none. Nothing where
 * the array is not replicated. When nobody uses it.
 */
void wf_replica_restart(weft_array *array, const struct wf_area *last);

/* Release all versions but that of array->areas. NULL allowed in the array. */
void wf_replica_destroy(weft_array *array);

#endif
