/* array/adopt, shares, extents: loops over memory that weft did not allocate, in the order of its nodes; memory that goes away. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "array/adopt.h"
#include "base/rng.h"
#include "memory/placement.h"
#include "on_pool.h"

#define ITEM 24

static weft_pool *made_up_nodes(void) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"});
}

static weft_array *adopt(weft_pool *pool, const void *start, size_t n, size_t item_bytes) {
    weft_array *array = NULL;
    cr_assert_eq(weft_array_adopt(&array, pool, start, n, item_bytes, NULL), WEFT_OK, "%s", weft_error_detail());
    return array;
}

static void count_runs(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        atomic_fetch_add((_Atomic(unsigned) *)arg + i, 1);
}

/* A file of some pages, mapped. */
static char *map_file(size_t pages, int protection, int *file) {
    char name[] = "/tmp/weft-adopt-XXXXXX";
    cr_assert_geq(*file = mkstemp(name), 0);
    unlink(name);
    cr_assert_eq(ftruncate(*file, (off_t)(pages * wf_page_bytes())), 0);
    char *start = mmap(NULL, pages * wf_page_bytes(), protection, MAP_SHARED, *file, 0);
    cr_assert_neq(start, MAP_FAILED);
    return start;
}

Test(adopt, loops_run_every_item_once_wherever_it_begins) {
    weft_pool *pools[] = {pool_with(NULL), made_up_nodes()};
    for (unsigned p = 0; p < 2; p++) {
        size_t n = 100001;
        char *memory = calloc(n + 1, ITEM);
        weft_array *array = adopt(pools[p], memory + 7, n, ITEM);
        cr_expect_eq(weft_array_data(array), (void *)(memory + 7));
        cr_expect_eq(weft_array_count(array), n);
        _Atomic(unsigned) *runs = calloc(n, sizeof *runs);
        weft_loop_report report;
        for (size_t align = 1; align <= 48; align += 47) {
            weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .align = align, .report = &report};
            cr_assert_eq(weft_for_array(array, count_runs, (void *)runs, &options), WEFT_OK, "%s", weft_error_detail());
            cr_expect_eq(report.iterations, n);
        }
        for (size_t i = 0; i < n; i++)
            cr_assert_eq(runs[i], 2, "item %zu ran %u times", i, runs[i]);
        memory[8] = 1;
        weft_array_destroy(array);
        cr_expect_eq(memory[8], 1, "it is still there");
        free((void *)runs);
        free(memory);
        weft_pool_destroy(pools[p]);
    }
}

/* Extents over n items on random nodes; node 2 has no workers, WF_NODE_ABSENT is nowhere. */
static struct wf_extents random_extents(size_t n, uint64_t seed) {
    struct wf_extents extents = {.item_bytes = 1, .list = calloc(n, sizeof *extents.list)};
    for (size_t first = 0; first < n; first += 1 + wf_rng_next(&seed) % 97)
        extents.list[extents.count++] = (struct wf_extent){first, (int)(wf_rng_next(&seed) % 4) - 1};
    return extents;
}

struct seen {
    size_t n, align, worker;
    unsigned *runs, *by;
};

static void see(void *arg, weft_range range) {
    struct seen *seen = arg;
    cr_assert_eq(range.first % seen->align, 0, "a piece begins with item %zu", range.first);
    for (size_t i = range.first; i < range.last; i++) {
        seen->runs[i]++;
        seen->by[i] = (unsigned)seen->worker;
    }
}

static void check_shares(weft_array *array, size_t align, uint64_t seed) {
    struct wf_extents extents = random_extents(array->n, seed);
    struct wf_shares *shares = wf_shares_make(array, &extents, align);
    cr_assert(shares, "%s", weft_error_detail());
    struct seen seen = {array->n, align, 0, calloc(array->n, sizeof(unsigned)), calloc(array->n, sizeof(unsigned))};
    struct wf_shared_body body = {shares, see, &seen};
    size_t on[2] = {0}, of[4] = {0};
    for (; seen.worker < array->worker_count; seen.worker++)
        if (shares->bounds[seen.worker] < shares->bounds[seen.worker + 1])
            wf_shares_run(&body, (weft_range){shares->bounds[seen.worker], shares->bounds[seen.worker + 1]});
    for (size_t i = 0; i < array->n; i++) {
        int node = extents.list[wf_extents_find(&extents, i)].node;
        cr_assert_eq(seen.runs[i], 1, "item %zu ran %u times, seed %lu", i, seen.runs[i], (unsigned long)seed);
        if (align == 1 && (node == 0 || node == 1)) {
            cr_assert_eq(seen.by[i] / 2, (unsigned)node, "item %zu of node %d is worker %u's", i, node, seen.by[i]);
            on[node]++;
            of[seen.by[i]]++;
        }
    }
    if (align == 1)
        for (unsigned worker = 0; worker < 4; worker++)
            cr_assert_leq(of[worker], on[worker / 2] / 2 + 1, "worker %u has %zu of %zu", worker, of[worker], on[worker / 2]);
    free(seen.runs);
    free(seen.by);
    wf_shares_free(shares);
    wf_extents_release(&extents);
}

