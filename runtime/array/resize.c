/* Arrays of another size: made beside the old one, and put in its place when nothing can fail any more. */
#include <stdlib.h>

#include "array/replica.h"
#include "base/status.h"

weft_status wf_array_allocate_sized(weft_array *next) {
    next->bounds = calloc(next->worker_count + 1, sizeof *next->bounds);
    next->stretches = calloc(next->node_count, sizeof *next->stretches);
    next->areas = calloc(next->copies, sizeof *next->areas);
    return next->bounds && next->stretches && next->areas ? WEFT_OK
                                                          : wf_fail(WEFT_ENOMEM, "no memory for the tables of an array");
}

void wf_array_release_sized(weft_array *array) {
    for (unsigned copy = 0; array->areas && copy < array->copies; copy++)
        wf_area_release(&array->areas[copy]);
    free(array->areas);
    free(array->bounds);
    free(array->stretches);
}

weft_status weft_array_resize(weft_array *array, size_t n) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    if (array->adopted)
        return wf_fail(WEFT_EINVAL, "the array's memory is not weft's to resize: adopt the larger memory");
    weft_status status = wf_array_check_size(n, array->item_bytes);
    if (status != WEFT_OK || n == array->n)
        return status;
    struct wf_detail before;
    wf_detail_keep(&before);
    weft_array next = *array;
    next.n = n;
    next.policy = next.locked = false;
    for (unsigned i = 0; i < WF_REASONS; i++)
        if (i != WF_REASON_PLACE) /* the nodes are the same */
            next.reasons[i] = "";
    if ((status = wf_array_allocate_sized(&next)) == WEFT_OK && (status = wf_array_furnish(&next)) == WEFT_OK &&
        (status = wf_array_copy(&next, array)) == WEFT_OK) {
        wf_detail_restore(&before);
        weft_array last = *array;
        *array = next;
        wf_replica_restart(array, last.areas);
        wf_array_release_sized(&last);
        return WEFT_OK;
    }
    wf_array_release_sized(&next);
    return status;
}
