/* memory/pages: areas, what is granted, populating without losing content. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/compiler.h"
#include "memory/huge_pages.h"
#include "memory/pages.h"
#include "memory/placement.h"

static size_t absent_pages(const void *start, size_t bytes) {
    weft_placement placement;
    cr_assert_eq(weft_memory_placement(start, bytes, &placement, NULL, 0), WEFT_OK, "%s", weft_error_detail());
    return placement.pages_absent;
}

static bool asks_nodes(void) {
    int here = 0;
    weft_placement placement;
    return weft_memory_placement(&here, sizeof here, &placement, NULL, 0) == WEFT_OK;
}

Test(pages, an_area_is_whole_zeroed_pages) {
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, 3 * wf_page_bytes() + 1, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(area.bytes, 4 * wf_page_bytes());
    cr_assert_eq((uintptr_t)area.start % wf_page_bytes(), 0);
    cr_assert_eq(area.pages, WEFT_PAGES_BASE);
    cr_assert_str_eq(area.reason, "");
    for (size_t i = 0; i < area.bytes; i++)
        cr_assert_eq(((char *)area.start)[i], 0);
    wf_area_release(&area);
    cr_assert_null(area.start);
    wf_area_release(&area);
}

Test(pages, transparent_huge_pages_are_aligned_or_explained) {
    struct wf_area area;
    size_t bytes = 8u << 20;
    cr_assert_eq(wf_area_reserve(&area, bytes, WEFT_PAGES_THP), WEFT_OK);
    cr_assert_eq(area.bytes, bytes);
    if (area.pages == WEFT_PAGES_THP)
        cr_assert_eq((uintptr_t)area.start % wf_thp_bytes(), 0);
    else
        cr_assert_str_not_empty(area.reason);
    memset(area.start, 7, area.bytes);
    wf_area_release(&area);
}

Test(pages, a_small_area_gets_base_pages_and_a_reason) {
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, 10, WEFT_PAGES_THP), WEFT_OK);
    cr_assert_eq(area.pages, WEFT_PAGES_BASE);
    cr_assert_str_not_empty(area.reason);
    wf_area_release(&area);
}

Test(pages, reserved_huge_pages_fall_back_with_a_reason) {
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, (size_t)1 << 40, WEFT_PAGES_HUGE), WEFT_OK, "%s", weft_error_detail());
    cr_assert_neq(area.pages, WEFT_PAGES_HUGE);
    cr_assert_str_not_empty(area.reason);
    wf_area_release(&area);
}

Test(pages, each_kind_that_cannot_be_had_gives_way_to_the_next_and_says_so) {
    static const struct {
        weft_pages asked;
        const char *word;
    } cases[] = {{WEFT_PAGES_HUGE, "vm.nr_hugepages"}, {WEFT_PAGES_2M, "vm.nr_hugepages"}, {WEFT_PAGES_1G, "1 GiB or 2 MiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct wf_area area;
        cr_assert_eq(wf_area_reserve(&area, (size_t)1 << 40, cases[i].asked), WEFT_OK, "%s", weft_error_detail());
        cr_assert(area.pages == WEFT_PAGES_THP || area.pages == WEFT_PAGES_BASE);
        cr_assert(strstr(area.reason, cases[i].word), "%s", area.reason);
        wf_area_release(&area);
    }
    cr_assert_eq(wf_pages_below(WEFT_PAGES_1G), WEFT_PAGES_2M);
    cr_assert_eq(wf_pages_below(WEFT_PAGES_2M), WEFT_PAGES_THP);
    cr_assert_eq(wf_pages_below(WEFT_PAGES_THP), WEFT_PAGES_BASE);
}

/* "AnonHugePages:" of the mapping that holds an address, in bytes. */
static size_t anonymous_huge(const void *address) {
    char line[512];
    size_t first, last, kib, found = 0;
    bool inside = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%zx-%zx ", &first, &last) == 2)
            inside = (uintptr_t)address >= first && (uintptr_t)address < last;
        else if (inside && sscanf(line, "AnonHugePages: %zu", &kib) == 1)
            found = kib * 1024;
    }
    if (file)
        fclose(file);
    return found;
}