Test(adopt, every_item_is_dealt_to_a_worker_of_its_node) {
    weft_pool *pool = made_up_nodes();
    static char memory[20011];
    weft_array *array = adopt(pool, memory, sizeof memory, 1);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        check_shares(array, 1, seed);
        check_shares(array, 64, seed);
    }
    check_shares(array, 30000, 1);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}

Test(adopt, extents_join_pages_of_one_node) {
    struct wf_extents extents = {.item_bytes = 3 * wf_page_bytes(), .head = 8};
    const int nodes[] = {0, 0, 1, 1, 0, 0, 0, 1};
    for (size_t page = 0; page < 8; page++)
        wf_extents_add(&extents, page, nodes[page]);
    /* items begin on pages 0, 3 and 6, on nodes 0, 1 and 0 */
    cr_assert_eq(extents.count, 4);
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(extents.list[wf_extents_find(&extents, i)].node, (int)i % 2, "item %zu", i);
    wf_extents_release(&extents);
}

Test(adopt, a_file_that_becomes_shorter_is_a_status_and_no_signal) {
    int file;
    size_t page = wf_page_bytes();
    char *start = map_file(64, PROT_READ | PROT_WRITE, &file);
    weft_pool *pool = pool_with(NULL);
    weft_array *array = adopt(pool, start, 64 * page, 1);
    cr_expect_eq(weft_array_touch(array), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(weft_array_refresh(array), WEFT_OK);
    cr_assert_eq(ftruncate(file, (off_t)(20 * page)), 0);
    weft_placement placement;
    cr_expect_eq(weft_array_refresh(array), WEFT_ENOMEM);
    cr_expect(strstr(weft_error_detail(), "file"), "%s", weft_error_detail());
    cr_expect_eq(weft_array_migrate(array, NULL), WEFT_ENOMEM);
    cr_expect_eq(weft_array_touch(array), WEFT_ENOMEM);
    cr_expect_eq(weft_array_placement(array, &placement, NULL, 0), WEFT_OK);
    cr_expect(strstr(placement.reason, "shorter"), "%s", placement.reason);
    cr_expect_eq(placement.pages_absent, 44);
    weft_array *late = NULL;
    cr_expect_eq(weft_array_adopt(&late, pool, start, 64 * page, 1, NULL), WEFT_ENOMEM);
    cr_expect_null(late);
    weft_array_destroy(array);
    munmap(start, 64 * page);
    close(file);
    weft_pool_destroy(pool);
}

Test(adopt, memory_that_is_gone_is_a_status) {
    size_t bytes = 16 * wf_page_bytes();
    char *start = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(start, MAP_FAILED);
    weft_pool *pool = pool_with(NULL);
    weft_array *array = adopt(pool, start, bytes, 1);
    cr_expect_eq(weft_array_touch(array), WEFT_ENOMEM, "PROT_NONE cannot be made present");
    munmap(start, bytes);
    cr_expect_eq(weft_array_refresh(array), WEFT_ENOMEM);
    cr_expect_eq(weft_array_migrate(array, NULL), WEFT_ENOMEM);
    cr_expect_eq(weft_array_touch(array), WEFT_ENOMEM);
    weft_array_destroy(array);
    cr_expect_eq(weft_array_adopt(&array, pool, start, bytes, 1, NULL), WEFT_ENOMEM);
    weft_pool_destroy(pool);
}

Test(adopt, read_only_files_can_be_run_over_and_touched) {
    int file;
    size_t page = wf_page_bytes();
    char *start = map_file(32, PROT_READ, &file);
    weft_pool *pool = pool_with(NULL);
    weft_array *array = adopt(pool, start + 1, 32 * page - 1, 1);
    weft_placement placement;
    cr_expect_eq(weft_array_touch(array), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(weft_array_query(array, (weft_range){0, 32 * page - 1}, WEFT_QUERY_EXACT, &placement, NULL, 0), WEFT_OK);
    cr_expect_eq(placement.pages, 32);
    cr_expect_eq(placement.pages_absent, 0);
    cr_expect_eq(weft_array_query(array, (weft_range){page, page + 1}, WEFT_QUERY_EXACT, &placement, NULL, 0), WEFT_OK);
    cr_expect_eq(placement.pages, 1);
    weft_migration report;
    cr_expect_eq(weft_array_migrate(array, &report), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(report.pages, 32);
    weft_array_destroy(array);
    munmap(start, 32 * page);
    close(file);
    weft_pool_destroy(pool);
}

struct told {
    size_t calls, done, pages, stop_at;
};

static bool tell(void *arg, size_t done, size_t pages) {
    struct told *told = arg;
    cr_assert_geq(done, told->done);
    told->calls++;
    told->done = done;
    told->pages = pages;
    return !told->stop_at || done < told->stop_at;
}

Test(adopt, progress_is_told_and_may_stop_a_repair) {
    size_t bytes = 40000 * wf_page_bytes();
    char *start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    weft_pool *pool = pool_with(NULL);
    weft_array *array = adopt(pool, start, bytes, 1);
    cr_assert_eq(weft_array_touch(array), WEFT_OK);
    struct told told = {0};
    weft_migrate_options options = {WEFT_MIGRATE_OPTIONS_INIT, .progress = tell, .arg = &told};
    weft_migration report = {.pages = 7};
    cr_assert_eq(weft_array_migrate_with(array, &options, &report), WEFT_OK, "%s", weft_error_detail());
    cr_expect_eq(report.pages, 40000);
    cr_expect_eq(told.done, told.pages);
    cr_expect_eq(told.pages, 40000);
    cr_expect_gt(told.calls, 1);
    told = (struct told){.stop_at = 1};
    report.pages = 7;
    cr_expect_eq(weft_array_migrate_with(array, &options, &report), WEFT_ECANCELED);
    cr_expect_lt(told.done, 40000);
    cr_expect_eq(report.pages, 7, "not written");
    weft_array_destroy(array);
    munmap(start, bytes);
    weft_pool_destroy(pool);
}

Test(adopt, unusable_arguments_are_errors) {
    static char memory[4096];
    weft_pool *pool = pool_with(NULL);
    weft_array *array = NULL, *own = NULL;
    cr_expect_eq(weft_array_adopt(NULL, pool, memory, 1, 1, NULL), WEFT_EINVAL);
    cr_expect_eq(weft_array_adopt(&array, NULL, memory, 1, 1, NULL), WEFT_EINVAL);
    cr_expect_eq(weft_array_adopt(&array, pool, NULL, 1, 1, NULL), WEFT_EINVAL);
    cr_expect_eq(weft_array_adopt(&array, pool, memory, 0, 1, NULL), WEFT_EINVAL);
    cr_expect_eq(weft_array_adopt(&array, pool, memory, SIZE_MAX, 8, NULL), WEFT_EINVAL);
    cr_expect_eq(weft_array_adopt(&array, pool, memory, PTRDIFF_MAX, 1, NULL), WEFT_ENOMEM);
    const weft_array_options refused[] = {
        {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED}, {WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_THP},
        {WEFT_ARRAY_OPTIONS_INIT, .strict = true},           {WEFT_ARRAY_OPTIONS_INIT, .untouched = true},
        {WEFT_ARRAY_OPTIONS_INIT, .locked = true},           {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = 99}};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        cr_expect_eq(weft_array_adopt(&array, pool, memory, sizeof memory, 1, &refused[i]), WEFT_EINVAL, "options %zu", i);
    cr_expect_null(array);
    array = adopt(pool, memory, sizeof memory, 1);
    cr_expect_eq(weft_array_resize(array, 8192), WEFT_EINVAL);
    cr_expect_eq(weft_array_replicate(array, memory), WEFT_EINVAL);
    cr_expect_eq(weft_array_swap(array, memory), WEFT_EINVAL);
    cr_expect_eq(weft_array_refresh(NULL), WEFT_EINVAL);
    cr_assert_eq(weft_array_create(&own, pool, 10, 1, NULL), WEFT_OK);
    cr_expect_eq(weft_array_refresh(own), WEFT_EINVAL);
    weft_placement placement;
    cr_expect_eq(weft_array_query(own, (weft_range){3, 3}, WEFT_QUERY_EXACT, &placement, NULL, 0), WEFT_EINVAL);
    cr_expect_eq(weft_array_query(own, (weft_range){0, 11}, WEFT_QUERY_EXACT, &placement, NULL, 0), WEFT_EINVAL);
    weft_array_destroy(own);
    weft_array_destroy(array);
    weft_pool_destroy(pool);
}
