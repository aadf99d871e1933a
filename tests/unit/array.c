/* array/: what lies where, loops over arrays, reports, copies, foreign memory. Pools: the live one and two made-up nodes. */
#include <criterion/criterion.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "array/workers.h"
#include "arrays.h"
#include "base/compiler.h"

static bool all_zero(const void *start, size_t bytes) {
    const char *byte = start;
    return !*byte && !memcmp(byte, byte + 1, bytes - 1);
}

/* A loop body that marks what it ran, and by whom. */
struct marks {
    size_t n, align;
    _Atomic(unsigned) *runs;
    int *worker, *node;
    _Atomic(unsigned) crooked; /* chunks that do not begin at a multiple of align */
};

static struct marks make_marks(size_t n) {
    return (struct marks){n, 1, calloc(n, sizeof(_Atomic(unsigned))), calloc(n, sizeof(int)), calloc(n, sizeof(int)), 0};
}

static void free_marks(struct marks *marks) {
    free((void *)marks->runs);
    free(marks->worker);
    free(marks->node);
}

static void mark(void *arg, weft_range range) {
    struct marks *marks = arg;
    if (range.first % marks->align)
        marks->crooked++;
    for (size_t i = range.first; i < range.last; i++) {
        marks->runs[i]++;
        marks->worker[i] = weft_current_worker();
        marks->node[i] = weft_current_node();
    }
}

static void check_marks(const struct marks *marks, unsigned times) {
    for (size_t i = 0; i < marks->n; i++)
        cr_assert_eq(marks->runs[i], times, "item %zu ran %u times", i, marks->runs[i]);
}

static void loop_everywhere(weft_pool *pool, size_t n, size_t item_bytes) {
    for (weft_place place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++) {
        weft_array *array = make(pool, n, item_bytes, (weft_array_options){.place = place});
        cr_assert_eq(weft_array_count(array), n);
        cr_assert_eq((uintptr_t)weft_array_data(array) % wf_page_bytes(), 0);
        cr_assert(all_zero(weft_array_data(array), n * item_bytes));
        struct marks marks = make_marks(n);
        for (weft_schedule schedule = WEFT_SCHEDULE_STEAL; schedule <= WEFT_SCHEDULE_FIRST_TOUCH; schedule++) {
            weft_loop_report report;
            weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = schedule, .report = &report};
            cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK, "%s", weft_error_detail());
            cr_assert_eq(report.iterations, n);
            cr_assert_leq(report.iterations_local + report.iterations_unknown, n);
        }
        cr_assert_eq(weft_for_array(array, mark, &marks, NULL), WEFT_OK);
        check_marks(&marks, 4);
        memset(weft_array_data(array), 1, n * item_bytes);
        free_marks(&marks);
        weft_array_destroy(array);
    }
}

Test(array, loops_run_every_item_once_in_every_place) {
    static const char *const topologies[] = {NULL, TWO_NODES, THREE_NODES};
    static const size_t shapes[][2] = {{1, 1},     {1, 5000},     {5, 8},      {100000, 1},
                                       {70001, 8}, {3, 5u << 20}, {50000, 24}, {301, 4104}};
    for (size_t t = 0; t < WF_ARRAY_LENGTH(topologies); t++) {
        weft_pool *pool = make_pool(topologies[t]);
        for (size_t i = 0; i < WF_ARRAY_LENGTH(shapes); i++)
            loop_everywhere(pool, shapes[i][0], shapes[i][1]);
        cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
    }
}

