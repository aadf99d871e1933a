/* Binding, and the probe of the cache line's round trip. All state is the main thread's. */
#include "harness/threads.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "harness/bench.h"

#define BATCH 32
#define MAX_BATCHES 1000

static cpu_set_t allowed;
static bool binds_new;
static unsigned next; /* place of the CPU of the next thread */

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

static cpu_set_t only(unsigned at) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu_at(at), &one);
    return one;
}

static void bind_thread(pid_t thread, unsigned at) {
    cpu_set_t one = only(at);
    sched_setaffinity(thread, sizeof one, &one);
}

void threads_bind_here(unsigned place) {
    bind_thread(0, place);
}

void threads_unbind_here(void) {
    sched_setaffinity(0, sizeof allowed, &allowed);
}

/* The place of the CPU that the caller runs on. */
static unsigned place_here(void) {
    unsigned at = 0;
    for (int here = sched_getcpu(); at < (unsigned)CPU_COUNT(&allowed) && cpu_at(at) != (size_t)here;)
        at++;
    return at;
}

void threads_bind_new(enum threads_caller caller) {
    next = caller == THREADS_CALLER_WORKS ? place_here() + 1 : 0;
    binds_new = true;
}

void threads_bind_started(enum threads_caller caller, bool others) {
    unsigned own = caller == THREADS_CALLER_WORKS ? place_here() : caller == THREADS_CALLER_APART, other = own + 1;
    DIR *folder = others ? opendir("/proc/self/task") : NULL;
    for (struct dirent *entry; folder && (entry = readdir(folder));) { /* in the order of their numbers */
        pid_t thread = (pid_t)atoi(entry->d_name);
        cpu_set_t mask;
        if (thread && thread != getpid() && !sched_getaffinity(thread, sizeof mask, &mask) && CPU_EQUAL(&mask, &allowed))
            bind_thread(thread, other++);
    }
    if (folder)
        closedir(folder);
    bind_thread(0, own);
}

/* Stands in front of the C library's, for the peers' libraries as well. The attributes of a caller that has chosen a CPU are left as they are. */
__attribute__((visibility("default"))) int pthread_create(pthread_t *thread, const pthread_attr_t *given, void *(*fn)(void *),
                                                          void *arg) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    *(void **)&create = dlsym(RTLD_NEXT, "pthread_create"); /* POSIX's way to write it */
    if (!binds_new)
        return create(thread, given, fn, arg);
    pthread_attr_t own, *attributes = (pthread_attr_t *)(uintptr_t)given;
    if (!given) {
        pthread_attr_init(&own);
        attributes = &own;
    }
    cpu_set_t one = only(next++);
    pthread_attr_setaffinity_np(attributes, sizeof one, &one);
    int error = create(thread, attributes, fn, arg);
    if (given)
        pthread_attr_setaffinity_np(attributes, sizeof allowed, &allowed);
    else
        pthread_attr_destroy(&own);
    return error;
}

struct ping {
    _Alignas(64) atomic_uint ball; /* even: the caller's turn. Acquire and release are not needed: it publishes nothing */
    unsigned trips;
};

static void *answer(void *arg) {
    struct ping *ping = arg;
    bind_thread(0, 1);
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
    binds_new = false;
    if (CPU_COUNT(&allowed) < 2 || pthread_create(&other, NULL, answer, &ping))
        return 0;
    bind_thread(0, 0);
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
