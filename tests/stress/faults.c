/*
 * Every allocation that the library makes fails once, in turn: malloc, calloc, aligned_alloc, realloc, mmap and pthread_create
 * are put in front of the system's. Each time the call gives a status with a text, or does without; nothing leaks, no thread is
 * left. The live topology is loaded before (hwloc's own allocations are its own affair).
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stress.h"
#include "weft.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
int main(void) {
    printf("skipped: the sanitizers have allocators of their own\n");
    return 77;
}
#else

static _Atomic(long) until_failure; /* counts down; the allocation that takes it from 1 to 0 fails; 0: none */
static _Atomic(bool) failed;

static bool fails(void) {
    long left = atomic_load(&until_failure);
    while (left > 0 && !atomic_compare_exchange_weak(&until_failure, &left, left - 1))
        ;
    if (left == 1)
        atomic_store(&failed, true);
    return left == 1;
}

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t align, size_t bytes);

static void *no_memory(void) {
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t bytes) {
    return fails() ? no_memory() : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    return fails() ? no_memory() : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes) {
    return fails() ? no_memory() : __libc_realloc(old, bytes);
}

void *aligned_alloc(size_t align, size_t bytes) {
    return fails() ? no_memory() : __libc_memalign(align, bytes);
}

void *mmap(void *start, size_t bytes, int protection, int flags, int fd, off_t offset) {
    if (fails()) {
        no_memory();
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, start, bytes, protection, flags, fd, offset);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
    typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create_fn real;
    if (!real)
        *(void **)(void *)&real = dlsym(RTLD_NEXT, "pthread_create");
    return fails() ? EAGAIN : real(thread, attributes, run, arg);
}

static weft_pool *pool; /* a healthy one, for the scenarios that need it */

static weft_status make_plan(void) {
    weft_plan *plan = NULL;
    weft_status status = weft_plan_create(&plan, NULL);
    CHECK(!status == !!plan);
    weft_plan_destroy(plan);
    return status;
}

static weft_status make_pool(void) {
    weft_pool *made = NULL;
    weft_status status = weft_pool_create(&made, NULL);
    CHECK(!status == !!made);
    CHECK(!weft_pool_destroy(made));
    return status;
}

static _Atomic(int) ran;

static void task(void *arg) {
    (void)arg;
    ran++;
}

static weft_status use_group(void) {
    weft_group *group = NULL;
    ran = 0;
    weft_status status = weft_group_create(&group, pool);
    CHECK(!status == !!group);
    int spawned = 0;
    for (int i = 0; i < 5 && group; i++) {
        weft_status spawn = weft_group_spawn(group, task, NULL);
        spawned += !spawn;
        status = status ? status : spawn;
    }
    if (group)
        CHECK(!weft_group_wait(group));
    CHECK(ran == spawned);
    CHECK(!weft_group_destroy(group));
    return status;
}

static void leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    *(size_t *)sum += range.last - range.first;
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(size_t *)left += *(const size_t *)right;
}

static weft_status use_reduce(void) {
    size_t sum = 0;
    weft_status status = weft_reduce(pool, 100000, leaf, join, NULL, &sum, sizeof sum, NULL);
    CHECK(sum == (status ? 0 : 100000));
    return status;
}

static void body(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((char *)arg)[i]++;
}

static weft_status use_array(weft_place place) {
    enum { N = 100000 };
    weft_array *array = NULL;
    weft_loop_report report;
    weft_placement placement;
    size_t per_node[8];
    weft_status status = weft_array_create(&array, pool, N, 1, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = place});
    CHECK(!status == !!array);
    if (!status)
        status =
            weft_for_array(array, body, weft_array_data(array), &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .report = &report});
    for (size_t i = 0; !status && i < N; i++)
        CHECK(((char *)weft_array_data(array))[i] == 1);
    if (!status)
        status = weft_array_placement(array, &placement, per_node, 8);
    if (!status)
        status = weft_array_migrate(array, NULL);
    weft_array_destroy(array);
    return status;
}

static weft_status use_partitioned(void) {
    return use_array(WEFT_PARTITIONED);
}

static weft_status use_interleaved(void) {
    return use_array(WEFT_INTERLEAVED);
}

static weft_status use_on_node(void) {
    return use_array(WEFT_ON_NODE);
}

static weft_status use_replicated(void) {
    return use_array(WEFT_REPLICATED);
}

static const struct {
    const char *name;
    weft_status (*run)(void);
} scenarios[] = {{"plan", make_plan},
                 {"pool", make_pool},
                 {"group", use_group},
                 {"reduce", use_reduce},
                 {"partitioned", use_partitioned},
                 {"interleaved", use_interleaved},
                 {"on one node", use_on_node},
                 {"replicated", use_replicated}};

static unsigned count_threads(void) {
    unsigned count = 0;
    DIR *directory = opendir("/proc/self/task");
    while (readdir(directory))
        count++;
    closedir(directory);
    return count - 2;
}

/* Fail the n-th allocation for n = 1, 2, ... until a run needs fewer. */
static void exhaust(size_t scenario, bool tell) {
    unsigned failures = 0, absorbed = 0;
    for (long n = 1;; n++) {
        atomic_store(&failed, false);
        atomic_store(&until_failure, n);
        weft_status status = scenarios[scenario].run();
        atomic_store(&until_failure, 0);
        if (!atomic_load(&failed)) {
            CHECK(!status);
            break;
        }
        if (status)
            CHECK((status == WEFT_ENOMEM || status == WEFT_EPERM) && *weft_error_detail());
        failures += status != WEFT_OK;
        absorbed += status == WEFT_OK;
    }
    if (tell)
        printf("%-12s %u allocations failed with a status, %u were done without\n", scenarios[scenario].name, failures, absorbed);
}

int main(void) {
    const size_t count = sizeof scenarios / sizeof *scenarios;
    alarm(120);
    setvbuf(stdout, NULL, _IOLBF, 4096);
    CHECK(!weft_pool_create(&pool, NULL));
    unsigned threads = 2 + weft_pool_workers(pool); /* the caller and the watch */
    size_t used = 0;
    for (int pass = 0; pass < 3; pass++) { /* the first fills caches of the C library and the topology */
        for (size_t s = 0; s < count; s++)
            exhaust(s, pass == 0);
        CHECK(count_threads() == threads);
        struct mallinfo2 heap = mallinfo2();
        size_t now = heap.uordblks + heap.hblkhd;
        printf("pass %d: %zu bytes of heap in use\n", pass, now);
        if (pass == 2)
            CHECK(now <= used + 1024);
        used = now;
    }
    CHECK(!weft_pool_destroy(pool));
    return 0;
}
#endif