Test(array, parts_begin_with_the_first_item_in_a_unit_of_their_own) {
    static const size_t shapes[][2] = {{1000000, 8}, {999999, 24}, {70000, 1}, {40, 100000}, {7, 4096}, {3, 1}, {20000, 4097}};
    weft_pool *pool = make_pool(TWO_NODES);
    for (size_t i = 0; i < WF_ARRAY_LENGTH(shapes); i++) {
        weft_array *array = make(pool, shapes[i][0], shapes[i][1], (weft_array_options){.untouched = true});
        cr_assert_eq(array->bounds[0], 0);
        cr_assert_eq(array->bounds[4], array->n);
        for (unsigned w = 0; w < 4; w++) {
            size_t first = array->bounds[w], last = array->bounds[w + 1];
            cr_assert_leq(first, last);
            size_t begin = wf_array_byte(array, first), end = wf_array_byte(array, last);
            cr_assert(begin <= end && end <= array->areas[0].bytes);
            if (first < last) {
                cr_assert_leq(begin, first * array->item_bytes);
                cr_assert_lt(first * array->item_bytes - begin, array->unit, "the first item begins in the part's first unit");
                cr_assert(last == array->n || (last - 1) * array->item_bytes < end, "the last item begins in the part");
            }
        }
        cr_assert_eq(wf_array_byte(array, array->n), array->areas[0].bytes);
        weft_array_destroy(array);
    }
    weft_pool_destroy(pool);
}

