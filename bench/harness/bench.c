/* Measurement of rows. Samples are of batches long enough for the clock; the runs of a batch follow each other without a pause. */
#include "harness/bench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "harness/threads.h"

#define MAX_SAMPLES 2000
#define MIN_SAMPLES 3
#define PATIENCE 10 /* times as long as asked for, and even MIN_SAMPLES are too many */
#define MAX_TALLIES 64
#define BATCH_NS 50000.0
#define WARM_UP 0.2 /* of the measurement */

unsigned bench_workers;
double bench_milliseconds;
__thread struct bench_tally *bench_own_tally;

struct measurement {
    double *samples; /* of count batches */
    unsigned count, batch;
    double cpus; /* CPUs busy with the process meanwhile */
};

static bool failed;
static struct { _Alignas(64) struct bench_tally tally; } tallies[MAX_TALLIES];
static atomic_uint tally_count;

int64_t bench_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

double bench_cpu_ms(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
}

void bench_sleep_us(unsigned us) {
    nanosleep(&(struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000L}, NULL);
}

/* Relaxed: a number to be alone under, it publishes nothing. */
void bench_add_tally(void) {
    unsigned at = atomic_fetch_add_explicit(&tally_count, 1, memory_order_relaxed);
    bench_own_tally = &tallies[at < MAX_TALLIES ? at : MAX_TALLIES - 1].tally;
}

uint64_t bench_counted(uint64_t *most) {
    uint64_t sum = 0;
    *most = 0;
    for (unsigned i = 0; i < MAX_TALLIES; i++) {
        uint64_t items = *(volatile uint64_t *)&tallies[i].tally.items;
        sum += items;
        *most = items > *most ? items : *most;
    }
    return sum;
}

void bench_forget_counts(void) {
    for (unsigned i = 0; i < MAX_TALLIES; i++)
        tallies[i].tally.items = 0;
}

bool bench_begin(int argc, char **argv, const char *version) {
    bench_workers = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
    bench_milliseconds = argc == 3 ? atof(argv[2]) : 0;
    if (!bench_workers || bench_milliseconds < 0) {
        fprintf(stderr, "usage: %s WORKERS MILLISECONDS\n", argv[0]);
        return false;
    }
    printf("{\"version\": \"%s\"}\n", version);
    return true;
}

void bench_runtime(const char *name, const char *version) {
    printf("{\"runtime\": \"%s\", \"version\": \"%s\"}\n", name ? name : "", version);
}

void bench_fail(const char *row, const char *way, const char *what) {
    fprintf(stderr, "%s%s%s: %s\n", row, *way ? ", " : "", way, what);
    failed = true;
}

static bool run_once(const struct bench_row *row, double *ns) {
    if (row->prepare)
        row->prepare(row->what);
    if (row->gap_us)
        bench_sleep_us(row->gap_us);
    int64_t start = bench_now_ns();
    bool right = row->run(row->what);
    *ns = (double)(bench_now_ns() - start);
    return right && (!row->check || row->check(row->what));
}

static bool run_batch(const struct bench_row *row, unsigned runs, double *ns) {
    if (runs == 1)
        return run_once(row, ns);
    bool right = true;
    int64_t start = bench_now_ns();
    for (unsigned i = 0; i < runs; i++)
        right &= row->run(row->what);
    *ns = (double)(bench_now_ns() - start) / runs;
    return right;
}

/* Runs until the time is over; the last measured time is one of a warm runtime. */
static bool warm_up(const struct bench_row *row, double *ns) {
    double limit = bench_milliseconds * WARM_UP * 1e6;
    int64_t start = bench_now_ns();
    do {
        if (!run_once(row, ns))
            return false;
    } while ((double)(bench_now_ns() - start) < limit);
    return true;
}

static unsigned batch_of(const struct bench_row *row, double ns) {
    if (row->prepare || row->check || row->gap_us || ns >= BATCH_NS)
        return 1;
    return ns < 1 ? (unsigned)BATCH_NS : (unsigned)(BATCH_NS / ns) + 1;
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static void print(const struct bench_row *row, struct measurement *of) {
    double *samples = of->samples;
    unsigned count = of->count;
    qsort(samples, count, sizeof *samples, compare);
    printf("{\"row\": \"%s\", \"way\": \"%s\", \"value\": %.6g, \"p10\": %.6g, \"p90\": %.6g, \"p99\": %.6g", row->row, row->way,
           samples[count / 2] / row->units, samples[count / 10] / row->units, samples[count * 9 / 10] / row->units,
           samples[count * 99 / 100] / row->units);
    printf(", \"samples\": %u, \"runs\": %u, \"cpus\": %.4f", count, count * of->batch, of->cpus);
    uint64_t most, items = bench_counted(&most);
    if (items)
        printf(", \"others\": %.4f", 1 - (double)most / (double)items);
    printf("}\n");
    fflush(stdout);
}

/* One sample of each row. False: a run failed. */
static bool sample(const struct bench_row *rows, struct measurement *of, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        if (!run_batch(&rows[i], of[i].batch, &of[i].samples[of[i].count++]))
            return false;
    return true;
}

/* False: a run failed. */
static bool measure(const struct bench_row *rows, struct measurement *of, unsigned count) {
    double ns, limit = bench_milliseconds * count * 1e6, elapsed;
    for (unsigned i = 0; i < count; i++) {
        if (!warm_up(&rows[i], &ns))
            return false;
        of[i].batch = batch_of(&rows[i], ns);
    }
    double cpu = bench_cpu_ms() * 1e6;
    int64_t start = bench_now_ns();
    do {
        if (!sample(rows, of, count))
            return false;
        elapsed = (double)(bench_now_ns() - start);
    } while (of->count < MAX_SAMPLES && elapsed < (of->count < MIN_SAMPLES ? PATIENCE : 1) * limit);
    cpu = bench_cpu_ms() * 1e6 - cpu;
    for (unsigned i = 0; i < count; i++) {
        of[i].cpus = cpu / elapsed;
        if (rows[i].check_all && !rows[i].check_all(rows[i].what))
            return false;
    }
    return true;
}

void bench_measure(const struct bench_row *row) {
    static double samples[MAX_SAMPLES];
    struct measurement of = {.samples = samples};
    bench_forget_counts();
    if (measure(row, &of, 1))
        print(row, &of);
    else
        bench_fail(row->row, row->way, "failed, or the result is wrong");
}

void bench_measure_pair(const struct bench_row *other, const char *name, const char *version, const struct bench_row *own,
                        const char *own_version) {
    static double samples[2][MAX_SAMPLES];
    const struct bench_row rows[] = {*other, *own};
    struct measurement of[] = {{.samples = samples[0]}, {.samples = samples[1]}};
    bench_forget_counts();
    if (!measure(rows, of, 2)) {
        bench_fail(own->row, own->way, "failed, or the result is wrong, of it or of what it is compared with");
        return;
    }
    bench_runtime(name, version);
    print(other, &of[0]);
    bench_runtime(NULL, own_version);
    print(own, &of[1]);
}

void bench_print(const char *row, const char *way, double value) {
    printf("{\"row\": \"%s\", \"way\": \"%s\", \"value\": %.6g}\n", row, way, value);
}

int bench_end(void) {
    double ns = threads_round_trip_ns(bench_milliseconds > 0 ? 2000 : 10);
    printf("{\"round_trip_ns\": %.1f}\n", ns);
    return failed;
}
