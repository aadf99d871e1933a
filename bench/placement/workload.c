/* Memory, body and check of the workload. A row is touched by one thread at a time; the peer's loop orders one loop before the next. */
#include "placement/workload.h"

#include <stdlib.h>

#include "harness/kernel.h"
#include "harness/pace.h"

#define PASSES 8           /* over a row of average cost */
#define AHEAD (2 * PASSES) /* passes that a thread in step may be before another */

static size_t pages_of(const struct workload *workload) {
    return (workload->rows * WORKLOAD_ROW_BYTES - 1) / kernel_page_bytes() + 1;
}

bool workload_create(struct workload *workload, size_t rows, unsigned threads) {
    *workload = (struct workload){.rows = rows, .threads = threads};
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
    return passes ? passes : 1;
}

static void add_row(double *restrict y, const double *restrict x) {
    for (size_t i = 0; i < WORKLOAD_ROW_ITEMS; i++)
        y[i] += x[i];
}

void workload_run(struct workload *workload, size_t first, size_t last) {
    bool in_step = workload->body == WORKLOAD_IN_STEP;
    if (in_step)
        pace_enter();
    for (size_t row = first; row < last; row++) {
        workload->ran[row] = kernel_node_here();
        workload->thread[row] = pace_thread();
        for (unsigned left = additions_of(workload, row); left; left--)
            add_row(workload->y + row * WORKLOAD_ROW_ITEMS, workload->x + row * WORKLOAD_ROW_ITEMS);
        if (in_step)
            pace_advance(passes_of(workload, row), AHEAD);
    }
    if (in_step)
        pace_leave();
}

bool workload_begin(struct workload *workload) {
    for (size_t row = 0; row < workload->rows; row++)
        workload->ran[row] = KERNEL_NO_NODE;
    pace_begin(workload->threads);
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
    unsigned work[PACE_MAX_THREADS] = {0}, sum = 0, most = 0;
    *share = (struct workload_share){0};
    for (size_t row = 0; row < workload->rows; row++) {
        size_t page = row * WORKLOAD_ROW_BYTES / kernel_page_bytes();
        if (workload->ran[row] == KERNEL_NO_NODE)
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