Test(array, partitioned_arrays_of_base_pages_are_split_like_first_touch_loops) {
    weft_pool *pool = make_pool(TWO_NODES);
    size_t n = 100003;
    weft_array *array = make(pool, n, 8, (weft_array_options){.pages = WEFT_PAGES_BASE});
    struct marks there = make_marks(n), here = make_marks(n);
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    cr_assert_eq(weft_for_array(array, mark, &there, &options), WEFT_OK);
    options = (weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 8};
    cr_assert_eq(weft_for(pool, n, mark, &here, &options), WEFT_OK);
    cr_assert_eq(memcmp(there.worker, here.worker, n * sizeof(int)), 0);
    free_marks(&there);
    free_marks(&here);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(array, huge_pages_of_several_nodes_hold_at_least_four_per_worker_or_give_way) {
    weft_pool *pool = make_pool(TWO_NODES);
    size_t huge = wf_thp_bytes();
    if (!huge)
        cr_skip_test("no transparent huge pages");
    weft_array *small = make(pool, 15 * huge, 1, (weft_array_options){.untouched = true});
    cr_assert_eq(small->areas[0].pages, WEFT_PAGES_BASE);
    cr_assert_eq(small->unit, wf_page_bytes());
    cr_assert_str_not_empty(small->reasons[WF_REASON_PAGES]);
    weft_array *large = make(pool, 17 * huge, 1, (weft_array_options){.untouched = true});
    if (large->areas[0].pages == WEFT_PAGES_THP)
        for (unsigned w = 1; w < 4; w++)
            cr_assert_eq(large->bounds[w] % huge, 0);
    weft_array *reserved = make(pool, 15 * huge, 1, (weft_array_options){.untouched = true, .pages = WEFT_PAGES_HUGE});
    cr_assert_neq(reserved->areas[0].pages, WEFT_PAGES_THP);
    weft_array_destroy(reserved);
    weft_array_destroy(small);
    weft_array_destroy(large);
    weft_pool_destroy(pool);
    pool = make_pool("node:1 core:4 pu:1");
    weft_array *together = make(pool, 15 * huge, 1, (weft_array_options){.untouched = true});
    cr_assert_eq(together->unit, wf_page_bytes(), "workers of one node may share a huge page");
    weft_array_destroy(together);
    weft_pool_destroy(pool);
}

Test(array, an_array_on_a_node_is_run_by_its_workers) {
    weft_pool *pool = make_pool(TWO_NODES);
    for (unsigned node = 0; node < 2; node++) {
        size_t n = 50000;
        weft_array *array = make(pool, n, 16, (weft_array_options){.place = WEFT_ON_NODE, .node = node});
        struct marks marks = make_marks(n);
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
        cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
        check_marks(&marks, 1);
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(marks.node[i], (int)node);
        cr_assert_neq(marks.worker[0], marks.worker[n - 1]);
        free_marks(&marks);
        weft_array_destroy(array);
    }
    weft_pool_destroy(pool);
}

Test(array, parts_and_chunks_follow_the_alignment_of_the_loop) {
    weft_pool *pool = make_pool(TWO_NODES);
    size_t n = 100001;
    weft_array *array = make(pool, n, 12, (weft_array_options){.place = WEFT_PARTITIONED});
    struct marks marks = make_marks(n);
    marks.align = 16;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .align = 16};
    cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
    options.schedule = WEFT_SCHEDULE_STATIC;
    cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
    check_marks(&marks, 2);
    cr_assert_eq(marks.crooked, 0);
    free_marks(&marks);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(array, pages_are_present_where_they_belong) {
    weft_pool *pool = make_pool(NULL);
    for (weft_place place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++)
        for (weft_pages pages = WEFT_PAGES_DEFAULT; pages <= WEFT_PAGES_1G; pages++) {
            weft_array *array = make(pool, 700001, 8, (weft_array_options){.place = place, .pages = pages});
            size_t per_node[8], sum = 0;
            weft_placement placement = placement_of(array);
            cr_assert_eq(weft_array_placement(array, &placement, per_node, 8), WEFT_OK);
            for (int i = 0; i < 8; i++)
                sum += per_node[i];
            cr_assert_eq(placement.pages, (700001 * 8 - 1) / placement.page_bytes * array->copies + array->copies);
            cr_assert_eq(placement.pages_asked, placement.pages);
            cr_assert_eq(placement.pages_absent, 0);
            cr_assert_eq(sum, placement.pages);
            if (weft_pool_nodes(pool) == 1)
                cr_assert_eq(placement.pages_expected, placement.pages);
            cr_assert_eq(placement.huge, array->areas[0].pages != WEFT_PAGES_BASE);
            cr_assert(placement.granted == pages || placement.granted < pages || pages == WEFT_PAGES_DEFAULT);
            cr_assert_neq(placement.granted, WEFT_PAGES_DEFAULT);
            cr_assert_eq(placement.granted_bytes, array->areas[0].page_bytes);
            cr_assert(placement.huge || !placement.huge_bytes);
            cr_assert_leq(placement.huge_bytes, placement.pages * placement.page_bytes);
            if (pages != WEFT_PAGES_DEFAULT && placement.granted != pages)
                cr_assert_str_not_empty(placement.reason);
            weft_array_destroy(array);
        }
    weft_pool_destroy(pool);
}

Test(array, untouched_pages_are_absent_until_touched_and_keep_what_was_written) {
    static const char *const topologies[] = {NULL, TWO_NODES};
    for (size_t t = 0; t < WF_ARRAY_LENGTH(topologies); t++) {
        weft_pool *pool = make_pool(topologies[t]);
        for (weft_place place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++) {
            weft_array *array = make(pool, 300000, 4, (weft_array_options){.place = place, .untouched = true});
            weft_placement placement = placement_of(array);
            cr_assert_eq(placement.pages_absent, placement.pages);
            ((int *)weft_array_data(array))[123456] = 7;
            cr_assert_eq(weft_array_touch(array), WEFT_OK, "%s", weft_error_detail());
            cr_assert_eq(placement_of(array).pages_absent, 0);
            cr_assert_eq(((int *)weft_array_data(array))[123456], 7);
            weft_array_destroy(array);
        }
        weft_pool_destroy(pool);
    }
}

Test(array, the_report_counts_items_where_their_pages_are) {
    weft_pool *pool = make_pool(NULL);
    for (weft_place place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++) {
        size_t n = 400000;
        weft_array *array = make(pool, n, 24, (weft_array_options){.place = place, .untouched = true});
        weft_loop_report report;
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &report};
        struct marks marks = make_marks(n);
        placement_of(array);
        cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
        cr_assert_eq(report.iterations_unknown, n, "no page is present");
        cr_assert_eq(report.iterations_local, 0);
        memset(weft_array_data(array), 1, n * 24 / 2);
        cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
        cr_assert_eq(report.iterations, n);
        if (array->copies == 1 && array->areas[0].pages == WEFT_PAGES_BASE)
            cr_assert(report.iterations_unknown > n / 2 - 200 && report.iterations_unknown <= n / 2);
        cr_assert_eq(weft_array_touch(array), WEFT_OK);
        cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
        cr_assert_eq(report.iterations_unknown, 0);
        if (weft_pool_nodes(pool) == 1)
            cr_assert_eq(report.iterations_local, n);
        free_marks(&marks);
        weft_array_destroy(array);
    }
    weft_pool_destroy(pool);
}

