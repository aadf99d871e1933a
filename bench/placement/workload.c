/* Memory, body and check of the workload. A row is touched by one thread at a time; the peer's loop orders one loop before the next. */
#include "placement/workload.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "harness/kernel.h"

#define PASSES 8       /* over a row of average cost */
#define SLEEP_NS 25000 /* in place of a pass */
#define LATE_NS 2000000
#define SECOND_NS INT64_C(1000000000)

/* Threads are numbered as they come to their first row. */
static int thread_number(void) {
    static atomic_int count;
    static _Thread_local int number = -1;
    if (number < 0)
        number = atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); /* only to differ */
    return number;
}

static size_t pages_of(const struct workload *workload) {
    return (workload->rows * WORKLOAD_ROW_BYTES - 1) / kernel_page_bytes() + 1;
}

bool workload_create(struct workload *workload, size_t rows) {
    *workload = (struct workload){.rows = rows};
    workload->ran = malloc(rows * sizeof *workload->ran);
    workload->thread = malloc(rows * sizeof *workload->thread);
    workload->x_node = malloc(pages_of(workload) * sizeof *workload->x_node);
    workload->y_node = malloc(pages_of(workload) * sizeof *workload->y_node);
    if (workload->ran && workload->thread && workload->x_node && workload->y_node)
        return true;
    workload_destroy(workload);
    return false;
}

void workload_destroy(struct workload *workload) {
    free(workload->ran);
    free(workload->thread);
    free(workload->x_node);
    free(workload->y_node);
}

bool workload_map(struct workload *workload) {
    workload->x = kernel_memory_map(workload->rows * WORKLOAD_ROW_BYTES);
    workload->y = kernel_memory_map(workload->rows * WORKLOAD_ROW_BYTES);
    return workload->x && workload->y;
}

void workload_unmap(struct workload *workload) {
    kernel_memory_unmap(workload->x, workload->rows * WORKLOAD_ROW_BYTES);
    kernel_memory_unmap(workload->y, workload->rows * WORKLOAD_ROW_BYTES);
}

static double first_x(size_t row, size_t item) {
    return (double)((row + item) % 7 + 1);
}

static double first_y(size_t row) {
    return (double)(row % 5);
}

void workload_initialise(struct workload *workload, size_t first, size_t last) {
    for (size_t row = first; row < last; row++) {
        double *x = workload->x + row * WORKLOAD_ROW_ITEMS, *y = workload->y + row * WORKLOAD_ROW_ITEMS;
        for (size_t i = 0; i < WORKLOAD_ROW_ITEMS; i++) {
            x[i] = first_x(row, i);
            y[i] = first_y(row);
        }
    }
}

static unsigned passes_of(const struct workload *workload, size_t row) {
    return workload->cost == WORKLOAD_EVEN ? PASSES : (unsigned)(2 * PASSES * row / workload->rows);
}

/* Times that x is added to y when the row runs once. */
static unsigned additions_of(const struct workload *workload, size_t row) {
    unsigned passes = passes_of(workload, row);
    return workload->body == WORKLOAD_SLEEP || !passes ? 1 : passes;
}

static void add_row(double *restrict y, const double *restrict x) {
    for (size_t i = 0; i < WORKLOAD_ROW_ITEMS; i++)
        y[i] += x[i];
}

/*
 * Sleep so that the thread's rows take time in proportion to their costs. It wakes late, and it has worked: what that took is made
 * up for in the next rows. A thread that is later than LATE_NS was without work in between, and begins anew.
 */
static void sleep_passes(unsigned passes) {
    static _Thread_local int64_t until;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t now = (int64_t)at.tv_sec * SECOND_NS + at.tv_nsec;
    until = (now - until > LATE_NS ? now : until) + (int64_t)passes * SLEEP_NS;
    if (until <= now)
        return;
    at = (struct timespec){.tv_sec = until / SECOND_NS, .tv_nsec = until % SECOND_NS};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

void workload_run(struct workload *workload, size_t first, size_t last) {
    for (size_t row = first; row < last; row++) {
        workload->ran[row] = kernel_node_here();
        workload->thread[row] = thread_number();
        for (unsigned left = additions_of(workload, row); left; left--)
            add_row(workload->y + row * WORKLOAD_ROW_ITEMS, workload->x + row * WORKLOAD_ROW_ITEMS);
        if (workload->body == WORKLOAD_SLEEP)
            sleep_passes(passes_of(workload, row));
    }
}

bool workload_begin(struct workload *workload) {
    for (size_t row = 0; row < workload->rows; row++)
        workload->ran[row] = KERNEL_NO_NODE;
    return kernel_page_nodes(workload->x, pages_of(workload), workload->x_node) &&
           kernel_page_nodes(workload->y, pages_of(workload), workload->y_node);
}

static void count_visit(struct workload_share *share, int lies, int ran) {
    share->visits++;
    share->local += lies == ran;
    if (lies >= 0 && lies < WORKLOAD_MAX_NODES)
        share->on[lies]++;
}

bool workload_end(const struct workload *workload, struct workload_share *share) {
    unsigned work[WORKLOAD_MAX_THREADS] = {0}, sum = 0, most = 0;
    *share = (struct workload_share){0};
    for (size_t row = 0; row < workload->rows; row++) {
        size_t page = row * WORKLOAD_ROW_BYTES / kernel_page_bytes();
        if (workload->ran[row] == KERNEL_NO_NODE || workload->thread[row] >= WORKLOAD_MAX_THREADS)
            return false;
        unsigned *own = &work[workload->thread[row]], cost = passes_of(workload, row);
        sum += cost;
        *own += cost;
        most = *own > most ? *own : most;
        count_visit(share, workload->x_node[page], workload->ran[row]);
        count_visit(share, workload->y_node[page], workload->ran[row]);
    }
    share->busiest = sum ? (double)most / sum : 1;
    return true;
}

bool workload_is_right(const struct workload *workload, unsigned loops) {
    for (size_t row = 0; row < workload->rows; row++) {
        const double *y = workload->y + row * WORKLOAD_ROW_ITEMS;
        double added = (double)additions_of(workload, row) * loops;
        for (size_t i = 0; i < WORKLOAD_ROW_ITEMS; i++)
            if (y[i] != first_y(row) + added * first_x(row, i))
                return false;
    }
    return true;
}
