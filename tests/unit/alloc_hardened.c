/* Hardened pools: each misuse ends the process with a line that says what it was. Each case runs in a process of its own. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/poison.h"
#include "on_pool.h"

static weft_pool *hardened(void) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:1 pu:1", .hardened = true});
}

struct ended {
    char text[4096];
    int status;
};

/* What fn says on stderr in a process of its own, and how that ends. */
static struct ended in_process(void (*fn)(weft_pool *pool)) {
    struct ended ended = {0};
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        fn(hardened());
        _exit(0);
    }
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], ended.text + length, sizeof ended.text - 1 - length)) > 0;)
        length += (size_t)got;
    close(ends[0]);
    cr_assert_eq(waitpid(child, &ended.status, 0), child);
    return ended;
}

static void stops(void (*fn)(weft_pool *pool), const char *says) {
    struct ended ended = in_process(fn);
    cr_assert(WIFSIGNALED(ended.status) && WTERMSIG(ended.status) == SIGABRT, "status %d: %s", ended.status, ended.text);
    cr_assert_eq(strncmp(ended.text, "weft: weft_", 11), 0, "%s", ended.text);
    cr_assert(strstr(ended.text, says), "%s", ended.text);
    cr_assert_eq(strchr(ended.text, '\n'), ended.text + strlen(ended.text) - 1, "one line: %s", ended.text);
}

static void *hidden(void *object) { /* the compiler shall not see what is wrong */
    void *volatile copy = object;
    return copy;
}

static void free_twice(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    weft_free(object);
    weft_free(hidden(object));
}

static void free_other_nodes_twice(weft_pool *pool) {
    void *object = weft_node_alloc(pool, 1, 500);
    weft_free(object);
    weft_free(hidden(object));
}

static void free_chunks_twice(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 3 << 20);
    weft_free(object);
    weft_free(hidden(object));
}

static void free_mapping_twice(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 100 << 20);
    weft_free(object);
    weft_free(hidden(object));
}

static void *free_it(void *object) {
    weft_free(object);
    return NULL;
}

static void free_on_two_threads(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    pthread_t thread;
    if (!pthread_create(&thread, NULL, free_it, object) && !pthread_join(thread, NULL))
        weft_free(hidden(object));
}

static void realloc_freed(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    weft_free(object);
    weft_realloc(hidden(object), 128);
}

static void realloc_moved(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    weft_realloc(object, 128);
    weft_free(hidden(object));
}

static void ask_freed(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    weft_free(object);
    weft_usable_bytes(hidden(object));
}

Test(alloc_hardened, objects_that_are_free) {
    stops(free_twice, "freed already");
    stops(free_other_nodes_twice, "freed already");
    stops(free_chunks_twice, "freed already");
    stops(free_mapping_twice, "freed already");
    stops(free_on_two_threads, "freed already");
    stops(realloc_freed, "weft_realloc");
    stops(realloc_moved, "freed already");
    stops(ask_freed, "weft_usable_bytes");
}

static void free_from_malloc(weft_pool *pool) {
    weft_free(weft_local_alloc(pool, 64));
    weft_free(hidden(malloc(100)));
}

static void free_from_stack(weft_pool *pool) {
    char object[64];
    weft_free(weft_local_alloc(pool, 64));
    weft_free(hidden(object));
}

static void free_nonsense(weft_pool *pool) {
    weft_free(weft_local_alloc(pool, 64));
    weft_free(hidden((void *)(uintptr_t)0x123456789000));
}

static void free_after_destroy(weft_pool *pool) {
    void *object = weft_local_alloc(pool, 64);
    weft_pool_destroy(pool);
    weft_free(hidden(object));
}

static void free_after_destroy_of_two(weft_pool *pool) {
    weft_pool *other = hardened();
    void *object = weft_local_alloc(pool, 64);
    weft_free(weft_local_alloc(other, 64));
    weft_pool_destroy(pool);
    weft_realloc(hidden(object), 1000);
}

Test(alloc_hardened, pointers_that_belong_to_no_pool) {
    stops(free_from_malloc, "belongs to no pool");
    stops(free_from_stack, "belongs to no pool");
    stops(free_nonsense, "belongs to no pool");
    stops(free_after_destroy, "pool was destroyed");
    stops(free_after_destroy_of_two, "pool was destroyed");
}

static void free_inside(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 64);
    weft_free(hidden(object + 16));
}

static void free_inside_chunks(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 3 << 20);
    weft_free(hidden(object + (1 << 20)));
}

static void free_inside_mapping(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 200 << 20);
    weft_free(hidden(object + (150 << 20)));
}

static void free_what_never_was(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 48); /* the first of its class */
    weft_free(hidden(object + 64 * 200));
}

Test(alloc_hardened, pointers_that_begin_no_object) {
    stops(free_inside, "16 bytes behind the beginning");
    stops(free_inside_chunks, "1048576 bytes behind the beginning");
    stops(free_inside_mapping, "bytes behind the beginning");
    stops(free_what_never_was, "never been allocated");
}

