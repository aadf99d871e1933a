/* Migration on whatever nodes there are: counts that add up, content kept, absent pages left alone, bad input. */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "memory/migration.h"
#include "memory/pages.h"
#include "memory/placement.h"
#include "weft.h"

#define TWO_NODES "node:2 core:2 pu:1"

/* An OS node that has pages of this process: the one of a page of ours. */
static unsigned own_node(void) {
    static char here = 1;
    void *page = (void *)((uintptr_t)&here & ~(uintptr_t)(wf_page_bytes() - 1));
    int node = -1;
    if (wf_placement_ask(&page, &node, 1) != WEFT_OK || node < 0)
        cr_skip_test("the kernel does not say where pages are");
    return (unsigned)node;
}

static void check_sum(const weft_migration *report) {
    cr_expect_eq(report->page_bytes, wf_page_bytes());
    cr_expect_eq(report->pages, report->moved + report->there_already + report->absent + report->refused);
    size_t refused = 0;
    for (unsigned i = 0; i < WEFT_REFUSALS; i++)
        refused += report->refused_by[i];
    cr_expect_eq(report->refused, refused);
}

Test(migration, counts_add_up_and_absent_pages_stay_absent) {
    unsigned node = own_node();
    struct wf_area area;
    size_t page = wf_page_bytes(), pages = 10000;
    cr_assert_eq(wf_area_reserve(&area, pages * page, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, 6000 * page), WEFT_OK);
    memset(area.start, 7, 6000 * page);
    weft_migration report;
    cr_assert_eq(weft_memory_migrate(area.start, area.bytes, node, &report), WEFT_OK, "%s", weft_error_detail());
    check_sum(&report);
    cr_expect_eq(report.pages, pages);
    cr_expect_eq(report.moved + report.there_already, 6000);
    cr_expect_eq(report.absent, 4000);
    cr_expect_eq(((char *)area.start)[6000 * page - 1], 7);
    weft_placement placement;
    cr_assert_eq(weft_memory_placement(area.start, area.bytes, &placement, NULL, 0), WEFT_OK);
    cr_expect_eq(placement.pages_absent, 4000);
    cr_expect_eq(weft_memory_migrate(area.start, area.bytes, node, NULL), WEFT_OK, "the report is not always wanted");
    wf_area_release(&area);
}

