/*
 * Which kind of pages an array gets, and locking them. Where reserved pages are asked for, each node has to have as many free as
 * lie on it: the kernel keeps reservations for the system as a whole, so what a node lacks would come from another one. Where
 * the page should be goes before how large it is, and the next smaller kind is tried.
 *
 * What is reserved is not taken yet, so another process may be first: then pages lie elsewhere, and placement says so.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array/array.h"
#include "base/status.h"
#include "memory/huge_pages.h"

#define DEFAULT_THP_BYTES ((size_t)4 << 20)
#define UNITS_PER_WORKER 4

#define SMALL_PARTS "parts smaller than 4 huge pages: base pages, so that every part lies with its worker"
#define SMALL_PARTS_NO_HUGE                                                                                                      \
    "not enough reserved huge pages are free (nr_hugepages), and parts smaller than 4 transparent ones: base pages"
#define SHORT_TURNS "less than 4 periods of huge pages: base pages, so that every node has its share"
#define SHORT_TURNS_NO_HUGE                                                                                                      \
    "not enough reserved huge pages are free (nr_hugepages), and less than 4 periods of transparent ones: base pages"
#define NODE_SHORT                                                                                                               \
    "a node has fewer reserved huge pages free than lie on it (/sys/devices/system/node/node*/hugepages): smaller ones"
#define NOT_LOCKED "the pages are not locked: more than RLIMIT_MEMLOCK (ulimit -l) allows, or mlock is refused"

/* Whether a transparent huge page would be too much of a part, or of a turn. */
static bool parts_are_small(const weft_array *array) {
    size_t bytes = array->n * array->item_bytes;
    if (array->exact)
        return array->period > 1 && bytes / UNITS_PER_WORKER / array->period < wf_thp_bytes();
    return wf_array_lies_apart(array) && bytes / UNITS_PER_WORKER / wf_array_sharers(array) < wf_thp_bytes();
}

/* Whether at least half of the memory lies in huge pages. */
static bool is_huge(const void *start, size_t bytes) {
    size_t head = (uintptr_t)start % wf_page_bytes(), huge;
    return wf_huge_bytes((const char *)start - head, bytes + head, &huge) && huge >= bytes / 2;
}

/*
 * Huge units where they make parts, or periods, that are even enough: pages that are in fact smaller lie well in them too. Also where
 * pages are huge already, however uneven that is: a page is on one node, and the workers of two would pull it to and fro. What is
 * smaller than a huge page is not worth the look.
 */
static size_t borrowed_unit(const weft_array *array, const void *start) {
    size_t thp = wf_thp_bytes(), bytes = array->n * array->item_bytes;
    size_t parts = array->turns ? array->period : wf_array_lies_apart(array) ? wf_array_sharers(array) : 0;
    if (!parts || !thp || bytes < thp)
        return wf_page_bytes();
    return bytes / UNITS_PER_WORKER / parts >= thp || is_huge(start, bytes) ? thp : wf_page_bytes();
}

void wf_array_borrow(weft_array *array, const void *start) {
    size_t unit = borrowed_unit(array, start), page = wf_page_bytes();
    array->head = (uintptr_t)start % unit;
    size_t bytes = array->head + array->n * array->item_bytes;
    array->areas[0] = (struct wf_area){.start = (char *)start - array->head, /* only named to the kernel */
                                       .bytes = (bytes + page - 1) / page * page,
                                       .page_bytes = unit,
                                       .pages = WEFT_PAGES_BASE,
                                       .reason = ""};
}

static weft_status reserve_base(const weft_array *array, struct wf_area *area, const char *reason) {
    weft_status status = wf_area_reserve(area, array->n * array->item_bytes, WEFT_PAGES_BASE);
    area->reason = reason;
    return status;
}

static weft_status reserve_kind(const weft_array *array, struct wf_area *area, weft_pages pages) {
    size_t bytes = array->n * array->item_bytes;
    if (pages == WEFT_PAGES_DEFAULT)
        pages = bytes >= DEFAULT_THP_BYTES ? WEFT_PAGES_THP : WEFT_PAGES_BASE;
    if (pages == WEFT_PAGES_THP && parts_are_small(array))
        return reserve_base(array, area, array->exact ? SHORT_TURNS : SMALL_PARTS);
    weft_status status = wf_area_reserve(area, bytes, pages);
    if (status != WEFT_OK || !wf_pages_are_reserved(pages) || area->pages != WEFT_PAGES_THP || !parts_are_small(array))
        return status;
    wf_area_release(area);
    return reserve_base(array, area, array->exact ? SHORT_TURNS_NO_HUGE : SMALL_PARTS_NO_HUGE);
}

static void release_areas(weft_array *array) {
    for (unsigned copy = 0; copy < array->copies; copy++)
        wf_area_release(&array->areas[copy]);
}