Test(array, nodes_of_a_foreign_topology_are_not_compared_with_this_machines) {
    weft_pool *pool = make_pool(TWO_NODES);
    weft_array *array = make(pool, 100000, 8, (weft_array_options){.place = WEFT_PARTITIONED});
    struct marks marks = make_marks(100000);
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &report};
    cr_assert_eq(weft_for_array(array, mark, &marks, &options), WEFT_OK);
    cr_assert_eq(report.iterations_unknown, 100000);
    weft_placement placement = placement_of(array);
    cr_assert_eq(placement.pages_expected, 0);
    cr_assert(strstr(placement.reason, "not this machine's"));
    free_marks(&marks);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

struct copies {
    weft_array *array;
    const int *items;
    size_t n;
    _Atomic(void *) seen[8];
    _Atomic(unsigned) wrong;
};

static void read_copy(void *arg, weft_range range) {
    struct copies *copies = arg;
    const int *local = weft_array_local(copies->array);
    copies->seen[weft_current_node()] = (void *)local;
    for (size_t i = range.first; i < range.last; i++)
        copies->wrong += local[i] != copies->items[i];
}

Test(array, every_node_reads_its_own_copy) {
    weft_pool *pool = make_pool(TWO_NODES);
    size_t n = 123457;
    int *items = malloc(n * sizeof *items);
    for (size_t i = 0; i < n; i++)
        items[i] = (int)(i * 2654435761u);
    weft_array *array = make(pool, n, sizeof *items, (weft_array_options){.place = WEFT_REPLICATED});
    cr_assert_eq(weft_array_replicate(array, items), WEFT_OK, "%s", weft_error_detail());
    struct copies copies = {.array = array, .items = items, .n = n};
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    cr_assert_eq(weft_for_array(array, read_copy, &copies, &options), WEFT_OK);
    cr_assert_eq(copies.wrong, 0);
    cr_assert_neq(copies.seen[0], copies.seen[1]);
    cr_assert_eq(copies.seen[0], weft_array_data(array));
    cr_assert_eq(weft_array_local(array), weft_array_data(array), "on threads that are no workers");
    for (unsigned copy = 0; copy < 2; copy++)
        cr_assert_eq(memcmp(array->areas[copy].start, items, n * sizeof *items), 0);
    ((int *)weft_array_data(array))[7] = 77;
    cr_assert_eq(weft_array_replicate(array, weft_array_data(array)), WEFT_OK, "copy 0 may be the source");
    cr_assert_eq(((int *)array->areas[1].start)[7], 77);
    free(items);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(array, foreign_memory_is_touched_and_keeps_its_content) {
    weft_pool *pool = make_pool(NULL);
    size_t page = wf_page_bytes(), bytes = 1000 * page;
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    start[17 * page + 3] = 9;
    cr_assert_eq(weft_touch(pool, start + 5, bytes - 10, 24), WEFT_OK, "%s", weft_error_detail());
    cr_assert_eq(start[17 * page + 3], 9);
    start[17 * page + 3] = 0;
    cr_assert(all_zero(start, bytes));
    weft_placement placement;
    if (weft_memory_placement(start, bytes, &placement, NULL, 0) == WEFT_OK)
        cr_assert_eq(placement.pages_absent, 0);
    cr_assert_eq(weft_touch(pool, start, bytes, SIZE_MAX), WEFT_OK, "one item, cut at the end");
    cr_assert_eq(weft_touch(pool, start, 0, 1), WEFT_OK);
    cr_assert_eq(weft_touch(pool, start, SIZE_MAX, 1), WEFT_EINVAL);
    cr_assert_eq(weft_touch(pool, start, bytes, 0), WEFT_EINVAL);
    cr_assert_eq(weft_touch(NULL, start, bytes, 1), WEFT_EINVAL);
    cr_assert_eq(weft_touch(pool, NULL, bytes, 1), WEFT_EINVAL);
    munmap(start + 500 * page, page);
    cr_assert_eq(weft_touch(pool, start, bytes, 8), WEFT_ENOMEM);
    cr_assert(strstr(weft_error_detail(), "not mapped"), "a worker's text reaches the caller");
    weft_pool_destroy(pool);
}

/* Two nodes with two workers each; memory-only: node 2 (HBM, nearest to the first) and node 3 (nearest to the second). */
#define MEMORY_KINDS WEFT_TEST_TOPOLOGIES "/memory-kinds.xml"

Test(array, a_memory_only_node_is_served_by_its_nearest_workers_and_used_by_all) {
    weft_pool *pool = make_pool(MEMORY_KINDS);
    for (unsigned node = 0; node < 2; node++) {
        size_t page = wf_page_bytes(), n = 40 * page / 8, end = 0;
        weft_array *array = make(pool, n, 8, (weft_array_options){.place = WEFT_ON_MEMORY_NODE, .node = node});
        cr_assert(all_zero(weft_array_data(array), n * 8));
        for (unsigned worker = 0; worker < 4; worker++) {
            weft_range slice = wf_array_memory_slice(array, worker);
            cr_assert_eq(slice.last > slice.first, worker / 2 == node, "worker %u", worker);
            if (slice.last == slice.first)
                continue;
            cr_assert(slice.first == end && slice.first % page == 0);
            end = slice.last;
        }
        cr_assert_eq(end, array->areas[0].bytes, "all of it, once");
        struct marks marks = make_marks(n);
        weft_loop_report report;
        weft_for_options fixed = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC, .report = &report};
        cr_assert_eq(weft_for_array(array, mark, &marks, &fixed), WEFT_OK, "%s", weft_error_detail());
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(marks.worker[i], (int)(i / (n / 4)), "item %zu", i);
        cr_assert_eq(report.iterations_unknown, n, "the topology is not this machine's");
        free_marks(&marks);
        weft_array_destroy(array);
    }
    weft_array_options beyond = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_MEMORY_NODE, .node = 2};
    weft_array *none = NULL;
    cr_assert_eq(weft_array_create(&none, pool, 1, 1, &beyond), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "0 to 1"), "%s", weft_error_detail());
    beyond.node = 1;
    beyond.strict = true;
    cr_assert_eq(weft_array_create(&none, pool, 1, 1, &beyond), WEFT_ESTRICT);
    cr_assert(strstr(weft_error_detail(), "memory node 1"), "%s", weft_error_detail());
    cr_assert_null(none);
    weft_pool_destroy(pool);
}