Test(migration, the_pages_of_the_first_and_last_byte_count) {
    unsigned node = own_node();
    size_t page = wf_page_bytes();
    char *data = mmap(NULL, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(data, 1, 4 * page);
    weft_migration report;
    cr_assert_eq(weft_memory_migrate(data + page - 1, 2, node, &report), WEFT_OK);
    cr_expect_eq(report.pages, 2);
    cr_assert_eq(weft_memory_migrate(data + page, page, node, &report), WEFT_OK);
    cr_expect_eq(report.pages, 1);
    cr_assert_eq(weft_memory_migrate(data + 1, 4 * page - 1, node, &report), WEFT_OK);
    cr_expect_eq(report.pages, 4);
    munmap(data, 4 * page);
}

Test(migration, units_in_turn_make_up_the_whole) {
    int node = (int)own_node();
    struct wf_area area;
    size_t page = wf_page_bytes();
    cr_assert_eq(wf_area_reserve(&area, 1003 * page, WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, area.bytes), WEFT_OK);
    for (size_t unit = 1; unit <= 16; unit *= 4) {
        weft_migration sum = WF_MIGRATION_INIT;
        for (size_t first = 0; first < 5; first++) {
            const struct wf_migration_order order = {.start = area.start,
                                                     .bytes = area.bytes,
                                                     .unit = unit * page,
                                                     .first = first,
                                                     .step = 5,
                                                     .target = node,
                                                     .home = node};
            cr_assert_eq(wf_migrate(&order, &sum), WEFT_OK);
        }
        cr_expect_eq(sum.pages, 1003, "units of %zu pages", unit);
    }
    const struct wf_migration_order beyond = {
        .start = area.start, .bytes = area.bytes, .unit = page, .first = 1003, .step = 5, .target = node, .home = node};
    weft_migration none = WF_MIGRATION_INIT;
    cr_expect_eq(wf_migrate(&beyond, &none), WEFT_OK);
    cr_expect_eq(none.pages, 0);
    wf_area_release(&area);
}

static bool note_most(void *arg, size_t pages) {
    size_t *most = arg;
    *most = pages > *most ? pages : *most;
    return true;
}

/* A batch is full in the middle of a unit, and of a hole. */
Test(migration, batches_end_anywhere_in_a_unit) {
    int node = (int)own_node();
    struct wf_area area;
    size_t page = wf_page_bytes(), present = 0, most = 0;
    cr_assert_eq(wf_area_reserve(&area, 20000 * page, WEFT_PAGES_BASE), WEFT_OK);
    for (size_t i = 0; i < 20000; i += 3) {
        ((volatile char *)area.start)[i * page] = 1;
        present += i / 1000 % 2;
    }
    const struct wf_migration_order order = {.start = area.start,
                                             .bytes = area.bytes,
                                             .unit = 1000 * page,
                                             .first = 1,
                                             .step = 2,
                                             .target = node,
                                             .home = node,
                                             .tried = note_most,
                                             .arg = &most};
    weft_migration report = WF_MIGRATION_INIT;
    cr_assert_eq(wf_migrate(&order, &report), WEFT_OK);
    check_sum(&report);
    cr_expect_eq(report.pages, 10000);
    cr_expect_eq(report.moved + report.there_already, present);
    cr_expect_eq(report.absent, 10000 - present);
    cr_expect_eq(most, 4096);
    wf_area_release(&area);
}

/* Every page once, also where the memory begins inside a unit. */
Test(migration, a_first_unit_may_be_cut) {
    int node = (int)own_node();
    struct wf_area area;
    size_t page = wf_page_bytes();
    cr_assert_eq(wf_area_reserve(&area, 1000 * page, WEFT_PAGES_BASE), WEFT_OK);
    for (size_t lead = 0; lead < 8; lead++) {
        size_t counts[3];
        for (size_t first = 0; first < 3; first++) {
            const struct wf_migration_order order = {.start = area.start,
                                                     .bytes = area.bytes,
                                                     .unit = 8 * page,
                                                     .first = first,
                                                     .step = 3,
                                                     .lead = lead * page,
                                                     .target = node,
                                                     .home = node};
            weft_migration report = WF_MIGRATION_INIT;
            cr_assert_eq(wf_migrate(&order, &report), WEFT_OK);
            counts[first] = report.pages;
        }
        cr_expect_eq(counts[0], 42 * 8 - lead, "of units 0, 3, ..., 123");
        cr_expect_eq(counts[1], 42 * 8);
        cr_expect_eq(counts[2], 41 * 8);
    }
    wf_area_release(&area);
}

struct stop {
    size_t pages, most;
};

static bool count_tried(void *arg, size_t pages) {
    struct stop *stop = arg;
    stop->pages += pages;
    return stop->pages < stop->most;
}

Test(migration, whoever_is_told_may_stop_it) {
    int node = (int)own_node();
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, 20000 * wf_page_bytes(), WEFT_PAGES_BASE), WEFT_OK);
    for (size_t most = 1; most < 100000; most += 9999) {
        struct stop stop = {.most = most};
        const struct wf_migration_order order = {.start = area.start,
                                                 .bytes = area.bytes,
                                                 .unit = SIZE_MAX,
                                                 .step = 1,
                                                 .target = node,
                                                 .home = node,
                                                 .tried = count_tried,
                                                 .arg = &stop};
        weft_migration report = WF_MIGRATION_INIT;
        weft_status status = wf_migrate(&order, &report);
        cr_expect_eq(status, most <= 20000 ? WEFT_ECANCELED : WEFT_OK);
        cr_expect_eq(stop.pages, report.pages);
        cr_expect(stop.pages >= most ? stop.pages - most < 4096 : stop.pages == 20000);
    }
    wf_area_release(&area);
}