Test(pages, what_lies_in_huge_pages_is_what_smaps_says) {
    struct wf_area area;
    size_t huge, thp = wf_thp_bytes();
    if (!thp)
        cr_skip_test("no transparent huge pages");
    cr_assert_eq(wf_area_reserve(&area, 8 * thp, WEFT_PAGES_THP), WEFT_OK);
    cr_assert(wf_huge_bytes(area.start, area.bytes, &huge));
    cr_assert_eq(huge, 0, "nothing is touched yet");
    cr_assert_eq(wf_pages_populate((char *)area.start + thp, 4 * thp), WEFT_OK);
    cr_assert(wf_huge_bytes(area.start, area.bytes, &huge));
    cr_assert_eq(huge, anonymous_huge(area.start));
    size_t part;
    cr_assert(wf_huge_bytes(area.start, 2 * thp, &part));
    cr_assert(part <= thp && (part == thp || huge < 4 * thp));
    cr_assert(!madvise((char *)area.start + thp, wf_page_bytes(), MADV_DONTNEED));
    cr_assert(wf_huge_bytes(area.start, area.bytes, &part));
    cr_assert(part == anonymous_huge(area.start) && (part < huge || !huge), "one huge page is broken up");
    wf_area_release(&area);
    cr_assert_eq(wf_area_reserve(&area, 8 * thp, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, area.bytes), WEFT_OK);
    cr_assert(wf_huge_bytes(area.start, area.bytes, &huge) && !huge);
    wf_area_release(&area);
}

Test(pages, impossible_sizes_are_errors) {
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, 0, WEFT_PAGES_BASE), WEFT_EINVAL);
    cr_assert_eq(wf_area_reserve(&area, SIZE_MAX, WEFT_PAGES_BASE), WEFT_ENOMEM);
    cr_assert_eq(wf_area_reserve(&area, SIZE_MAX / 2, WEFT_PAGES_THP), WEFT_ENOMEM);
    cr_assert_eq(wf_area_reserve(&area, SIZE_MAX - 3 * wf_page_bytes(), WEFT_PAGES_HUGE), WEFT_ENOMEM);
    cr_assert_eq(wf_area_reserve(&area, 4096, WEFT_PAGES_DEFAULT), WEFT_EINVAL);
    cr_assert_str_not_empty(weft_error_detail());
}

Test(pages, populating_makes_present_and_keeps_content) {
    struct wf_area area;
    size_t page = wf_page_bytes();
    cr_assert_eq(wf_area_reserve(&area, 64 * page, WEFT_PAGES_BASE), WEFT_OK);
    char *bytes = area.start;
    bytes[5 * page] = 42;
    if (asks_nodes())
        cr_assert_eq(absent_pages(area.start, area.bytes), 63);
    cr_assert_eq(wf_pages_populate(bytes + 3, 10 * page), WEFT_OK);
    if (asks_nodes())
        cr_assert_eq(absent_pages(area.start, area.bytes), 64 - 11);
    cr_assert_eq(bytes[5 * page], 42);
    cr_assert_eq(wf_pages_populate(bytes, 0), WEFT_OK);
    wf_area_release(&area);
}

Test(pages, what_cannot_be_populated_is_an_error_with_a_text) {
    struct wf_area area;
    size_t page = wf_page_bytes();
    cr_assert_eq(wf_area_reserve(&area, 4 * page, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, SIZE_MAX), WEFT_EINVAL);
    cr_assert_eq(munmap((char *)area.start + 2 * page, page), 0);
    cr_assert_eq(wf_pages_populate(area.start, area.bytes), WEFT_ENOMEM);
    cr_assert(strstr(weft_error_detail(), "not mapped"));
    wf_area_release(&area);
}

Test(placement, counts_add_up_per_node) {
    struct wf_area area;
    size_t page = wf_page_bytes(), pages = 10000, per_node[4] = {9, 9, 9, 9};
    cr_assert_eq(wf_area_reserve(&area, pages * page, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, 6000 * page), WEFT_OK);
    weft_placement placement;
    if (!asks_nodes()) {
        cr_assert_str_not_empty(weft_error_detail());
        cr_skip_test("move_pages is refused here");
    }
    cr_assert_eq(weft_memory_placement(area.start, area.bytes, &placement, per_node, 4), WEFT_OK);
    cr_assert_eq(placement.pages, pages);
    cr_assert_eq(placement.pages_asked, pages);
    cr_assert_eq(placement.pages_absent, 4000);
    cr_assert_eq(placement.pages_expected, 0);
    cr_assert_eq(per_node[0] + per_node[1] + per_node[2] + per_node[3], 6000);
    size_t all = 0;
    cr_assert_eq(weft_memory_placement(area.start, area.bytes, &placement, &all, 1), WEFT_OK);
    cr_assert_eq(all, 6000, "nodes beyond the room are counted in the last");
    for (size_t nodes = WF_FEW_NODES; nodes <= WF_FEW_NODES + 1; nodes++) {
        size_t many[WF_FEW_NODES + 1];
        memset(many, 9, sizeof many);
        cr_assert_eq(weft_memory_placement(area.start, area.bytes, &placement, many, nodes), WEFT_OK);
        all = 0;
        for (size_t i = 0; i < nodes; i++)
            all += many[i];
        cr_assert_eq(all, 6000, "room for %zu nodes", nodes);
    }
    wf_area_release(&area);
}

