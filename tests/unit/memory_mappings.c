/* Memory that is not weft's: what the kernel has there, populating it and asking for it, also after it has gone away. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/mappings.h"
#include "memory/pages.h"
#include "refuse.h"
#include "weft.h"

#define PAGES 100

static size_t page;

/* A file of PAGES pages; its name stays, so that its size can be asked. */
static int make_file(char *path) {
    page = wf_page_bytes();
    strcpy(path, "/tmp/weft-mappings-XXXXXX");
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    cr_assert_eq(ftruncate(file, (off_t)(PAGES * page)), 0);
    return file;
}

static char *map(int file, size_t bytes, int rights, int flags) {
    page = wf_page_bytes();
    void *start = mmap(NULL, bytes, rights, flags | (file < 0 ? MAP_ANONYMOUS : 0), file, 0);
    cr_assert_neq(start, MAP_FAILED, "%s", strerror(errno));
    return start;
}

static size_t present(const void *start, size_t bytes) {
    unsigned char pages[PAGES];
    size_t count = 0;
    cr_assert(bytes <= PAGES * page && !mincore((void *)start, bytes, pages));
    for (size_t i = 0; i < bytes / page; i++)
        count += pages[i] & 1;
    return count;
}

Test(mappings, what_a_mapping_is_of_is_known) {
    char path[64];
    int file = make_file(path);
    struct wf_mapping mapping;
    char *anonymous = map(-1, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *shared = map(-1, 4 * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    char *of_file = map(file, PAGES * page, PROT_READ, MAP_SHARED);
    cr_assert(wf_mapping_find((uintptr_t)anonymous + 5, &mapping));
    cr_expect(mapping.writable && !mapping.file && !mapping.device);
    cr_assert(wf_mapping_find((uintptr_t)shared, &mapping));
    cr_expect(mapping.writable && !mapping.file && !mapping.device && mapping.ends == mapping.last);
    cr_assert(wf_mapping_find((uintptr_t)of_file, &mapping));
    cr_expect(!mapping.writable && mapping.file && !mapping.device && mapping.ends == mapping.last);
    cr_expect_eq(mapping.first, (uintptr_t)of_file);
    cr_assert_eq(ftruncate(file, (off_t)(10 * page + 1)), 0);
    cr_assert(wf_mapping_find((uintptr_t)of_file, &mapping));
    cr_expect_eq(mapping.ends, (uintptr_t)of_file + 11 * page, "the last page is cut, and there");
    munmap(of_file, PAGES * page);
    cr_expect_not(wf_mapping_find((uintptr_t)of_file, &mapping));
    unlink(path);
}

Test(mappings, gaps_and_ends_of_files_are_errors_with_a_text) {
    char path[64];
    int file = make_file(path);
    char *start = map(-1, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    cr_expect_eq(wf_mappings_check(start, PAGES * page), WEFT_OK);
    mprotect(start + 10 * page, page, PROT_NONE); /* three mappings, without a gap */
    cr_expect_eq(wf_mappings_check(start + 3, PAGES * page - 3), WEFT_OK);
    munmap(start + 20 * page, page);
    cr_expect_eq(wf_mappings_check(start, 20 * page), WEFT_OK);
    cr_expect_eq(wf_mappings_check(start, 20 * page + 1), WEFT_ENOMEM);
    cr_expect(strstr(weft_error_detail(), "is not mapped"), "%s", weft_error_detail());
    cr_expect_eq(wf_mappings_check(start + 20 * page, 1), WEFT_ENOMEM);
    char *of_file = map(file, PAGES * page, PROT_READ, MAP_PRIVATE);
    cr_expect_eq(wf_mappings_check(of_file, PAGES * page), WEFT_OK);
    cr_assert_eq(ftruncate(file, (off_t)(10 * page)), 0);
    cr_expect_eq(wf_mappings_check(of_file, 10 * page), WEFT_OK);
    cr_expect_eq(wf_mappings_check(of_file, 10 * page + 1), WEFT_ENOMEM);
    cr_expect(strstr(weft_error_detail(), "SIGBUS"), "%s", weft_error_detail());
    cr_expect_eq(wf_mappings_check(of_file + 11 * page, page), WEFT_ENOMEM);
    unlink(path);
}

/* Everything that populating may meet; with and without the kernel's help. */
static void populate_all(void) {
    char path[64];
    int file = make_file(path);
    char *memory = map(-1, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE);
    memory[17 * page] = 3;
    cr_expect_eq(wf_foreign_populate(memory + 5, PAGES * page - 5, WF_AS_MAPPED), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(present(memory, PAGES * page), PAGES);
    cr_expect_eq(memory[17 * page], 3);
    cr_expect_eq(wf_foreign_populate(memory, SIZE_MAX, WF_AS_MAPPED), WEFT_EINVAL);
    mprotect(memory, page, PROT_READ);
    cr_expect_eq(wf_foreign_populate(memory, page, WF_AS_MAPPED), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(wf_foreign_populate(memory, page, WF_WRITE), WEFT_ENOMEM);
    mprotect(memory, page, PROT_NONE);
    cr_expect_eq(wf_foreign_populate(memory, page, WF_AS_MAPPED), WEFT_ENOMEM);
    munmap(memory + 3 * page, page);
    cr_expect_eq(wf_foreign_populate(memory + page, 5 * page, WF_AS_MAPPED), WEFT_ENOMEM);
    cr_expect(strstr(weft_error_detail(), "not mapped"), "%s", weft_error_detail());
    for (int rights = PROT_READ; rights <= (PROT_READ | PROT_WRITE); rights += PROT_WRITE) {
        char *of_file = map(file, PAGES * page, rights, rights & PROT_WRITE ? MAP_PRIVATE : MAP_SHARED);
        cr_expect_eq(wf_foreign_populate(of_file, PAGES * page, WF_AS_MAPPED), WEFT_OK, "%s", weft_error_detail());
        cr_expect_eq(present(of_file, PAGES * page), PAGES);
        cr_assert_eq(ftruncate(file, (off_t)(50 * page)), 0);
        cr_expect_eq(wf_foreign_populate(of_file, PAGES * page, WF_AS_MAPPED), WEFT_ENOMEM);
        cr_expect_eq(wf_foreign_populate(of_file, PAGES * page, WF_WRITE), WEFT_ENOMEM);
        cr_expect_eq(wf_foreign_populate(of_file, 50 * page, WF_AS_MAPPED), WEFT_OK);
        cr_assert_eq(ftruncate(file, (off_t)(PAGES * page)), 0);
        munmap(of_file, PAGES * page);
    }
    unlink(path);
}

Test(mappings, populating_is_a_status_and_never_a_signal) {
    populate_all();
}

Test(mappings, populating_is_as_safe_where_the_kernel_does_not_help) {
    if (!refuse_calls((const int[]){SYS_madvise}, 1, EINVAL))
        cr_skip_test("no filter for system calls can be set here");
    populate_all();
}

/* A mapping of the kernel's own that every process has, with pages like a device's. */
Test(mappings, what_is_no_memory_is_left_alone) {
    char line[256];
    unsigned long first = 0, last = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "[vvar]") && sscanf(line, "%lx-%lx", &first, &last) == 2)
            break;
    if (!first)
        cr_skip_test("no such mapping");
    struct wf_mapping mapping;
    weft_placement placement;
    cr_assert(wf_mapping_find(first, &mapping));
    cr_expect(mapping.device);
    cr_expect_eq(wf_foreign_populate((void *)first, last - first, WF_WRITE), WEFT_ENOMEM);
    weft_status status = weft_memory_query((void *)first, last - first, WEFT_QUERY_EXACT, &placement, NULL, 0);
    if (status == WEFT_OK)
        cr_expect_eq(placement.pages_absent, placement.pages);
}

Test(mappings, a_file_that_became_shorter_is_asked_for_and_touched_without_a_signal) {
    char path[64];
    int file = make_file(path);
    weft_pool *pool = NULL;
    weft_placement placement;
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK);
    char *start = map(file, PAGES * page, PROT_READ | PROT_WRITE, MAP_SHARED);
    memset(start, 1, PAGES * page);
    cr_assert_eq(ftruncate(file, (off_t)(10 * page)), 0);
    cr_expect_eq(weft_touch(pool, start, PAGES * page, 8), WEFT_ENOMEM);
    cr_expect(strstr(weft_error_detail(), "ends before"), "%s", weft_error_detail());
    cr_expect_eq(weft_touch(pool, start, 10 * page, 8), WEFT_OK);
    weft_status status = weft_memory_placement(start, PAGES * page, &placement, NULL, 0);
    if (status == WEFT_OK)
        cr_expect_eq(placement.pages_absent, 90);
    weft_migration report;
    status = weft_memory_migrate(start, PAGES * page, 0, &report);
    if (status == WEFT_OK)
        cr_expect_eq(report.absent, 90);
    weft_pool_destroy(pool);
    unlink(path);
}

Test(mappings, exact_queries_ask_for_every_page) {
    weft_placement placement;
    struct wf_area area;
    page = wf_page_bytes();
    size_t count = 70000, per_node[64] = {0}, seen = 0;
    cr_assert_eq(wf_area_reserve(&area, count * page, WEFT_PAGES_BASE), WEFT_OK);
    ((char *)area.start)[12345 * page] = 1;
    weft_status status = weft_memory_query(area.start, area.bytes, WEFT_QUERY_EXACT, &placement, per_node, 64);
    if (status == WEFT_EPERM || status == WEFT_ENOTSUP)
        cr_skip_test("the kernel does not say where pages are");
    cr_assert_eq(status, WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(placement.pages_asked, count);
    cr_expect_eq(placement.pages_absent, count - 1);
    cr_expect_str_empty(placement.reason);
    for (size_t i = 0; i < 64; i++)
        seen += per_node[i];
    cr_expect_eq(seen, 1);
    cr_assert_eq(weft_memory_query(area.start, area.bytes, WEFT_QUERY_SAMPLED, &placement, NULL, 0), WEFT_OK);
    cr_expect_lt(placement.pages_asked, count);
    cr_expect_eq(weft_memory_query(area.start, area.bytes, (weft_query)2, &placement, NULL, 0), WEFT_EINVAL);
    cr_expect(strstr(weft_error_detail(), "WEFT_QUERY_EXACT"), "%s", weft_error_detail());
    wf_area_release(&area);
}