Test(migration, every_refusal_has_a_text) {
    for (int i = 0; i < WEFT_REFUSALS; i++)
        cr_expect_str_not_empty(weft_refusal_text((weft_refusal)i));
    cr_expect_str_empty(weft_refusal_text(WEFT_REFUSALS));
    cr_expect_str_empty(weft_refusal_text((weft_refusal)-1));
}

Test(migration, pages_without_a_node_to_go_to_are_refused) {
    own_node();
    struct wf_area area;
    cr_assert_eq(wf_area_reserve(&area, 5000 * wf_page_bytes(), WEFT_PAGES_BASE), WEFT_OK);
    cr_assert_eq(wf_pages_populate(area.start, 4500 * wf_page_bytes()), WEFT_OK);
    const int nowhere[] = {-1, INT_MAX}; /* no name, and one that the kernel does not have */
    for (size_t i = 0; i < 2; i++) {
        const struct wf_migration_order order = {
            .start = area.start, .bytes = area.bytes, .unit = SIZE_MAX, .step = 1, .target = nowhere[i], .home = -1};
        weft_migration report = WF_MIGRATION_INIT;
        cr_assert_eq(wf_migrate(&order, &report), WEFT_OK, "%s", weft_error_detail());
        check_sum(&report);
        cr_expect_eq(report.refused, 4500);
        cr_expect_eq(report.absent, 500);
        cr_expect_eq(report.refused_by[WEFT_REFUSED_NO_NODE], 4500);
        cr_expect_eq(report.reason, weft_refusal_text(WEFT_REFUSED_NO_NODE));
    }
    wf_area_release(&area);
}

Test(migration, the_graver_reason_stays) {
    weft_migration sum = WF_MIGRATION_INIT, fine = WF_MIGRATION_INIT, refused = WF_MIGRATION_INIT;
    static char page[1];
    own_node();
    const struct wf_migration_order order = {.start = page, .bytes = 1, .unit = SIZE_MAX, .step = 1, .target = -1, .home = -1};
    page[0] = 1;
    cr_assert_eq(wf_migrate(&order, &refused), WEFT_OK);
    wf_migration_add(&sum, &refused);
    wf_migration_add(&sum, &fine);
    cr_expect_eq(sum.refused, 1);
    cr_expect_str_eq(sum.reason, refused.reason);
}

Test(migration, unusable_arguments_are_errors) {
    char here = 1;
    weft_migration report = {.pages = 99};
    unsigned node = own_node();
    cr_expect_eq(weft_memory_migrate(NULL, 1, node, &report), WEFT_EINVAL);
    cr_expect_eq(weft_memory_migrate(&here, 0, node, &report), WEFT_EINVAL);
    cr_expect_eq(weft_memory_migrate(&here, SIZE_MAX, node, &report), WEFT_EINVAL);
    cr_expect_eq(weft_memory_migrate(&here, SIZE_MAX - (uintptr_t)&here, node, &report), WEFT_EINVAL);
    const unsigned nodes[] = {100000, INT_MAX, UINT_MAX};
    for (size_t i = 0; i < 3; i++) {
        cr_expect_eq(weft_memory_migrate(&here, 1, nodes[i], &report), WEFT_EINVAL);
        cr_expect(strstr(weft_error_detail(), "nodes with memory are"), "%s", weft_error_detail());
        cr_expect_null(strchr(weft_error_detail(), '?'), "%s", weft_error_detail());
    }
    cr_expect_eq(report.pages, 99, "written on success only");
}

static weft_array *make(weft_pool *pool, weft_array_options options, size_t n) {
    weft_array *array = NULL;
    options.size = sizeof options;
    cr_assert_eq(weft_array_create(&array, pool, n, 8, &options), WEFT_OK, "%s", weft_error_detail());
    return array;
}