Test(array, strictness_fails_instead_of_degrading) {
    weft_pool *foreign = make_pool(TWO_NODES), *live = make_pool(NULL);
    weft_array *array = NULL;
    weft_array_options on_node = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = 1, .strict = true};
    cr_assert_eq(weft_array_create(&array, foreign, 1000, 8, &on_node), WEFT_ESTRICT);
    cr_assert_null(array, "outputs are written on success only");
    cr_assert(strstr(weft_error_detail(), "node 1"));
    for (weft_place place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++) {
        on_node.place = place;
        cr_assert_eq(weft_array_create(&array, foreign, 1000, 8, &on_node), WEFT_ESTRICT, "place %d", (int)place);
        cr_assert(strstr(weft_error_detail(), "not this machine's"), "%s", weft_error_detail());
    }
    on_node.place = WEFT_ON_NODE;
    on_node.node = 0;
    weft_status status = weft_array_create(&array, live, 100000, 8, &on_node);
    cr_assert(status == WEFT_OK || status == WEFT_ESTRICT, "%s", weft_error_detail());
    if (status == WEFT_OK)
        weft_array_destroy(array);
    weft_array_options huge = {WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_HUGE, .strict = true, .untouched = true};
    cr_assert_eq(weft_array_create(&array, live, (size_t)1 << 40, 1, &huge), WEFT_ESTRICT);
    cr_assert(strstr(weft_error_detail(), "nr_hugepages"));
    weft_pool_destroy(foreign);
    weft_pool_destroy(live);
}

static void nothing(void *arg, weft_range range) {
    (void)arg, (void)range;
}

static void expect_invalid(weft_pool *pool, size_t n, size_t item_bytes, weft_array_options options) {
    weft_array *array = NULL;
    options.size = sizeof options;
    cr_assert_eq(weft_array_create(&array, pool, n, item_bytes, &options), WEFT_EINVAL);
    cr_assert_null(array);
    cr_assert_str_not_empty(weft_error_detail());
}

