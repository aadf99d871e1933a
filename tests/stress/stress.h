/*
 * What the stress programs share: a check that names the line, a seed that is printed and can be set (WEFT_TEST_SEED), and a
 * size that can be scaled (WEFT_TEST_SCALE, percent). Exit 0 passed, 1 failed, 77 skipped.
 */
#ifndef WEFT_TESTS_STRESS_H
#define WEFT_TESTS_STRESS_H

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                                                         \
    do {                                                                                                                         \
        if (!(condition)) {                                                                                                      \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                                              \
            exit(1);                                                                                                             \
        }                                                                                                                        \
    } while (0)

static inline uint64_t stress_seed(void) {
    const char *text = getenv("WEFT_TEST_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : (uint64_t)time(NULL);
    printf("seed %" PRIu64 " (set WEFT_TEST_SEED to repeat)\n", seed);
    return seed;
}

/*
 * Start this program once more with a malloc() of glibc that keeps nothing back for its threads: mallinfo2() then counts what is
 * in use, to the byte. Call it first in main().
 */
static inline void stress_count_heap_exactly(char **argv) {
    if (getenv("GLIBC_TUNABLES"))
        return;
    setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0", 1);
    execv("/proc/self/exe", argv);
}

/* `count` scaled by WEFT_TEST_SCALE percent, at least 1. Sanitizers run a tenth by themselves. */
static inline uint64_t stress_scale(uint64_t count) {
    const char *text = getenv("WEFT_TEST_SCALE");
    uint64_t percent = text ? strtoull(text, NULL, 10) : 100;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    percent = text ? percent : 10;
#endif
    uint64_t scaled = count * percent / 100;
    return scaled ? scaled : 1;
}

/* The name of a thread of this process. */
static inline const char *stress_thread_name(const char *thread, char *name, size_t room) {
    char path[300];
    snprintf(path, sizeof path, "/proc/self/task/%s/comm", thread);
    FILE *file = fopen(path, "r");
    if (!file || !fgets(name, (int)room, file))
        *name = 0;
    if (file)
        fclose(file);
    return name;
}

/* Threads of this process by /proc, but the one that watches for changes, which ends some time after the last pool. */
static inline unsigned stress_count_threads(void) {
    unsigned count = 0, watches = 0;
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char name[32];
        count += entry->d_name[0] != '.';
        for (int i = 0; i < 100 && count > 1 && strncmp(stress_thread_name(entry->d_name, name, sizeof name), "weft:", 5); i++)
            usleep(1000); /* it names itself */
        watches += count > 1 && !strcmp(name, "weft:watch\n");
    }
    if (directory)
        closedir(directory);
    return count - watches;
}

/* Whether so many are left. A thread that was joined stays in /proc until the kernel is done with it, on a busy machine for a while. */
static inline bool stress_threads_are(unsigned expected) {
    for (int i = 0; i < 5000; i++) {
        if (stress_count_threads() == expected)
            return true;
        usleep(1000);
    }
    return false;
}

#endif