Test(migration, arrays_of_every_place_are_where_they_belong_afterwards) {
    weft_pool *pool = NULL;
    own_node();
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK);
    for (int place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++)
        for (int pages = WEFT_PAGES_BASE; pages <= WEFT_PAGES_THP; pages++) {
            size_t n = 1500000;
            weft_array *array = make(pool, (weft_array_options){.place = (weft_place)place, .pages = (weft_pages)pages}, n);
            double *data = weft_array_data(array);
            data[n - 1] = 5;
            weft_migration report;
            weft_placement placement;
            cr_assert_eq(weft_array_migrate(array, &report), WEFT_OK, "%s", weft_error_detail());
            check_sum(&report);
            cr_assert_eq(weft_array_placement(array, &placement, NULL, 0), WEFT_OK);
            cr_expect_eq(report.pages, placement.pages);
            cr_expect_eq(placement.pages_expected, report.moved + report.there_already);
            cr_expect_eq(placement.pages_absent, report.absent);
            cr_expect_eq(data[n - 1], 5);
            cr_expect_eq(weft_array_migrate(array, NULL), WEFT_OK);
            weft_array_destroy(array);
        }
    weft_pool_destroy(pool);
}

Test(migration, untouched_arrays_stay_untouched) {
    weft_pool *pool = NULL;
    own_node();
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK);
    weft_array *array = make(pool, (weft_array_options){.untouched = true, .pages = WEFT_PAGES_BASE}, 100000);
    weft_migration report;
    cr_assert_eq(weft_array_migrate(array, &report), WEFT_OK);
    cr_expect_eq(report.absent, report.pages);
    cr_expect_gt(report.pages, 0);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(migration, arrays_that_cannot_be_migrated_are_errors) {
    weft_pool *foreign = NULL, *closed = NULL;
    weft_migration report = {.pages = 99};
    cr_expect_eq(weft_array_migrate(NULL, &report), WEFT_EINVAL);
    cr_assert_eq(weft_pool_create(&foreign, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = TWO_NODES}), WEFT_OK);
    weft_array *array = make(foreign, (weft_array_options){.place = WEFT_PARTITIONED}, 1000);
    cr_expect_eq(weft_array_migrate(array, &report), WEFT_ENOTSUP);
    cr_expect(strstr(weft_error_detail(), "topology"), "%s", weft_error_detail());
    weft_array_destroy(array);
    weft_pool_destroy(foreign);
    cr_assert_eq(weft_pool_create(&closed, NULL), WEFT_OK);
    array = make(closed, (weft_array_options){.place = WEFT_PARTITIONED}, 1000);
    cr_assert_eq(weft_pool_close(closed), WEFT_OK);
    cr_expect_eq(weft_array_migrate(array, &report), WEFT_ECLOSED);
    cr_expect_eq(report.pages, 99, "written on success only");
    weft_array_destroy(array);
    weft_pool_destroy(closed);
}

/* From now on move_pages(2) fails with `error` in this process, as in a container. */
static void refuse_move_pages(int error) {
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_pages, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        cr_skip_test("no filter for system calls can be set here");
}

static void expect_refusal(int error, weft_status status) {
    weft_pool *pool = NULL;
    weft_migration report = {.pages = 99};
    char here = 1;
    refuse_move_pages(error);
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK);
    cr_expect_eq(weft_memory_migrate(&here, 1, 0, &report), status);
    cr_expect(strstr(weft_error_detail(), "move_pages"), "%s", weft_error_detail());
    for (int place = WEFT_PARTITIONED; place <= WEFT_REPLICATED; place++) {
        weft_array *array = make(pool, (weft_array_options){.place = (weft_place)place}, 1000000);
        memset(weft_array_data(array), 3, 8000000);
        cr_expect_eq(weft_array_migrate(array, &report), status, "place %d", place);
        cr_expect(strstr(weft_error_detail(), "move_pages"), "%s", weft_error_detail());
        cr_expect_eq(((char *)weft_array_data(array))[7999999], 3);
        weft_array_destroy(array);
    }
    cr_expect_eq(report.pages, 99, "written on success only");
    weft_pool_destroy(pool);
}

Test(migration, a_kernel_that_refuses_is_a_status) {
    expect_refusal(EPERM, WEFT_EPERM);
}

Test(migration, a_kernel_without_move_pages_is_a_status) {
    expect_refusal(ENOSYS, WEFT_ENOTSUP);
}
