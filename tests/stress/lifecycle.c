/*
 * Pools made and ended many times, some with work in flight when they end. Nothing leaks: address space, resident memory and
 * threads are the same after the second half as after the first.
 */
#include <dirent.h>
#include <stdatomic.h>
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

int main(void) {
    uint64_t half = stress_scale(10000) / 2;
    cycle(half);
    long size = status_value("VmSize:"), resident = status_value("VmRSS:");
    cycle(half);
    long size_after = status_value("VmSize:"), resident_after = status_value("VmRSS:");
    printf("%" PRIu64 " pools; VmSize %ld -> %ld kB, VmRSS %ld -> %ld kB, threads %ld\n", 2 * half, size, size_after, resident,
           resident_after, status_value("Threads:"));
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* their shadow and quarantine grow by themselves */
    CHECK(size_after <= size + 1024);
    CHECK(resident_after <= resident + 1024);
    CHECK(status_value("Threads:") == 1);
#endif
    return 0;
}
