/* Node pools: statistics, memory made present before it is needed, and given back. */
#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "on_pool.h"

#define MIB ((size_t)1 << 20)

static weft_pool *two_nodes(void) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"});
}

static weft_node_memory stats_of(weft_pool *pool, unsigned node) {
    weft_node_memory memory;
    cr_assert_eq(weft_node_stats(pool, node, &memory), WEFT_OK, "%s", weft_error_detail());
    return memory;
}

static weft_class_memory class_of(weft_pool *pool, unsigned node, size_t bytes) {
    weft_class_memory memory;
    cr_assert_eq(weft_node_class_stats(pool, node, weft_size_class(bytes), &memory), WEFT_OK, "%s", weft_error_detail());
    return memory;
}

Test(alloc_memory, nothing_was_allocated) {
    weft_pool *pool = two_nodes();
    weft_node_memory memory = stats_of(pool, 1);
    cr_assert(!memory.address_bytes && !memory.present_bytes && !memory.objects && !memory.peak_bytes);
    cr_assert_eq(class_of(pool, 0, 64).object_bytes, 64);
    cr_assert_eq(weft_node_trim(pool, 0, 0), WEFT_OK);
    weft_pool_destroy(pool);
}

Test(alloc_memory, objects_are_counted_where_they_are) {
    enum { N = 1000, BYTES = 700 };
    void *objects[N], *large;
    weft_pool *pool = two_nodes();
    for (int i = 0; i < N; i++)
        objects[i] = weft_node_alloc(pool, 1, BYTES);
    large = weft_node_alloc(pool, 1, 3 * MIB);
    size_t each = weft_usable_bytes(objects[0]), size_class = each;
    weft_node_memory memory = stats_of(pool, 1);
    cr_assert_eq(memory.objects, N + 1);
    cr_assert_eq(memory.large_objects, 1);
    cr_assert_geq(memory.large_bytes, 3 * MIB);
    cr_assert_geq(memory.object_bytes, N * each + 3 * MIB);
    cr_assert_geq(memory.used_bytes, memory.object_bytes);
    cr_assert_eq(stats_of(pool, 0).objects, 0);
    for (int i = 0; i < N; i++)
        weft_free(objects[i]);
    weft_free(large);
    weft_class_memory class = class_of(pool, 1, size_class);
    cr_assert_eq(class.objects, 0);
    cr_assert_gt(class.in_threads + class.in_depot + class.in_spans, 0);
    cr_assert(class.spans && class.span_bytes >= (class.in_threads + class.in_depot + class.in_spans) * each);
    memory = stats_of(pool, 1);
    cr_assert(!memory.objects && !memory.large_objects && !memory.object_bytes);
    cr_assert_geq(memory.peak_bytes, N * each + 3 * MIB);
    weft_pool_destroy(pool);
}

static void allocate_and_leave(void *arg) {
    void **objects = arg;
    for (int i = 0; i < 500; i++)
        objects[i] = weft_node_alloc(weft_current_pool(), 1, 64);
}

/* The test's own thread is at home on node 0: no CPU of this machine is in the topology. Hardened pools use the next class. */
Test(alloc_memory, what_another_node_frees_is_counted) {
    weft_pool *pool = two_nodes();
    void *objects[500];
    run(pool, allocate_and_leave, objects);
    cr_assert_eq(class_of(pool, 1, 64).objects + class_of(pool, 1, 80).objects, 500);
    for (int i = 0; i < 500; i++)
        weft_free(objects[i]);
    cr_assert_eq(stats_of(pool, 1).objects, 0);
    weft_class_memory class = class_of(pool, 1, 64), next = class_of(pool, 1, 80);
    cr_assert_eq(class.objects + next.objects, 0);
    size_t remote = class.remote + next.remote;
    cr_assert(remote >= 250 && remote <= 500, "%zu", remote);
    cr_assert_geq(class.exchanges + next.exchanges, remote / 100);
    weft_pool_destroy(pool);
}

static void *objects_of[1 << 14];

static void make_and_free(weft_pool *pool, size_t bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        objects_of[i] = weft_node_alloc(pool, WEFT_NODE_HOME, bytes);
    for (size_t i = 0; i < count; i++)
        weft_free(objects_of[i]);
}

/* Less than the depot of one size may keep. */
Test(alloc_memory, what_one_size_has_left_serves_the_next) {
    weft_pool *pool = pool_with(NULL);
    const size_t bytes = 384 << 10;
    for (size_t size = 48; size <= 1008; size += size) {
        make_and_free(pool, size, bytes / size);
        cr_assert_lt(stats_of(pool, 0).peak_bytes, 2 * bytes, "%zu KiB after objects of %zu bytes",
                     stats_of(pool, 0).peak_bytes >> 10, size);
    }
    weft_pool_destroy(pool);
}