static weft_status reserve_areas(weft_array *array, weft_pages pages) {
    for (unsigned copy = 0; copy < array->copies; copy++) {
        struct wf_area *area = &array->areas[copy];
        weft_status status = reserve_kind(array, area, pages);
        if (status != WEFT_OK)
            return status;
        if (*area->reason)
            array->reasons[WF_REASON_PAGES] = area->reason;
    }
    return WEFT_OK;
}

weft_pages wf_array_granted(const weft_array *array, size_t *page_bytes) {
    const struct wf_area *least = &array->areas[0];
    for (unsigned copy = 1; copy < array->copies; copy++)
        if (array->areas[copy].page_bytes < least->page_bytes)
            least = &array->areas[copy];
    *page_bytes = least->page_bytes;
    return least->pages;
}

/* Pages of `page_bytes` that belong to node k. */
static size_t pages_of(const weft_array *array, unsigned k, size_t page_bytes) {
    size_t bytes = array->areas[0].bytes, turns = 0;
    if (array->options.place == WEFT_ON_MEMORY_NODE)
        return k ? 0 : (bytes - 1) / page_bytes + 1;
    if (array->turns) {
        size_t units = (bytes - 1) / page_bytes + 1, rest = units % array->period, last = 0;
        for (unsigned turn = 0; turn < array->period; turn++) {
            turns += array->turns[turn] == k;
            last += array->turns[turn] == k && turn < rest;
        }
        return units / array->period * turns + last;
    }
    size_t first = array->stretches[k], end = k + 1 < array->node_count ? array->stretches[k + 1] : bytes;
    if (array->copies > 1)
        first = 0, end = bytes;
    return first < end ? (end - first - 1) / page_bytes + 1 : 0;
}

/* Whether a node has fewer of the reserved pages free than lie on it; *os_node is which. */
static bool node_is_short(const weft_array *array, int *os_node, size_t *needed, size_t *free) {
    size_t page_bytes;
    if (!array->this_system || !wf_pages_are_reserved(wf_array_granted(array, &page_bytes)))
        return false;
    for (unsigned k = 0; k < array->node_count; k++) {
        *os_node = wf_array_target(array, k);
        *needed = 0;
        for (unsigned other = 0; other < array->node_count; other++)
            if (wf_array_target(array, other) == *os_node)
                *needed += pages_of(array, other, page_bytes);
        if (*os_node >= 0 && *needed && wf_huge_pages_free(*os_node, page_bytes, free) && *free < *needed)
            return true;
    }
    return false;
}

weft_status wf_array_reserve_all(weft_array *array) {
    bool strict = array->options.strict && wf_pages_are_reserved(array->options.pages);
    weft_pages pages = array->options.pages;
    for (;;) {
        int os_node;
        size_t needed, free, page_bytes;
        weft_status status = reserve_areas(array, pages);
        if (status != WEFT_OK)
            return status;
        pages = wf_array_granted(array, &page_bytes);
        if (strict && pages != array->options.pages)
            return wf_fail(WEFT_ESTRICT, "no reserved huge pages for %zu items of %zu bytes: %s", array->n, array->item_bytes,
                           array->reasons[WF_REASON_PAGES]);
        wf_array_lay_out(array);
        if (!node_is_short(array, &os_node, &needed, &free))
            return WEFT_OK;
        if (strict)
            return wf_fail(WEFT_ESTRICT, "%zu pages of %zu KiB belong on node %d, which has %zu of them reserved and free",
                           needed, page_bytes / 1024, os_node, free);
        release_areas(array);
        pages = wf_pages_below(pages);
        array->reasons[WF_REASON_PAGES] = NODE_SHORT;
    }
}

/* Reserved pages are never swapped, and mlock(2) has nothing to do with them. */
static bool is_lockable(const struct wf_area *area) {
    return !wf_pages_are_reserved(area->pages);
}

static weft_status not_locked(weft_array *array, int error) {
    struct rlimit limit = {0};
    array->reasons[WF_REASON_LOCK] = NOT_LOCKED;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (!array->options.strict)
        return WEFT_OK;
    return wf_fail(WEFT_ESTRICT, "%u copies of %zu bytes cannot be locked: mlock: %s; RLIMIT_MEMLOCK (ulimit -l) is %ju KiB",
                   array->copies, array->areas[0].bytes, strerror(error), (uintmax_t)limit.rlim_cur / 1024);
}

weft_status wf_array_lock(weft_array *array) {
    if (!array->options.locked)
        return WEFT_OK;
    for (unsigned copy = 0; copy < array->copies; copy++) {
        const struct wf_area *area = &array->areas[copy];
        if (!is_lockable(area) || !mlock2(area->start, area->bytes, array->options.untouched ? MLOCK_ONFAULT : 0))
            continue;
        int error = errno;
        while (copy--) /* AddressSanitizer's munlock() does nothing */
            if (is_lockable(&array->areas[copy]))
                syscall(SYS_munlock, array->areas[copy].start, array->areas[copy].bytes);
        return not_locked(array, error);
    }
    array->locked = true;
    return WEFT_OK;
}
