/*
 * Several outside threads run loops with reports over one array at once, while others make, touch and release arrays of
 * their own in the same pool. Checked: sums, reports, and content that a concurrent touch must not lose.
 * Usage: stress_array [rounds [topology]]; exit 0 or 1.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft.h"

#define N ((size_t)200000)
#define LOOPERS 3
#define MAKERS 2

static weft_pool *pool;
static weft_array *shared;
static unsigned long rounds = 30;
static atomic_uint wrong;

#define EXPECT(truth)                                                                                                            \
    do {                                                                                                                         \
        if (!(truth)) {                                                                                                          \
            printf("line %d: %s; %s\n", __LINE__, #truth, weft_error_detail());                                                  \
            wrong++;                                                                                                             \
        }                                                                                                                        \
    } while (0)

static void add(void *arg, weft_range range) {
    _Atomic(unsigned long long) *sum = arg;
    const unsigned *items = weft_array_data(shared);
    unsigned long long part = 0;
    for (size_t i = range.first; i < range.last; i++)
        part += items[i];
    atomic_fetch_add(sum, part);
}

static void number(void *arg, weft_range range) {
    unsigned *items = arg;
    for (size_t i = range.first; i < range.last; i++)
        items[i] = (unsigned)i;
}

static void *loop(void *arg) {
    (void)arg;
    for (unsigned long round = 0; round < rounds; round++) {
        _Atomic(unsigned long long) sum = 0;
        weft_loop_report report;
        weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .report = &report, .schedule = (weft_schedule)(round % 2)};
        EXPECT(weft_for_array(shared, add, &sum, &options) == WEFT_OK);
        EXPECT(sum == (unsigned long long)N * (N - 1) / 2);
        EXPECT(report.iterations == N && report.iterations_local + report.iterations_unknown <= N);
    }
    return NULL;
}

static void *make(void *arg) {
    (void)arg;
    for (unsigned long round = 0; round < rounds; round++) {
        weft_array *array = NULL;
        weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = (weft_place)(round % 4)};
        EXPECT(weft_array_create(&array, pool, N, sizeof(unsigned), &options) == WEFT_OK);
        if (!array)
            return NULL;
        unsigned *items = weft_array_data(array);
        EXPECT(weft_for_array(array, number, items, NULL) == WEFT_OK);
        EXPECT(weft_array_touch(array) == WEFT_OK);
        EXPECT(weft_touch(pool, items, N * sizeof *items, sizeof *items) == WEFT_OK);
        if (options.place == WEFT_REPLICATED)
            EXPECT(weft_array_replicate(array, items) == WEFT_OK);
        size_t right = 0;
        for (size_t i = 0; i < N; i++)
            right += items[i] == i;
        EXPECT(right == N);
        weft_array_destroy(array);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t threads[LOOPERS + MAKERS];
    if (argc > 1)
        rounds = strtoul(argv[1], NULL, 0);
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = argc > 2 ? argv[2] : "node:2 core:2 pu:1"};
    if (weft_pool_create(&pool, &options) != WEFT_OK || weft_array_create(&shared, pool, N, sizeof(unsigned), NULL) != WEFT_OK ||
        weft_for_array(shared, number, weft_array_data(shared), NULL) != WEFT_OK)
        return puts(weft_error_detail()), 1;
    for (int i = 0; i < LOOPERS + MAKERS; i++)
        if (pthread_create(&threads[i], NULL, i < LOOPERS ? loop : make, NULL))
            return puts("no thread"), 1;
    for (int i = 0; i < LOOPERS + MAKERS; i++)
        pthread_join(threads[i], NULL);
    weft_array_destroy(shared);
    EXPECT(weft_pool_destroy(pool) == WEFT_OK);
    printf("rounds %lu: %u wrong\n", rounds, (unsigned)wrong);
    return wrong ? 1 : 0;
}
