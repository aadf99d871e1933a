/* Node pools by the public calls: sizes, alignment, reuse, threads, errors. Races: stress/alloc.c. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "on_pool.h"

static weft_pool *two_nodes(void) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"});
}

Test(alloc, classes_hold_what_they_are_for) {
    size_t last = 0;
    for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++) {
        size_t bytes = weft_class_bytes(k);
        cr_assert_gt(bytes, last);
        cr_assert_eq(weft_size_class(bytes), k, "%zu", bytes);
        cr_assert_eq(weft_size_class(last + 1), k);
        last = bytes;
    }
    cr_assert_eq(last, WEFT_CLASS_BYTES_MAX);
}

/* Many objects of a size at once, each with its own content. */
static void use_size(weft_pool *pool, size_t bytes, unsigned count) {
    unsigned char **objects = calloc(count, sizeof *objects);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_not_null(objects[i] = weft_local_alloc(pool, bytes), "%s", weft_error_detail());
        cr_assert_eq((uintptr_t)objects[i] % 16, 0);
        cr_assert_geq(weft_usable_bytes(objects[i]), bytes);
        memset(objects[i], (int)i, bytes);
    }
    for (unsigned i = 0; i < count; i++)
        for (size_t b = 0; b<bytes; b += bytes> 100 ? bytes / 100 : 1)
            cr_assert_eq(objects[i][b], (unsigned char)i);
    for (unsigned i = 0; i < count; i += 2)
        weft_free(objects[i]);
    for (unsigned i = 0; i < count; i += 2)
        cr_assert_not_null(objects[i] = memset(weft_local_alloc(pool, bytes), 255, bytes));
    for (unsigned i = 1; i < count; i += 2)
        cr_assert_eq(objects[i][bytes - 1], (unsigned char)i);
    for (unsigned i = 0; i < count; i++)
        weft_free(objects[i]);
    free(objects);
}

static void use_all_sizes(void *arg) {
    for (size_t bytes = 1; bytes <= 4 << 20; bytes += bytes / 3 + 1)
        use_size(arg, bytes, bytes < 4096 ? 1000 : bytes < 1 << 17 ? 40 : 5);
}