Test(array, unusable_arguments_are_errors) {
    weft_pool *pool = make_pool(TWO_NODES);
    weft_array *array = NULL;
    expect_invalid(pool, 0, 8, (weft_array_options){0});
    expect_invalid(pool, 8, 0, (weft_array_options){0});
    expect_invalid(pool, SIZE_MAX, 8, (weft_array_options){0});
    expect_invalid(pool, SIZE_MAX / 8 + 2, 8, (weft_array_options){0});
    expect_invalid(pool, SIZE_MAX, 1, (weft_array_options){0});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_ON_NODE, .node = 2});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_ON_NODE, .node = UINT_MAX});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = (weft_place)99});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_ON_MEMORY_NODE});
    cr_assert(strstr(weft_error_detail(), "no node with memory and without workers"), "%s", weft_error_detail());
    expect_invalid(pool, 8, 8, (weft_array_options){.pages = (weft_pages)9});
    static const unsigned weights[] = {1, 1001}, zeros[2];
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_WEIGHTED});
    cr_assert(strstr(weft_error_detail(), "one for each of the pool's 2 nodes"), "%s", weft_error_detail());
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_WEIGHTED, .weight_count = 2});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_WEIGHTED, .weights = weights, .weight_count = 1});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_WEIGHTED, .weights = weights, .weight_count = 2});
    cr_assert(strstr(weft_error_detail(), "1001 of node 1"), "%s", weft_error_detail());
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_WEIGHTED, .weights = zeros, .weight_count = 2});
    expect_invalid(pool, 8, 8, (weft_array_options){.place = WEFT_INTERLEAVED, .weights = weights, .weight_count = 2});
    expect_invalid(NULL, 8, 8, (weft_array_options){0});
    cr_assert_eq(weft_array_create(NULL, pool, 8, 8, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_array_create(&array, pool, (size_t)PTRDIFF_MAX, 1, NULL), WEFT_ENOMEM);
    cr_assert_eq(weft_array_create(&array, pool, (size_t)1 << 45, 1, NULL), WEFT_ENOMEM, "it is refused before it is touched");
    cr_assert(strstr(weft_error_detail(), "exceed"));
    cr_assert_eq(weft_array_create(&array, pool, 1000, 8, NULL), WEFT_OK, "no options are all defaults");
    int items[1] = {0};
    weft_placement placement;
    size_t count;
    cr_assert_eq(weft_array_replicate(array, items), WEFT_EINVAL, "it has one copy");
    cr_assert_eq(weft_array_replicate(NULL, items), WEFT_EINVAL);
    cr_assert_eq(weft_array_touch(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_array_placement(NULL, &placement, NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_array_placement(array, NULL, NULL, 0), WEFT_EINVAL);
    cr_assert_eq(weft_array_placement(array, &placement, &count, 0), WEFT_EINVAL);
    cr_assert_eq(weft_for_array(NULL, nothing, NULL, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_for_array(array, NULL, NULL, NULL), WEFT_EINVAL);
    weft_for_options schedule = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)3};
    cr_assert_eq(weft_for_array(array, nothing, NULL, &schedule), WEFT_EINVAL);
    weft_for_options tile = {WEFT_FOR_OPTIONS_INIT, .tile = {8}};
    cr_assert_eq(weft_for_array(array, nothing, NULL, &tile), WEFT_EINVAL);
    cr_assert_null(weft_array_data(NULL));
    cr_assert_null(weft_array_local(NULL));
    cr_assert_eq(weft_array_count(NULL), 0);
    weft_array_destroy(NULL);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(array, a_success_leaves_the_detail_text_alone) {
    weft_pool *pool = make_pool(TWO_NODES); /* binding is refused: the topology is not this machine's */
    cr_assert_eq(weft_pool_create(NULL, NULL), WEFT_EINVAL);
    char before[512];
    snprintf(before, sizeof before, "%s", weft_error_detail());
    weft_array *array = NULL;
    cr_assert_eq(weft_array_create(&array, pool, 1000, 8, NULL), WEFT_OK);
    cr_assert_str_eq(weft_error_detail(), before);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}
