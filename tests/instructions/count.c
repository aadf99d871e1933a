/*
 * Work whose instructions count.py has counted: count CASE prints how many operations the function measured_CASE() does. Spawns are those of
 * bench/fib. One worker, and next to nothing that another thread decides, so that every run takes the same instructions.
 */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fib/workload.h"
#include "harness/peers/peer.h"
#include "harness/peers/weft.h"

#define FIB 20
#define FIB_SPAWNS 10945 /* of fib(FIB) */
#define LOOPS 1000
#define SUBMITS 1000
#define OBJECTS 1000

const int fib_times = 1;
static sem_t begun, may_end;

static __attribute__((noreturn)) void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, weft_error_detail());
    _Exit(1);
}

static inline void check(weft_status status, const char *what) {
    if (status)
        fail(what);
}

static void nothing(void *arg) {
    (void)arg;
}

static void no_items(void *arg, weft_range range) {
    (void)arg;
    (void)range;
}

static void hold_worker(void *arg) {
    (void)arg;
    sem_post(&begun);
    sem_wait(&may_end);
}

#define MEASURED __attribute__((noinline))

MEASURED void measured_typed(void *arg);
MEASURED void measured_plain(void *arg);
MEASURED void measured_loop(void *arg);
MEASURED void measured_submit(void *arg);
MEASURED void measured_scratch(void *arg);
MEASURED void measured_arena(void *arg);
MEASURED void measured_section(void *arg);
MEASURED void measured_pair(void *arg);
MEASURED void measured_pair_any(void *arg);

MEASURED void measured_typed(void *arg) {
    *(uint64_t *)arg = fork_join_ways[0].run(FIB);
}

MEASURED void measured_plain(void *arg) {
    *(uint64_t *)arg = fork_join_ways[1].run(FIB);
}

MEASURED void measured_loop(void *arg) {
    (void)arg;
    for (int i = 0; i < LOOPS; i++)
        check(weft_for(peer_pool, 2, no_items, NULL, NULL), "loop");
}

/* The worker waits meanwhile, so none of these wakes it. */
MEASURED void measured_submit(void *arg) {
    (void)arg;
    for (int i = 0; i < SUBMITS; i++)
        check(weft_submit(peer_pool, nothing, NULL, NULL), "submit");
}

/* Objects of 64 bytes, of which the compiler knows nothing afterwards. */
MEASURED void measured_scratch(void *arg) {
    weft_scratch *scratch = arg;
    for (int i = 0; i < OBJECTS; i++)
        __asm__ volatile("" : : "r"(weft_scratch_alloc(scratch, 64)) : "memory");
}

MEASURED void measured_arena(void *arg) {
    (void)arg;
    for (int i = 0; i < OBJECTS; i++)
        weft_scratch_release(weft_scratch_acquire(peer_pool, WEFT_NODE_HOME));
}

/* With pages that are there already. */
static void use_scratch(void *arg) {
    (void)arg;
    weft_scratch *scratch = weft_scratch_acquire(peer_pool, WEFT_NODE_HOME);
    if (!scratch || !weft_scratch_alloc(scratch, OBJECTS * 64))
        fail("scratch");
    weft_scratch_reset(scratch);
    measured_scratch(scratch);
    weft_scratch_release(scratch);
}

static void use_arenas(void *arg) {
    weft_scratch_release(weft_scratch_acquire(peer_pool, WEFT_NODE_HOME));
    measured_arena(arg);
}

MEASURED void measured_section(void *arg) {
    for (int i = 0; i < OBJECTS; i++) {
        weft_reading reading = weft_array_read_begin(arg);
        __asm__ volatile("" : : "r"(weft_array_read_local(reading)) : "memory");
        weft_array_read_end(reading);
    }
}

static void use_sections(void *arg) {
    weft_array *array;
    (void)arg;
    check(weft_array_create(&array, peer_pool, 1, 1, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED}),
          "array");
    measured_section(array);
    weft_array_destroy(array);
}

MEASURED void measured_pair(void *arg) {
    (void)arg;
    for (int i = 0; i < OBJECTS; i++)
        weft_free(weft_local_alloc(peer_pool, 64));
}

MEASURED void measured_pair_any(void *arg) {
    size_t bytes = *(volatile size_t *)arg;
    for (int i = 0; i < OBJECTS; i++)
        weft_free(weft_local_alloc(peer_pool, 64 + bytes));
}

/* The thread has a cache, and that has objects. */
static void warm_up(void) {
    for (int i = 0; i < 2; i++)
        weft_free(weft_local_alloc(peer_pool, 64));
}

static void use_pairs(void *arg) {
    warm_up();
    measured_pair(arg);
}

static void use_pairs_any(void *arg) {
    warm_up();
    measured_pair_any(arg);
}

static const struct {
    const char *name;
    void (*measured)(void *arg);
    int operations;
    int inside; /* on the worker */
    uint64_t result;
} cases[] = {
    {"typed", measured_typed, FIB_SPAWNS, 1, 6765},
    {"plain", measured_plain, FIB_SPAWNS, 1, 6765},
    {"loop_inside", measured_loop, LOOPS, 1, 0},
    {"loop_outside", measured_loop, LOOPS, 0, 0},
    {"submit", measured_submit, SUBMITS, 0, 0},
    {"scratch", use_scratch, OBJECTS, 1, 0},
    {"arena", use_arenas, OBJECTS, 1, 0},
    {"section", use_sections, OBJECTS, 1, 0},
    {"pair", use_pairs, OBJECTS, 1, 0},
    {"pair_any", use_pairs_any, OBJECTS, 1, 0},
};

int main(int argc, char **argv) {
    unsigned at = 0, last = sizeof cases / sizeof *cases - 1;
    while (argc == 2 && at < last && strcmp(argv[1], cases[at].name))
        at++;
    uint64_t result = 0;
    sem_init(&begun, 0, 0);
    sem_init(&may_end, 0, 0);
    if (!peer_start(1))
        fail("start");
    if (cases[at].inside) {
        check(weft_run(peer_pool, cases[at].measured, &result), "run");
    } else {
        int holds = cases[at].measured == measured_submit;
        if (holds) {
            check(weft_submit(peer_pool, hold_worker, NULL, NULL), "submit");
            sem_wait(&begun);
        }
        cases[at].measured(&result);
        if (holds)
            sem_post(&may_end);
    }
    if (!peer_stop() || result != cases[at].result)
        fail(cases[at].name);
    printf("%d\n", cases[at].operations);
    return 0;
}
