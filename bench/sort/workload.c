#include "sort/workload.h"

#include <stdlib.h>
#include <string.h>

#include "harness/bench.h"

#define COUNT (64l << 20)
#define TINY (1l << 20) /* where nothing is timed */

double *sort_doubles;
struct record *sort_records;
static struct record *input;
static uint64_t sum, mix;

static struct fork_join_case cases[] = {{"64 Mi doubles", COUNT, 0, 1e6}, {"64 Mi records", -COUNT, 0, 1e6}, {0}};

static uint64_t mixed(uint64_t x) {
    x = (x ^ x >> 32) * UINT64_C(0x9e3779b97f4a7c15);
    return x ^ x >> 29;
}

static bool begin(void) {
    size_t count = COUNT;
    if (bench_milliseconds <= 0) {
        cases[0] = (struct fork_join_case){"1 Mi doubles", TINY, 0, 1e6};
        cases[1] = (struct fork_join_case){"1 Mi records", -TINY, 0, 1e6};
        count = TINY;
    }
    input = malloc(count * sizeof *input);
    sort_doubles = malloc(count * sizeof *sort_doubles);
    sort_records = malloc(count * sizeof *sort_records);
    if (!input || !sort_doubles || !sort_records)
        return false;
    for (size_t i = 0; i < count; i++) {
        double key = (double)(mixed(i + 1) >> 11) * 0x1p-53;
        uint64_t bits;
        memcpy(&bits, &key, sizeof bits);
        input[i] = (struct record){key, bits * 3};
        sum += bits;
        mix += mixed(bits);
    }
    return true;
}

static void prepare(long size) {
    for (long i = 0; i < size; i++)
        sort_doubles[i] = input[i].key;
    if (size < 0)
        memcpy(sort_records, input, (size_t)-size * sizeof *input);
}

/* In order, records whole, and the same numbers as before as far as two sums tell. */
static bool check(long size) {
    size_t count = (size_t)(size < 0 ? -size : size);
    uint64_t is_sum = 0, is_mix = 0;
    double before = -1;
    for (size_t i = 0; i < count; i++) {
        double key = size < 0 ? sort_records[i].key : sort_doubles[i];
        uint64_t bits;
        memcpy(&bits, &key, sizeof bits);
        if (key < before || (size < 0 && sort_records[i].value != bits * 3))
            return false;
        before = key;
        is_sum += bits;
        is_mix += mixed(bits);
    }
    return is_sum == sum && is_mix == mix;
}

const struct fork_join_workload fork_join_workload = {.cases = cases, .begin = begin, .prepare = prepare, .check = check};
