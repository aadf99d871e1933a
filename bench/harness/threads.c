/* Binding, and the probe of the cache line's round trip. Keeps no state but the mask that the process began with. */
#include "harness/threads.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/bench.h"

#define BATCH 32
#define MAX_BATCHES 1000

static cpu_set_t allowed;

__attribute__((constructor)) static void read_allowed(void) {
    sched_getaffinity(0, sizeof allowed, &allowed);
}

/* The CPU at that place of those allowed, counted round and round. */
static size_t cpu_at(unsigned at) {
    at %= (unsigned)CPU_COUNT(&allowed);
    for (size_t cpu = 0;; cpu++)
        if (CPU_ISSET(cpu, &allowed) && !at--)
            return cpu;
}

static void bind(pid_t thread, unsigned at) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_at(at), &one);
    sched_setaffinity(thread, sizeof one, &one);
}

void threads_bind(enum threads_caller caller) {
    DIR *folder = opendir("/proc/self/task");
    unsigned next = caller == THREADS_CALLER_WORKS;
    for (struct dirent *entry; folder && (entry = readdir(folder));) { /* in the order of their numbers */
        pid_t thread = (pid_t)atoi(entry->d_name);
        cpu_set_t mask;
        if (thread == getpid())
            bind(thread, caller == THREADS_CALLER_APART);
        else if (thread && !sched_getaffinity(thread, sizeof mask, &mask) && CPU_EQUAL(&mask, &allowed))
            bind(thread, next++);
    }
    if (folder)
        closedir(folder);
}

struct ping {
    _Alignas(64) atomic_uint ball; /* even: the caller's turn. Acquire and release are not needed: it publishes nothing */
    unsigned trips;
};

static void *answer(void *arg) {
    struct ping *ping = arg;
    bind(0, 1);
    for (unsigned turn = 1; turn < 2 * ping->trips; turn += 2) {
        while (atomic_load_explicit(&ping->ball, memory_order_relaxed) != turn)
            ;
        atomic_store_explicit(&ping->ball, turn + 1, memory_order_relaxed);
    }
    return NULL;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double threads_round_trip_ns(unsigned trips) {
    static double samples[MAX_BATCHES];
    struct ping ping = {.trips = trips};
    pthread_t other;
    if (CPU_COUNT(&allowed) < 2 || pthread_create(&other, NULL, answer, &ping))
        return 0;
    bind(0, 0);
    unsigned count = 0;
    int64_t last = bench_now_ns();
    for (unsigned trip = 0; trip < trips; trip++) {
        atomic_store_explicit(&ping.ball, 2 * trip + 1, memory_order_relaxed);
        while (atomic_load_explicit(&ping.ball, memory_order_relaxed) != 2 * trip + 2)
            ;
        if (trip % BATCH != BATCH - 1 || count == MAX_BATCHES)
            continue;
        int64_t now = bench_now_ns();
        samples[count++] = (double)(now - last) / BATCH;
        last = now;
    }
    pthread_join(other, NULL);
    qsort(samples, count, sizeof *samples, compare);
    return count ? samples[count / 2] : 0;
}
