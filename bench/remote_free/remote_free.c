/*
 * The main thread allocates, writes, and hands over; another thread checks, and frees. The first row hands over objects that are never
 * freed, in the same way: what is left of a row without it is the allocator's, and the objects' way from one cache to the other.
 */
#include "harness/allocators/allocator.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include BENCH_ALLOCATOR
#include "harness/bench.h"
#include "harness/threads.h"

#define OBJECTS 19200 /* in one run: whole groups */
#define PLACES 1024   /* of the ring: so many objects are under way at most */
#define GROUP 32      /* the other side is told of so many objects at once, as a queue for many objects would */
#define SIZES 4096
#define PATIENCE 10000 /* looks before the CPU is left to somebody else */

struct handed {
    uint64_t *words;
    uint64_t value;
    uint32_t bytes;
    bool keep;
};

/* Each side works with what it saw last of the other's count, and looks again when that is used up. */
static struct {
    _Alignas(64) atomic_uint written; /* A: release, acquire by the reader: places before it are filled */
    unsigned seen_read;               /* the writer's */
    _Alignas(64) atomic_uint read;    /* A: release, acquire by the writer: places before it are free, their objects are freed */
    unsigned seen_written;            /* the reader's */
    atomic_bool wrong;                /* A: relaxed: read once all has been freed */
    _Alignas(64) struct handed places[PLACES];
} ring;

static uint32_t sizes[SIZES];
static uint64_t lent[PLACES][8]; /* objects of the first row; one is used again when it has been handed over */

/* Wait until a count of the other side differs from what was seen. */
static unsigned wait_for_change(atomic_uint *count, unsigned seen) {
    for (unsigned looks = 1;; looks++) {
        unsigned now = atomic_load_explicit(count, memory_order_acquire);
        if (now != seen)
            return now;
        if (looks % PATIENCE == 0)
            sched_yield();
        __builtin_ia32_pause();
    }
}

static void hand_over(unsigned at, struct handed object) {
    while (at - ring.seen_read == PLACES)
        ring.seen_read = wait_for_change(&ring.read, ring.seen_read);
    ring.places[at % PLACES] = object;
    if (at % GROUP == GROUP - 1 || !object.words)
        atomic_store_explicit(&ring.written, at + 1, memory_order_release);
}

/* Ends with an object that is none. */
static void *free_all(void *unused) {
    threads_bind_here(1);
    for (unsigned at = 0;; at++) {
        if (at == ring.seen_written)
            ring.seen_written = wait_for_change(&ring.written, at);
        struct handed *object = &ring.places[at % PLACES];
        if (!object->words)
            return unused;
        if (!object_right(object->words, object->bytes, object->value))
            atomic_store_explicit(&ring.wrong, true, memory_order_relaxed);
        if (!object->keep)
            allocator_delete(object->words);
        if (at % GROUP == GROUP - 1)
            atomic_store_explicit(&ring.read, at + 1, memory_order_release);
    }
}

static unsigned handed_over; /* so far; the main thread's */

static bool all_freed(void) {
    while (ring.seen_read != handed_over)
        ring.seen_read = wait_for_change(&ring.read, ring.seen_read);
    return !atomic_load_explicit(&ring.wrong, memory_order_relaxed);
}

static bool run_hand_off(void *unused) {
    (void)unused;
    for (unsigned i = 0; i < OBJECTS; i++, handed_over++) {
        struct handed object = {lent[handed_over % PLACES], i, sizeof *lent, true};
        while (handed_over - ring.seen_read == PLACES) /* the object is still under way */
            ring.seen_read = wait_for_change(&ring.read, ring.seen_read);
        object_write(object.words, object.bytes, object.value);
        hand_over(handed_over, object);
    }
    return all_freed();
}

/* Inlined, so that `bytes` is a constant; 0: sizes from the table. */
static inline __attribute__((always_inline)) bool run_size(uint32_t bytes) {
    for (unsigned i = 0; i < OBJECTS; i++, handed_over++) {
        uint32_t size = bytes ? bytes : sizes[i % SIZES];
        struct handed object = {allocator_new(size), i, size, false};
        if (!object.words)
            return false;
        object_write(object.words, object.bytes, object.value);
        hand_over(handed_over, object);
    }
    return all_freed();
}

static bool run_64(void *unused) {
    (void)unused;
    return run_size(64);
}

static bool run_256(void *unused) {
    (void)unused;
    return run_size(256);
}

static bool run_1k(void *unused) {
    (void)unused;
    return run_size(1024);
}

static bool run_mixed(void *unused) {
    (void)unused;
    return run_size(0);
}

int main(int argc, char **argv) {
    static const struct bench_row rows[] = {
        {.row = "the hand-off alone", .way = "", .units = OBJECTS, .run = run_hand_off},
        {.row = "64 B", .way = "", .units = OBJECTS, .run = run_64},
        {.row = "256 B", .way = "", .units = OBJECTS, .run = run_256},
        {.row = "1 KiB", .way = "", .units = OBJECTS, .run = run_1k},
        {.row = "64 B to 1 KiB", .way = "", .units = OBJECTS, .run = run_mixed},
    };
    pthread_t reader;
    uint64_t state = 1;
    for (unsigned i = 0; i < SIZES; i++)
        sizes[i] = 64 + random_next(&state) % 121 * 8;
    if (!bench_begin(argc, argv, allocator_version()) || !allocator_start(bench_workers) ||
        pthread_create(&reader, NULL, free_all, NULL))
        return 1;
    threads_bind_here(0);
    memory_begin();
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_measure(&rows[i]);
    bench_print("peak, MiB", "", memory_peak());
    hand_over(handed_over, (struct handed){0});
    pthread_join(reader, NULL);
    return bench_end() | !allocator_stop();
}
