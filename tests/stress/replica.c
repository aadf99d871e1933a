/*
 * A replicated array is swapped by threads outside and by tasks while others read it: each section finds one stamp in every item of its
 * copy, on its own node and in the loops it runs, and stamps that one swapper made come in their order.
 * Usage: stress_replica [swaps]; exit 0 or 1.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "stress.h"
#include "weft.h"

#define N ((size_t)3000)
#define SWAPPERS 2
#define READERS 2

static weft_pool *pool;
static weft_array *array;
static unsigned long swaps = 400;
static atomic_ulong sections, full, taken;
static atomic_uint swappers_left = SWAPPERS + 1;

static void swap(uint64_t by, uint64_t number) {
    uint64_t *items = malloc(N * sizeof *items);
    CHECK(items);
    for (size_t i = 0; i < N; i++)
        items[i] = number << 8 | by;
    weft_status status = weft_array_swap(array, items);
    CHECK(status == WEFT_OK || status == WEFT_EAGAIN);
    full += status == WEFT_EAGAIN;
    taken += status == WEFT_OK;
    free(items);
}

static void *swapper(void *arg) {
    for (unsigned long i = 1; i <= swaps; i++)
        swap((uint64_t)(uintptr_t)arg, i);
    swappers_left--;
    return NULL;
}

static void swap_task(void *arg) {
    swap(SWAPPERS + 1, (uint64_t)(uintptr_t)arg);
}

static uint64_t stamp_of(weft_reading reading) {
    const uint64_t *items = weft_array_read_local(reading);
    for (size_t i = 1; i < N; i++)
        CHECK(items[i] == items[0]);
    return items[0];
}

struct section {
    weft_reading reading;
    uint64_t stamp;
};

static void look(void *arg, weft_range range) {
    const struct section *section = arg;
    (void)range;
    CHECK(stamp_of(section->reading) == section->stamp);
}

static void read_section(uint64_t *newest, bool with_loop) {
    struct section section = {.reading = weft_array_read_begin(array)};
    section.stamp = stamp_of(section.reading);
    uint64_t by = section.stamp & 0xff;
    CHECK(by <= SWAPPERS + 1 && section.stamp >= newest[by]);
    newest[by] = section.stamp;
    if (with_loop)
        CHECK(!weft_for(pool, 4, look, &section, NULL));
    CHECK(stamp_of(section.reading) == section.stamp);
    weft_array_read_end(section.reading);
    sections++;
}

static void *reader(void *arg) {
    uint64_t newest[SWAPPERS + 2] = {0};
    for (unsigned i = 0; swappers_left; i++)
        read_section(newest, i % 64 == (uintptr_t)arg);
    return NULL;
}

static void read_task(void *arg) {
    uint64_t newest[SWAPPERS + 2] = {0};
    (void)arg;
    for (int i = 0; i < 3; i++)
        read_section(newest, i == 1);
}

/* Tasks read, and some swap, as long as the others do. */
static void *tasks(void *arg) {
    weft_group *group = arg;
    for (unsigned long i = 1; i <= swaps; i++) {
        for (int k = 0; k < 4; k++)
            CHECK(!weft_group_spawn(group, read_task, NULL));
        CHECK(!weft_run(pool, swap_task, (void *)(uintptr_t)i));
        CHECK(!weft_group_wait(group));
    }
    swappers_left--;
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[SWAPPERS + READERS + 1];
    weft_group *group;
    alarm(250);
    swaps = argc > 1 ? strtoul(argv[1], NULL, 0) : stress_scale(swaps);
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED};
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
    CHECK(!weft_group_create(&group, pool) && !weft_array_create(&array, pool, N, sizeof(uint64_t), &options));
    for (uintptr_t i = 0; i < SWAPPERS + READERS; i++)
        CHECK(!pthread_create(&threads[i], NULL, i < SWAPPERS ? swapper : reader, (void *)(i + 1)));
    CHECK(!pthread_create(&threads[SWAPPERS + READERS], NULL, tasks, group));
    for (int i = 0; i < SWAPPERS + READERS + 1; i++)
        CHECK(!pthread_join(threads[i], NULL));
    printf("%lu sections, %lu swaps, %lu found all slots in use\n", (unsigned long)sections, (unsigned long)taken,
           (unsigned long)full);
    CHECK(taken && taken + full == (SWAPPERS + 1) * swaps);
    CHECK(!weft_array_reclaim(array)); /* nobody reads */
    weft_array_destroy(array);
    CHECK(!weft_group_destroy(group) && !weft_pool_destroy(pool));
    return 0;
}
