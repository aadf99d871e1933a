/*
 * Pools made and ended many times, some with work in flight when they end, some while other threads submit. Nothing leaks:
 * address space, resident memory and threads are the same after the second half as after the first.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "stress.h"
#include "weft.h"

static _Atomic(uint64_t) ran;

static void task(void *arg) {
    (void)arg;
    atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

static long status_value(const char *name) {
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    long value = -1;
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, name, strlen(name)))
            value = strtol(line + strlen(name) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

static void cycle(uint64_t times) {
    for (uint64_t i = 0; i < times; i++) {
        weft_pool *pool;
        uint64_t before = ran, submitted = i % 7;
        weft_status status = weft_pool_create(&pool, NULL);
        if (status)
            fprintf(stderr, "%s: %s\n", weft_status_name(status), weft_error_detail());
        CHECK(!status);
        for (uint64_t k = 0; k < submitted; k++)
            CHECK(!weft_submit(pool, task, NULL, NULL));
        CHECK(!weft_pool_destroy(pool)); /* runs what was accepted */
        CHECK(ran == before + submitted);
    }
}

/* Threads that submit, spawn and loop until they are refused, while another one closes the pool under them. */
struct submitter {
    weft_pool *pool;
    uint64_t accepted, refused; /* O */
};

static void body(void *arg, weft_range range) {
    atomic_fetch_add_explicit((_Atomic(uint64_t) *)arg, range.last - range.first, memory_order_relaxed);
}

static void leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    *(uint64_t *)sum += range.last - range.first;
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static bool counted(struct submitter *self, weft_status status) {
    CHECK(!status || status == WEFT_ECLOSED);
    self->accepted += !status;
    self->refused += status != WEFT_OK;
    return !status;
}

static void *submit_until_closed(void *arg) {
    struct submitter *self = arg;
    weft_group *group;
    CHECK(!weft_group_create(&group, self->pool));
    weft_submit_options in_group = {WEFT_SUBMIT_OPTIONS_INIT, .group = group};
    while (!self->refused) {
        _Atomic(uint64_t) covered = 0;
        uint64_t sum = 0;
        counted(self, weft_submit(self->pool, task, NULL, NULL));
        counted(self, weft_submit(self->pool, task, NULL, &in_group));
        counted(self, weft_group_spawn(group, task, NULL));
        weft_status status = weft_for(self->pool, 100, body, (void *)&covered, NULL);
        CHECK((!status && covered == 100) || (status == WEFT_ECLOSED && !covered));
        status = weft_reduce(self->pool, 100, leaf, join, NULL, &sum, sizeof sum, NULL);
        CHECK((!status && sum == 100) || (status == WEFT_ECLOSED && !sum));
        weft_array *array = NULL;
        status = weft_array_create(&array, self->pool, 1000, 8, NULL);
        CHECK((!status && array) || (status == WEFT_ECLOSED && !array));
        weft_array_destroy(array);
    }
    for (int i = 0; i < 10; i++) /* once closed, always closed */
        CHECK(weft_submit(self->pool, task, NULL, NULL) == WEFT_ECLOSED);
    CHECK(!weft_group_wait(group));
    CHECK(!weft_group_destroy(group));
    return NULL;
}

static void race_close(uint64_t times) {
    enum { SUBMITTERS = 3 };
    uint64_t accepted = 0;
    for (uint64_t i = 0; i < times; i++) {
        struct submitter submitters[SUBMITTERS];
        pthread_t threads[SUBMITTERS];
        weft_pool *pool;
        uint64_t before = ran;
        CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
        for (int s = 0; s < SUBMITTERS; s++) {
            submitters[s] = (struct submitter){.pool = pool};
            CHECK(!pthread_create(&threads[s], NULL, submit_until_closed, &submitters[s]));
        }
        usleep((useconds_t)(i * 37 % 2000));
        CHECK(!weft_pool_close(pool));
        uint64_t ended = ran; /* all that was accepted: nothing runs afterwards */
        for (int s = 0; s < SUBMITTERS; s++) {
            CHECK(!pthread_join(threads[s], NULL));
            before += submitters[s].accepted;
            accepted += submitters[s].accepted;
        }
        CHECK(!weft_pool_destroy(pool));
        CHECK(ran == ended && ran == before);
    }
    printf("%" PRIu64 " pools closed under %d submitters: %" PRIu64 " tasks accepted, all ran, the rest WEFT_ECLOSED\n", times,
           SUBMITTERS, accepted);
}

int main(void) {
    alarm(280);
    race_close(stress_scale(300));
    uint64_t half = stress_scale(10000) / 2;
    cycle(half);
    long size = status_value("VmSize:"), resident = status_value("VmRSS:");
    cycle(half);
    long size_after = status_value("VmSize:"), resident_after = status_value("VmRSS:");
    printf("%" PRIu64 " pools; VmSize %ld -> %ld kB, VmRSS %ld -> %ld kB, threads %u\n", 2 * half, size, size_after, resident,
           resident_after, stress_count_threads());
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* their shadow and quarantine grow by themselves */
    CHECK(size_after <= size + 1024);
    CHECK(resident_after <= resident + 1024);
    CHECK(stress_threads_are(1));
#endif
    return 0;
}