#ifndef WF_ADDRESS_SANITIZER /* which sees these first */
static void write_behind(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 60);
    ((volatile char *)object)[60] = 1;
    weft_free(object);
}

static void write_far_behind(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 60);
    size_t last = 64 + 16 - 1; /* of its class */
    for (size_t i = 60; i <= last; i++)
        ((volatile char *)object)[i] = 0;
    weft_free(object);
}

static void write_behind_and_realloc(weft_pool *pool) {
    char *object = weft_local_alloc(pool, 4000);
    ((volatile char *)object)[4001] = 1;
    weft_realloc(object, 8000);
}

static void write_behind_chunks(weft_pool *pool) {
    char *object = weft_local_alloc(pool, (3 << 20) + 5);
    ((volatile char *)object)[(3 << 20) + 5] = 1;
    weft_free(object);
}

Test(alloc_hardened, bytes_past_the_end) {
    stops(write_behind, "60 bytes was written past its end, at byte 60");
    stops(write_far_behind, "written past its end");
    stops(write_behind_and_realloc, "at byte 4001");
    stops(write_behind_chunks, "at byte 3145733");
}
#else
static void use_after_free(weft_pool *pool) {
    volatile char *object = weft_local_alloc(pool, 64);
    object[0] = 1;
    weft_free((void *)(uintptr_t)object);
    object[1] = 2;
}

static void read_after_free_of_chunks(weft_pool *pool) {
    volatile char *object = weft_local_alloc(pool, 2 << 20);
    object[0] = 1;
    weft_free((void *)(uintptr_t)object);
    _exit(object[1 << 20]);
}

static void write_behind(weft_pool *pool) {
    volatile char *object = weft_local_alloc(pool, 64);
    object[64] = 1;
}

static void asan_stops(void (*fn)(weft_pool *pool), const char *says) {
    struct ended ended = in_process(fn);
    cr_assert(ended.status && strstr(ended.text, "AddressSanitizer") && strstr(ended.text, says), "%d: %s", ended.status,
              ended.text);
}

Test(alloc_hardened, address_sanitizer_is_told) {
    asan_stops(use_after_free, "use-after-poison");
    asan_stops(read_after_free_of_chunks, "use-after-poison");
    asan_stops(write_behind, "use-after-poison");
}
#endif

/* The right use of everything, on several nodes and threads, stops nobody; usable is what was asked for. */
Test(alloc_hardened, right_use_goes_on) {
    weft_pool *pool = hardened();
    for (size_t bytes = 0; bytes < (size_t)100 << 20; bytes = bytes * 3 + 1) {
        for (unsigned node = 0; node < 2; node++) {
            unsigned char *object = weft_node_calloc(pool, node, 1, bytes);
            cr_assert_not_null(object, "%s", weft_error_detail());
            cr_assert_eq(weft_usable_bytes(object), bytes);
            for (size_t i = 0; i < bytes; i += i / 8 + 1)
                cr_assert_eq(object[i], 0);
            memset(object, 1, bytes);
            unsigned char *more = weft_realloc(object, bytes + 7);
            cr_assert_not_null(more);
            cr_assert(!bytes || (more[0] == 1 && more[bytes - 1] == 1));
            memset(more, 2, bytes + 7);
            pthread_t thread;
            cr_assert_eq(pthread_create(&thread, NULL, free_it, more), 0);
            pthread_join(thread, NULL);
            void *aligned = weft_node_aligned_alloc(pool, node, 4096, bytes);
            cr_assert_eq((uintptr_t)aligned % 4096, 0);
            weft_free(aligned);
        }
    }
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

/* A hardened pool beside one that is not: each frees as it should, in any order. */
Test(alloc_hardened, beside_a_pool_that_is_not) {
    setenv("WEFT_HARDENED", "0", 1);
    weft_pool *pools[2] = {hardened(), pool_with(NULL)};
    unsetenv("WEFT_HARDENED");
    void *objects[2][100];
    for (int i = 0; i < 100; i++)
        for (int p = 0; p < 2; p++)
            cr_assert_not_null(memset(objects[p][i] = weft_local_alloc(pools[p], 100), p, 100));
    cr_assert_eq(weft_usable_bytes(objects[0][0]), 100);
    cr_assert_eq(weft_usable_bytes(objects[1][0]), 112);
    for (int i = 0; i < 100; i++)
        for (int p = 0; p < 2; p++) {
            cr_assert_eq(((char *)objects[p][i])[99], p);
            weft_free(objects[p][i]);
        }
    cr_assert_eq(weft_pool_destroy(pools[0]), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(pools[1]), WEFT_OK);
}

Test(alloc_hardened, the_environment_says_so) {
    setenv("WEFT_HARDENED", "perhaps", 1);
    weft_pool *pool;
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), "WEFT_HARDENED"));
    setenv("WEFT_HARDENED", "1", 1);
    pool = pool_with(NULL);
    void *object = weft_local_alloc(pool, 50);
    cr_assert_eq(weft_usable_bytes(object), 50);
    weft_free(object);
    weft_pool_destroy(pool);
}
