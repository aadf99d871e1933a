/*
 * What every program of a workload shares: its arguments, the measurement of a row, the check of every result before a time is
 * printed, and one line of JSON per row.
 *
 *     PROGRAM WORKERS MILLISECONDS
 *
 * measures each row for about MILLISECONDS; with 0 each row runs twice, which checks it and says little about its time. Threads: the
 * one that measures, unless a function says otherwise.
 */
#ifndef BENCH_HARNESS_BENCH_H
#define BENCH_HARNESS_BENCH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One line of the table. */
struct bench_row {
    const char *row;               /* the case of the workload: "fib(30)" */
    const char *way;               /* how the peer runs it, where there are several: a schedule, a call; else "" */
    double units;                  /* of work in one run: its time is divided by them */
    unsigned gap_us;               /* sleep as long before every run; each run is timed alone then */
    void (*prepare)(void *what);   /* before every run, not timed; NULL: nothing */
    bool (*run)(void *what);       /* one run; false: failed, or a wrong result */
    bool (*check)(void *what);     /* after every run, not timed; false: a wrong result; NULL: run() has looked */
    bool (*check_all)(void *what); /* after all runs, with the items counted in all of them; NULL: nothing is left to check */
    void *what;
};

/* The program's arguments. */
extern unsigned bench_workers;
extern double bench_milliseconds;

/* Read the arguments and say who measures. False, after a line on stderr: unusable. */
bool bench_begin(int argc, char **argv, const char *version);

/* The rows from now on are of another runtime in the same program, or (NULL) of the program's own again. */
void bench_runtime(const char *name, const char *version);

/* Warm up, measure, check, print. A failed row prints no time, and makes bench_end() return 1. */
void bench_measure(const struct bench_row *row);

/*
 * The same for a row of another runtime in the same program and one of the program's own, a sample of each in turn: what disturbs one
 * disturbs the other, and their ratio less than either.
 */
void bench_measure_pair(const struct bench_row *other, const char *name, const char *version, const struct bench_row *own,
                        const char *own_version);

/* Print a figure that was measured otherwise, in the workload's unit. */
void bench_print(const char *row, const char *way, double value);

/* Print what is wrong with a row; bench_end() returns 1. */
void bench_fail(const char *row, const char *way, const char *what);

/* Time a cache line's round trip between the two CPUs, print it, and return the exit code. The runtime has been stopped. */
int bench_end(void);

int64_t bench_now_ns(void);
double bench_cpu_ms(void); /* that the process has used so far */
void bench_sleep_us(unsigned us);

/* Items that each thread ran. They tell whether more than one took part, and, with the values, that each item ran once. */
struct bench_tally { /* on a line of its own: written by its thread, read between two runs */
    uint64_t items;
    uint64_t last; /* free for the workload, from one item to the next */
};
extern __thread struct bench_tally *bench_own_tally;

/* Make the calling thread's tally. Threads: any. */
void bench_add_tally(void);

/* Count one item. Threads: any. */
static inline void bench_count(void) {
    if (!bench_own_tally)
        bench_add_tally();
    bench_own_tally->items++;
}

/* Items of all threads, and of the thread that ran most. Other threads may be counting: then it is a moment's figure. */
uint64_t bench_counted(uint64_t *most);
void bench_forget_counts(void);

#ifdef __cplusplus
}
#endif
#endif