static size_t bytes_in_threads(weft_pool *pool) {
    size_t bytes = 0;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++) {
        weft_class_memory memory;
        cr_assert_eq(weft_node_class_stats(pool, 0, k, &memory), WEFT_OK);
        bytes += memory.in_threads * memory.object_bytes;
    }
    return bytes;
}

Test(alloc_memory, a_thread_keeps_less_of_each_size_the_more_it_uses) {
    weft_pool *pool = pool_with(NULL);
    make_and_free(pool, 1000, 40);
    cr_assert_geq(bytes_in_threads(pool), 40 * 1000);
    for (int round = 0; round < 20; round++)
        for (unsigned k = 4; k < 28; k++)
            make_and_free(pool, weft_class_bytes(k), 100);
    cr_assert_lt(bytes_in_threads(pool), 24 * (16 << 10), "%zu", bytes_in_threads(pool));
    weft_pool_destroy(pool);
}

Test(alloc_memory, sizes_that_are_used_no_more_leave_the_thread) {
    weft_pool *pool = pool_with(NULL);
    make_and_free(pool, 1000, 40);
    cr_assert_gt(class_of(pool, 0, 1000).in_threads + class_of(pool, 0, 1024 + 16).in_threads, 0);
    for (int round = 0; round < 20; round++)
        make_and_free(pool, 48, 4096);
    cr_assert_eq(class_of(pool, 0, 1000).in_threads + class_of(pool, 0, 1024 + 16).in_threads, 0);
    weft_pool_destroy(pool);
}

/* Small and large objects, written to, all freed; the node pool has their pages still. */
static void fill(weft_pool *pool, size_t bytes) {
    size_t count = bytes / 512;
    char **objects = malloc(count * sizeof *objects);
    for (size_t i = 0; i < count; i++)
        memset(objects[i] = weft_node_alloc(pool, 0, 400), 1, 400);
    for (size_t i = 0; i < count; i++)
        weft_free(objects[i]);
    free(objects);
    char *large = weft_node_alloc(pool, 0, bytes);
    memset(large, 1, bytes);
    weft_free(large);
}

Test(alloc_memory, trim_gives_back_what_is_free) {
    weft_pool *pool = pool_with(NULL);
    char *stays = weft_node_alloc(pool, 0, 100);
    strcpy(stays, "still here");
    fill(pool, 8 * MIB);
    cr_assert_geq(stats_of(pool, 0).present_bytes, 8 * MIB);
    cr_assert_eq(weft_node_trim(pool, 0, 4 * MIB), WEFT_OK);
    size_t present = stats_of(pool, 0).present_bytes;
    cr_assert(present >= 4 * MIB && present < 7 * MIB, "%zu", present);
    cr_assert_eq(weft_node_trim(pool, WEFT_NODE_HOME, 0), WEFT_OK);
    cr_assert_lt(stats_of(pool, 0).present_bytes, 2 * MIB);
    cr_assert_eq(stats_of(pool, 0).kept_bytes, 0);
    cr_assert_str_eq(stays, "still here");
    char *zero = weft_node_calloc(pool, 0, 1, 8 * MIB);
    for (size_t i = 0; i < 8 * MIB; i++)
        cr_assert_eq(zero[i], 0);
    weft_free(zero);
    fill(pool, MIB);
    weft_free(stays);
    weft_pool_destroy(pool);
}

Test(alloc_memory, much_free_memory_goes_back_by_itself) {
    enum { N = 30 };
    weft_pool *pool = pool_with(NULL);
    char *objects[N];
    for (int i = 0; i < N; i++)
        memset(objects[i] = weft_node_alloc(pool, 0, 4 * MIB), 1, 4 * MIB);
    for (int i = 0; i < N; i++)
        weft_free(objects[i]);
    cr_assert_geq(stats_of(pool, 0).peak_bytes, N * 4 * MIB);
    cr_assert_lt(stats_of(pool, 0).present_bytes, 50 * MIB);
    cr_assert_eq(weft_node_trim(pool, 0, SIZE_MAX), WEFT_OK);
    for (int i = 0; i < N; i++)
        memset(objects[i] = weft_node_alloc(pool, 0, 4 * MIB), 1, 4 * MIB);
    for (int i = 0; i < N; i++)
        weft_free(objects[i]);
    cr_assert_geq(stats_of(pool, 0).present_bytes, N * 4 * MIB);
    weft_pool_destroy(pool);
}

