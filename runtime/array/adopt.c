/*
 * Arrays over memory that somebody else mapped: taken over, looked at again, let go. Its pages may lie in any order over the
 * nodes, so loops follow shares.c; where they should lie is the place of the options, as with any array, and migrate.c moves
 * them there. Nothing here accesses the memory or sets its policy.
 */
#include "array/adopt.h"

#include <stdlib.h>

#include "base/status.h"
#include "memory/mappings.h"

#define NOT_ASKED "the kernel does not say where pages are (move_pages): loops are split as the array's place says"

struct wf_residence *wf_residence_take(const weft_array *array) {
    struct wf_adoption *adoption = array->adopted;
    pthread_mutex_lock(&adoption->lock);
    struct wf_residence *residence = adoption->last;
    residence->users++;
    pthread_mutex_unlock(&adoption->lock);
    return residence;
}

static void give_back(struct wf_adoption *adoption, struct wf_residence *residence) {
    pthread_mutex_lock(&adoption->lock);
    bool unused = --residence->users == 0;
    pthread_mutex_unlock(&adoption->lock);
    if (!unused)
        return;
    wf_extents_release(&residence->extents);
    wf_shares_free(residence->shares);
    free(residence);
}

void wf_residence_give(const weft_array *array, struct wf_residence *residence) {
    give_back(array->adopted, residence);
}

void wf_adoption_release(struct wf_adoption *adoption) {
    if (!adoption)
        return;
    if (adoption->last)
        give_back(adoption, adoption->last);
    pthread_mutex_destroy(&adoption->lock);
    free(adoption);
}

static void publish(weft_array *array, struct wf_residence *residence) {
    struct wf_adoption *adoption = array->adopted;
    pthread_mutex_lock(&adoption->lock);
    struct wf_residence *before = adoption->last;
    adoption->last = residence;
    pthread_mutex_unlock(&adoption->lock);
    if (before)
        give_back(adoption, before);
}

/* Where the items lie now. Nodes that are not this machine's, or only one: nothing is to be known. */
static weft_status look(weft_array *array, struct wf_residence *residence) {
    if (!array->this_system || array->node_count == 1)
        return WEFT_OK;
    weft_status status = wf_extents_ask(array, 0, &residence->extents);
    if (status != WEFT_OK)
        return status;
    residence->shares = wf_shares_make(array, &residence->extents, 1);
    return residence->shares ? WEFT_OK : WEFT_ENOMEM;
}

static weft_status refresh(weft_array *array, bool first) {
    weft_status status = wf_mappings_check(weft_array_data(array), array->n * array->item_bytes);
    if (status != WEFT_OK)
        return status;
    struct wf_residence *residence = calloc(1, sizeof *residence);
    if (!residence)
        return wf_fail(WEFT_ENOMEM, "no memory to note where items lie");
    residence->users = 1;
    status = look(array, residence);
    if (first && (status == WEFT_EPERM || status == WEFT_ENOTSUP)) {
        array->reasons[WF_REASON_POLICY] = NOT_ASKED;
        status = WEFT_OK;
    }
    if (status == WEFT_OK)
        publish(array, residence);
    else
        give_back(array->adopted, residence);
    return status;
}

weft_status weft_array_refresh(weft_array *array) {
    if (!array)
        return wf_fail(WEFT_EINVAL, "array must be given");
    if (!array->adopted)
        return wf_fail(WEFT_EINVAL, "only loops over adopted arrays follow their pages: parts of this one are fixed, "
                                    "weft_array_migrate() moves its pages to them");
    return refresh(array, false);
}

/* What has no meaning for memory that is there already is refused. */
static weft_status check_adoptable(const weft_array_options *options) {
    if (options->place == WEFT_REPLICATED)
        return wf_fail(WEFT_EINVAL, "place WEFT_REPLICATED: adopted memory is the one copy there is; make a replicated array and "
                                    "weft_array_replicate() from it");
    if (options->pages != WEFT_PAGES_DEFAULT || options->strict || options->untouched || options->locked)
        return wf_fail(WEFT_EINVAL,
                       "pages, strict, untouched and locked are for arrays that weft allocates: adopted memory has its "
                       "pages");
    return WEFT_OK;
}

static weft_status check_memory(const void *start, size_t n, size_t item_bytes) {
    if (!start)
        return wf_fail(WEFT_EINVAL, "start must be given");
    weft_status status = wf_array_check_size(n, item_bytes);
    if (status == WEFT_OK && n * item_bytes > UINTPTR_MAX - wf_page_bytes() - (uintptr_t)start)
        status = wf_fail(WEFT_EINVAL, "%zu items of %zu bytes at %p exceed the address space", n, item_bytes, start);
    return status;
}

static weft_status adopt(weft_array *array, const void *start) {
    array->adopted = calloc(1, sizeof *array->adopted);
    if (!array->adopted)
        return wf_fail(WEFT_ENOMEM, "no memory to adopt an array");
    pthread_mutex_init(&array->adopted->lock, NULL);
    wf_array_borrow(array, start);
    wf_array_lay_out(array);
    return refresh(array, true);
}

weft_status weft_array_adopt(weft_array **array, weft_pool *pool, const void *start, size_t n, size_t item_bytes,
                             const weft_array_options *options) {
    if (!array || !pool)
        return wf_fail(WEFT_EINVAL, "array and pool must be given");
    weft_array_options known;
    weft_status status = wf_array_read_options(&known, pool, options);
    if (status != WEFT_OK || (status = check_adoptable(&known)) != WEFT_OK ||
        (status = check_memory(start, n, item_bytes)) != WEFT_OK)
        return status;
    weft_array *made;
    struct wf_detail before;
    wf_detail_keep(&before);
    status = wf_array_new(&made, pool, n, item_bytes, &known);
    if (status == WEFT_OK)
        status = adopt(made, start);
    if (status == WEFT_OK) {
        wf_detail_restore(&before);
        *array = made;
    } else {
        weft_array_destroy(made);
    }
    return status;
}
