/*
 * Record pool under concurrency: the owner allocates, checks and passes records to two threads that check, scribble and free
 * them; some it frees itself. Checked: no record is handed out twice at a time, and carved = live + free at the end.
 * Usage: stress_record_pool [records [seed]]; exit 0 or 1.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/rng.h"
#include "memory/record_pool.h"

#define FREERS 2
#define RING 1024

/* What the records hold: plain fields, so that ThreadSanitizer sees any reuse that is not ordered after the free. */
struct record {
    char reserved_for_the_free_list[16];
    uint64_t number, copy;
    uint64_t scribble[4];
};

/* One producer, one consumer. */
struct ring {
    WF_LINE_ALIGNED wf_atomic_u64 head; /* A: release by the owner, acquire by the freer */
    WF_LINE_ALIGNED wf_atomic_u64 tail; /* A: release by the freer, acquire by the owner */
    struct record *slots[RING];
    struct wf_record_pool *pool;
    uint64_t freed, wrong;
};

static void *free_records(void *arg) {
    struct ring *ring = arg;
    for (uint64_t tail = 0;; tail++) {
        while (wf_load(&ring->head, WF_ACQUIRE) == tail)
            sched_yield();
        struct record *record = ring->slots[tail % RING];
        wf_store(&ring->tail, tail + 1, WF_RELEASE);
        if (!record)
            return NULL;
        ring->wrong += record->number != ~record->copy;
        for (int i = 0; i < 4; i++)
            record->scribble[i] = record->number + (uint64_t)i;
        record->number = record->copy; /* a second holder of the record would see this */
        wf_record_free(ring->pool, record, false);
        ring->freed++;
    }
}

static void pass(struct ring *ring, struct record *record) {
    uint64_t head = wf_load(&ring->head, WF_RELAXED); /* relaxed: own word */
    while (head - wf_load(&ring->tail, WF_ACQUIRE) == RING)
        sched_yield();
    ring->slots[head % RING] = record;
    wf_store(&ring->head, head + 1, WF_RELEASE);
}

static struct record *take(struct wf_record_pool *pool, uint64_t number) {
    struct record *record = wf_record_alloc(pool);
    if (record) {
        record->number = number;
        record->copy = ~number;
    }
    return record;
}

int main(int argc, char **argv) {
    uint64_t records = argc > 1 ? strtoull(argv[1], NULL, 0) : 400000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : wf_now_ns();
    printf("records %llu seed %llu\n", (unsigned long long)records, (unsigned long long)seed);
    struct wf_record_pool pool;
    static struct ring rings[FREERS];
    pthread_t threads[FREERS];
    if (wf_record_pool_init(&pool, sizeof(struct record), (size_t)64 << 20, NULL, NULL) != WEFT_OK)
        return puts(weft_error_detail()), 1;
    for (int i = 0; i < FREERS; i++) {
        rings[i].pool = &pool;
        if (pthread_create(&threads[i], NULL, free_records, &rings[i]))
            return puts("no thread"), 1;
    }
    uint64_t own = 0, wrong = 0, remote = 0;
    for (uint64_t i = 0; i < records; i++) {
        uint32_t which = wf_rng_below(&seed, FREERS + 1);
        struct record *record = take(&pool, i);
        if (!record)
            return puts(weft_error_detail()), 1;
        if (which < FREERS) {
            pass(&rings[which], record);
            continue;
        }
        wrong += record->number != i || record->copy != ~i;
        wf_record_free(&pool, record, true);
        own++;
    }
    for (int i = 0; i < FREERS; i++)
        pass(&rings[i], NULL);
    for (int i = 0; i < FREERS; i++) {
        pthread_join(threads[i], NULL);
        remote += rings[i].freed;
        wrong += rings[i].wrong;
    }
    size_t carved = pool.carved, back = wf_record_pool_free_count(&pool);
    printf("allocated %llu = freed here %llu + there %llu; carved %zu, free %zu; wrong %llu\n", (unsigned long long)records,
           (unsigned long long)own, (unsigned long long)remote, carved, back, (unsigned long long)wrong);
    wf_record_pool_destroy(&pool);
    return own + remote == records && carved == back && !wrong ? 0 : 1;
}