Test(alloc, all_sizes_from_a_worker_and_from_outside) {
    weft_pool *pool = pool_with(NULL);
    run(pool, use_all_sizes, pool);
    use_all_sizes(pool);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

Test(alloc, no_bytes_are_an_object_and_null_is_freed) {
    weft_pool *pool = pool_with(NULL);
    void *a = weft_local_alloc(pool, 0), *b = weft_node_alloc(pool, 0, 0), *c = weft_node_calloc(pool, 0, 0, 8);
    cr_assert(a && b && c && a != b && b != c && a != c);
    weft_free(a), weft_free(b), weft_free(c), weft_free(NULL);
    cr_assert_eq(weft_usable_bytes(NULL), 0);
    weft_pool_destroy(pool);
}

Test(alloc, the_last_freed_is_the_next) {
    weft_pool *pool = pool_with(NULL);
    void *a = weft_local_alloc(pool, 100);
    weft_free(a);
    cr_assert_eq(weft_local_alloc(pool, 100), a);
    weft_free(a);
    weft_pool_destroy(pool);
}

Test(alloc, larger_than_an_area) {
    weft_pool *pool = pool_with(NULL);
    size_t sizes[] = {(size_t)61 << 20, (size_t)63 << 20, (size_t)64 << 20, (size_t)200 << 20};
    for (unsigned i = 0; i < 4; i++) {
        char *object = weft_local_alloc(pool, sizes[i]);
        cr_assert_not_null(object, "%s", weft_error_detail());
        cr_assert_geq(weft_usable_bytes(object), sizes[i]);
        object[0] = object[sizes[i] - 1] = 1;
        char *more = weft_realloc(object, sizes[i] + (1 << 20));
        cr_assert_not_null(more);
        cr_assert(more[0] == 1 && more[sizes[i] - 1] == 1);
        weft_free(more);
    }
    weft_pool_destroy(pool);
}

Test(alloc, alignments) {
    weft_pool *pool = pool_with(NULL);
    for (size_t align = 1; align <= 16 << 20; align *= 2)
        for (size_t bytes = 1; bytes <= 3 << 20; bytes = bytes * 5 + 3) {
            void *objects[3];
            for (int i = 0; i < 3; i++) {
                cr_assert_not_null(objects[i] = weft_node_aligned_alloc(pool, 0, align, bytes), "%s", weft_error_detail());
                cr_assert_eq((uintptr_t)objects[i] % align, 0);
                cr_assert_geq(weft_usable_bytes(objects[i]), bytes);
                memset(objects[i], i, bytes);
            }
            for (int i = 0; i < 3; i++)
                weft_free(objects[i]);
        }
    cr_assert_null(weft_node_aligned_alloc(pool, 0, 48, 100));
    cr_assert(strstr(weft_error_detail(), "power of two"));
    cr_assert_null(weft_node_aligned_alloc(pool, 0, 0, 100));
    cr_assert_null(weft_node_aligned_alloc(pool, 0, 32 << 20, 100));
    weft_pool_destroy(pool);
}

Test(alloc, calloc_is_zero_where_memory_was_used) {
    weft_pool *pool = pool_with(NULL);
    for (size_t bytes = 8; bytes <= 8 << 20; bytes *= 8)
        for (int round = 0; round < 3; round++) {
            unsigned char *object = weft_node_calloc(pool, 0, bytes / 8, 8);
            cr_assert_not_null(object);
            for (size_t i = 0; i < bytes; i++)
                cr_assert_eq(object[i], 0);
            memset(object, 1, bytes);
            weft_free(object);
        }
    cr_assert_null(weft_node_calloc(pool, 0, SIZE_MAX / 2, 3));
    weft_pool_destroy(pool);
}

Test(alloc, realloc_keeps_content_and_node) {
    weft_pool *pool = two_nodes();
    unsigned char *object = weft_node_alloc(pool, 1, 1);
    object[0] = 7;
    size_t filled = 1;
    for (size_t bytes = 2; bytes < 6 << 20; bytes += bytes / 2) {
        cr_assert_not_null(object = weft_realloc(object, bytes));
        for (size_t i = 0; i < filled; i++)
            cr_assert_eq(object[i], (unsigned char)(i * 31 + 7));
        for (; filled < bytes; filled++)
            object[filled] = (unsigned char)(filled * 31 + 7);
    }
    for (size_t bytes = filled; bytes; bytes /= 3) {
        cr_assert_not_null(object = weft_realloc(object, bytes));
        cr_assert_lt(weft_usable_bytes(object), 2 * bytes + (64 << 10));
        for (size_t i = 0; i < bytes; i++)
            cr_assert_eq(object[i], (unsigned char)(i * 31 + 7));
    }
    void *same = weft_realloc(object, 0);
    cr_assert_not_null(same);
    weft_free(same);
    cr_assert_null(weft_realloc(NULL, 5));
    weft_pool_destroy(pool);
}

Test(alloc, unusable_arguments_have_a_text) {
    weft_pool *pool = two_nodes();
    cr_assert_null(weft_node_alloc(pool, 2, 8));
    cr_assert(strstr(weft_error_detail(), "node 2"), "%s", weft_error_detail());
    cr_assert_null(weft_node_alloc(NULL, 0, 8));
    cr_assert_null(weft_local_alloc(NULL, 8));
    cr_assert_null(weft_local_alloc(pool, SIZE_MAX));
    cr_assert_null(weft_local_alloc(pool, (size_t)PTRDIFF_MAX + 1));
    cr_assert_null(weft_local_alloc(pool, PTRDIFF_MAX));
    void *object = weft_local_alloc(pool, 8);
    cr_assert_null(weft_realloc(object, SIZE_MAX));
    weft_free(object);
    weft_pool_destroy(pool);
}

Test(alloc, nodes_have_memory_of_their_own_and_take_back_what_is_theirs) {
    weft_pool *pool = two_nodes();
    enum { N = 1000 };
    void *first[N], *second[N];
    for (int i = 0; i < N; i++) {
        first[i] = weft_node_alloc(pool, 0, 64);
        second[i] = weft_node_alloc(pool, 1, 64);
        cr_assert((uintptr_t)first[i] >> 26 != (uintptr_t)second[i] >> 26);
    }
    for (int i = 0; i < N; i++)
        weft_free(first[i]), weft_free(second[i]);
    for (int i = 0; i < N; i++) {
        void *object = weft_node_alloc(pool, 1, 64);
        int found = 0;
        for (int j = 0; j < N && !found; j++)
            found = object == second[j];
        cr_assert(found, "what was freed comes before what is fresh");
    }
    weft_pool_destroy(pool);
}

/* Two pools in turn by one thread, one after the other destroyed. */
Test(alloc, threads_use_several_pools) {
    weft_pool *pools[3] = {pool_with(NULL), pool_with(NULL), two_nodes()};
    for (int round = 0; round < 3; round++) {
        void *objects[3][100];
        for (int i = 0; i < 100; i++)
            for (int p = round; p < 3; p++)
                cr_assert_not_null(memset(objects[p][i] = weft_local_alloc(pools[p], 200), p, 200));
        for (int p = round; p < 3; p++)
            for (int i = 0; i < 100; i++) {
                cr_assert_eq(((char *)objects[p][i])[199], p);
                weft_free(objects[p][i]);
            }
        cr_assert_eq(weft_pool_destroy(pools[round]), WEFT_OK);
    }
    weft_pool *again = pool_with(NULL);
    cr_assert_not_null(weft_local_alloc(again, 64));
    weft_pool_destroy(again);
}

static void *allocate_some(void *pool) {
    void **objects = weft_local_alloc(pool, 1000 * sizeof *objects);
    for (int i = 0; i < 1000; i++)
        memset(objects[i] = weft_local_alloc(pool, 48), 1, 48);
    return objects;
}

static void *free_some(void *arg) {
    void **objects = arg;
    for (int i = 0; i < 1000; i++)
        weft_free(objects[i]);
    weft_free(objects);
    return NULL;
}

static void *in_thread(void *(*fn)(void *), void *arg) {
    pthread_t thread;
    void *result;
    cr_assert_eq(pthread_create(&thread, NULL, fn, arg), 0);
    cr_assert_eq(pthread_join(thread, &result), 0);
    return result;
}

Test(alloc, what_a_thread_had_is_used_by_the_next) {
    weft_pool *pool = pool_with(NULL);
    uintptr_t lowest = UINTPTR_MAX, highest = 0;
    for (int round = 0; round < 200; round++) {
        void **objects = in_thread(allocate_some, pool);
        for (int i = 0; i < 1000; i++) {
            lowest = (uintptr_t)objects[i] < lowest ? (uintptr_t)objects[i] : lowest;
            highest = (uintptr_t)objects[i] > highest ? (uintptr_t)objects[i] : highest;
        }
        in_thread(free_some, objects);
    }
    cr_assert_lt(highest - lowest, 1 << 20);
    weft_pool_destroy(pool);
}