static void reserve(weft_pool *pool, weft_pages pages) {
    const size_t bytes = 80 * MIB; /* more than an area has */
    cr_assert_eq(weft_node_reserve(pool, 0, bytes, pages), WEFT_OK, "%s", weft_error_detail());
    weft_node_memory memory = stats_of(pool, 0);
    cr_assert_geq(memory.present_bytes, bytes);
    cr_assert_geq(memory.kept_bytes, bytes);
    char *objects[8];
    for (int i = 0; i < 8; i++)
        memset(objects[i] = weft_node_alloc(pool, 0, 8 * MIB), 1, 8 * MIB);
    cr_assert_lt(stats_of(pool, 0).present_bytes, memory.present_bytes + 20 * MIB);
    for (int i = 0; i < 8; i++)
        weft_free(objects[i]);
    cr_assert_geq(stats_of(pool, 0).present_bytes, bytes);
}

Test(alloc_memory, reserved_memory_is_present_and_stays) {
    weft_pool *pool = pool_with(NULL);
    reserve(pool, WEFT_PAGES_BASE);
    reserve(pool, WEFT_PAGES_BASE);
    cr_assert_lt(stats_of(pool, 0).present_bytes, 130 * MIB);
    weft_pool_destroy(pool);
}

Test(alloc_memory, reserved_memory_of_every_kind_of_pages) {
    static const weft_pages kinds[] = {WEFT_PAGES_DEFAULT, WEFT_PAGES_THP, WEFT_PAGES_HUGE, WEFT_PAGES_2M, WEFT_PAGES_1G};
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        weft_pool *pool = pool_with(NULL);
        reserve(pool, kinds[i]);
        fill(pool, 4 * MIB);
        cr_assert_eq(weft_node_trim(pool, 0, 0), WEFT_OK);
        fill(pool, 4 * MIB);
        char *zero = weft_node_calloc(pool, 0, 1, 40 * MIB);
        for (size_t at = 0; at < 40 * MIB; at += 64)
            cr_assert_eq(zero[at], 0);
        weft_free(zero);
        weft_pool_destroy(pool);
    }
}

static void reserve_here(void *arg) {
    *(weft_status *)arg = weft_node_reserve(weft_current_pool(), 1, 4 * MIB, WEFT_PAGES_DEFAULT);
}

Test(alloc_memory, a_worker_reserves_on_another_node) {
    weft_pool *pool = two_nodes();
    weft_status status = WEFT_EINVAL;
    run(pool, reserve_here, &status);
    cr_assert_eq(status, WEFT_OK, "%s", weft_error_detail());
    cr_assert_geq(stats_of(pool, 1).present_bytes, 4 * MIB);
    cr_assert_eq(stats_of(pool, 0).present_bytes, 0);
    weft_pool_destroy(pool);
}

Test(alloc_memory, unusable_arguments_have_a_text) {
    weft_pool *pool = two_nodes();
    weft_node_memory memory = {.objects = 77};
    weft_class_memory class = {.objects = 77};
    cr_assert_eq(weft_node_stats(NULL, 0, &memory), WEFT_EINVAL);
    cr_assert_eq(weft_node_stats(pool, 2, &memory), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "node 2"));
    cr_assert_eq(weft_node_stats(pool, 0, NULL), WEFT_EINVAL);
    cr_assert_eq(weft_node_class_stats(pool, 0, WEFT_SIZE_CLASSES, &class), WEFT_EINVAL);
    cr_assert_eq(weft_node_class_stats(pool, 0, 0, NULL), WEFT_EINVAL);
    cr_assert(memory.objects == 77 && class.objects == 77);
    cr_assert_eq(weft_node_trim(pool, 9, 0), WEFT_EINVAL);
    cr_assert_eq(weft_node_trim(NULL, 0, 0), WEFT_EINVAL);
    cr_assert_eq(weft_node_reserve(NULL, 0, 1, WEFT_PAGES_DEFAULT), WEFT_EINVAL);
    cr_assert_eq(weft_node_reserve(pool, 2, 1, WEFT_PAGES_DEFAULT), WEFT_EINVAL);
    cr_assert_eq(weft_node_reserve(pool, 0, 0, WEFT_PAGES_DEFAULT), WEFT_EINVAL);
    cr_assert_eq(weft_node_reserve(pool, 0, SIZE_MAX, WEFT_PAGES_DEFAULT), WEFT_EINVAL);
    cr_assert_eq(weft_node_reserve(pool, 0, 1, (weft_pages)17), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "17"));
    weft_pool_destroy(pool);
}