struct seen {
    const char *start;
    size_t pages, last, present, runs;
    bool presence[2000]; /* what was said about each page, where there are few */
};

static void see(void *arg, void *const *pages, size_t count, int node) {
    struct seen *seen = arg;
    cr_assert_gt(count, 0);
    seen->runs++;
    for (size_t i = 0; i < count; i++) {
        size_t page = (size_t)((const char *)pages[i] - seen->start) / wf_page_bytes();
        cr_assert(!seen->pages || page > seen->last);
        seen->pages++;
        seen->last = page;
        seen->present += node != WF_NODE_ABSENT;
        if (page < WF_ARRAY_LENGTH(seen->presence))
            seen->presence[page] = node != WF_NODE_ABSENT;
    }
}

/* Runs of all lengths, across the ends of batches, absent pages (answered in two ways) as one. */
Test(placement, pages_of_one_node_are_told_together) {
    struct wf_area area;
    struct wf_placement_scope scope = {.exact = true};
    size_t page = wf_page_bytes(), count = 2000, runs = 0, present = 0;
    static bool expected[2000];
    if (!asks_nodes())
        cr_skip_test("move_pages is refused here");
    cr_assert_eq(wf_area_reserve(&area, count * page, WEFT_PAGES_BASE), WEFT_OK);
    for (size_t first = 0, length = 1; first < count; first += length, length = length % 60 + 1)
        for (size_t i = first; i < first + length && i < count && length % 2; i++) {
            expected[i] = true;
            ((volatile char *)area.start)[i * page] = 1;
        }
    (void)((volatile char *)area.start)[page]; /* the page of zeros */
    for (size_t i = 0; i < count; i++)
        present += expected[i];
    for (size_t i = 0; i < count; i++)
        runs += !i || expected[i] != expected[i - 1];
    static struct seen seen;
    seen = (struct seen){.start = area.start};
    cr_assert_eq(wf_placement_visit(area.start, area.bytes, see, &seen, &scope), WEFT_OK);
    cr_assert_eq(seen.pages, count);
    cr_assert_eq(scope.asked, count);
    cr_assert_eq(seen.present, present);
    cr_assert(!memcmp(seen.presence, expected, sizeof expected));
    cr_assert(seen.runs >= runs && seen.runs < runs + 10, "%zu runs in %zu calls: a batch may end one", runs, seen.runs);
    wf_area_release(&area);
}

Test(placement, above_65536_pages_one_of_each_stretch_is_asked) {
    struct wf_area area;
    struct wf_placement_scope scope = {0};
    size_t page = wf_page_bytes(), count = 200001;
    cr_assert_eq(wf_area_reserve(&area, count * page, WEFT_PAGES_BASE), WEFT_OK);
    if (!asks_nodes())
        cr_skip_test("move_pages is refused here");
    cr_assert_eq(wf_pages_populate(area.start, count / 4 * page), WEFT_OK);
    struct seen seen = {.start = area.start};
    cr_assert_eq(wf_placement_visit(area.start, area.bytes, see, &seen, &scope), WEFT_OK);
    cr_assert_eq(scope.pages, count);
    cr_assert_eq(scope.asked, (count + 3) / 4);
    cr_assert_eq(seen.pages, scope.asked);
    cr_assert_lt(seen.last, count);
    cr_assert_str_empty(wf_placement_reason(&scope)); /* that it was a sample says scope.asked */
    scope.hidden = true;
    cr_assert(strstr(wf_placement_reason(&scope), "absent"));
    cr_assert(seen.present > scope.asked / 4 - 2 && seen.present < scope.asked / 4 + 2);
    wf_area_release(&area);
}

Test(placement, unusable_arguments_are_errors) {
    weft_placement placement;
    size_t count;
    cr_assert_eq(weft_memory_placement(NULL, 1, &placement, NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_memory_placement(&count, 0, &placement, NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_memory_placement(&count, 1, NULL, NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_memory_placement(&count, 1, &placement, NULL, 3), WEFT_EINVAL);
    cr_assert_eq(weft_memory_placement(&count, 1, &placement, &count, 0), WEFT_EINVAL);
    cr_assert_eq(weft_memory_placement(&count, SIZE_MAX, &placement, NULL, 0), WEFT_EINVAL);
}
