/* Clocks of work. The clocks are counts that publish nothing else, so every access is relaxed; each is written by its thread only. */
#include "harness/pace.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define AWAY_NS INT64_C(10000000) /* longer: idle */
#define COME_NS INT64_C(200000000)
#define NAP_NS 50000

static struct line {
    _Alignas(64) atomic_uint clock;
    atomic_bool came;
    _Atomic int64_t left; /* when its last piece ended; 0: at work */
} lines[PACE_MAX_THREADS];

static atomic_uint numbers, came;
static unsigned expected;
static int64_t begun;

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
}

static unsigned thread_count(void) {
    unsigned count = atomic_load_explicit(&numbers, memory_order_relaxed);
    return count < PACE_MAX_THREADS ? count : PACE_MAX_THREADS;
}

unsigned pace_thread(void) {
    static _Thread_local unsigned number = PACE_MAX_THREADS;
    if (number == PACE_MAX_THREADS) {
        number = atomic_fetch_add_explicit(&numbers, 1, memory_order_relaxed);
        number = number < PACE_MAX_THREADS ? number : PACE_MAX_THREADS - 1;
    }
    return number;
}

void pace_begin(unsigned threads) {
    for (unsigned i = 0; i < PACE_MAX_THREADS; i++) {
        atomic_store_explicit(&lines[i].clock, 0, memory_order_relaxed);
        atomic_store_explicit(&lines[i].came, false, memory_order_relaxed);
    }
    atomic_store_explicit(&came, 0, memory_order_relaxed);
    expected = threads;
    begun = now_ns();
}

static bool is_at_work(const struct line *line, int64_t now) {
    int64_t left = atomic_load_explicit(&line->left, memory_order_relaxed);
    return atomic_load_explicit(&line->came, memory_order_relaxed) && (!left || now - left < AWAY_NS);
}

/* The clock of the slowest other thread at work; `none` where there is none. */
static unsigned slowest(unsigned self, unsigned none) {
    unsigned least = none, count = thread_count();
    int64_t now = now_ns();
    for (unsigned i = 0; i < count; i++) {
        unsigned clock = atomic_load_explicit(&lines[i].clock, memory_order_relaxed);
        if (i != self && clock < least && is_at_work(&lines[i], now))
            least = clock;
    }
    return least;
}

void pace_enter(void) {
    unsigned self = pace_thread();
    struct line *line = &lines[self];
    unsigned clock = atomic_load_explicit(&line->clock, memory_order_relaxed);
    if (!is_at_work(line, now_ns())) {
        unsigned others = slowest(self, UINT32_MAX);
        if (others != UINT32_MAX && others > clock)
            atomic_store_explicit(&line->clock, others, memory_order_relaxed);
    }
    atomic_store_explicit(&line->left, 0, memory_order_relaxed);
    if (atomic_load_explicit(&line->came, memory_order_relaxed))
        return;
    atomic_store_explicit(&line->came, true, memory_order_relaxed);
    atomic_fetch_add_explicit(&came, 1, memory_order_relaxed);
    while (atomic_load_explicit(&came, memory_order_relaxed) < expected && now_ns() - begun < COME_NS)
        nap();
}

void pace_leave(void) {
    atomic_store_explicit(&lines[pace_thread()].left, now_ns(), memory_order_relaxed);
}

void pace_advance(unsigned work, unsigned ahead) {
    unsigned self = pace_thread();
    unsigned clock = atomic_fetch_add_explicit(&lines[self].clock, work, memory_order_relaxed) + work;
    while (slowest(self, clock) + ahead < clock)
        nap();
}
