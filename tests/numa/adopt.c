/*
 * Loops over memory that weft did not allocate run where its pages lie, in whatever order these are over the nodes; a repair brings
 * them where the array's place says. Where a page is says move_pages(2); where an item ran says the CPU it ran on.
 *
 * adopt --shifted   compares with the node behind the one where a page lies; the checks must then fail (exit 1)
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa.h"

#define PAGES 2003
#define ABSENT 17 /* every so many pages one stays absent */
#define MOVE 2    /* MPOL_MF_MOVE */

static struct machine machine;
static weft_pool *pool;
static size_t page;
static unsigned shifted;
static int lies[PAGES], ran[PAGES];

static void note(void *arg, weft_range range) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        ran[i] = machine.cpu_node[sched_getcpu()];
}

static void scatter(char *data) {
    void *pages[PAGES];
    int nodes[PAGES], answers[PAGES];
    unsigned seed = 12345;
    for (size_t i = 0; i < PAGES; i++) {
        pages[i] = data + i * page;
        nodes[i] = (int)((seed = seed * 1103515245u + 12345u) >> 16) % (int)machine.nodes;
        if (i % ABSENT)
            memset(pages[i], 1 + (int)(i % 100), page);
    }
    CHECK(!syscall(SYS_move_pages, 0, (unsigned long)PAGES, pages, nodes, answers, MOVE));
}

/* Share of the items on present pages that ran where their page lies. */
static double local_share(weft_array *array, const char *data, double *reported) {
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC, .report = &report};
    for (size_t i = 0; i < PAGES; i++)
        ran[i] = NO_NODE;
    struct pages found = pages_ask(data, PAGES * page, lies);
    OK(weft_for_array(array, note, NULL, &options));
    size_t local = 0;
    for (size_t i = 0; i < PAGES; i++) {
        if (ran[i] == NO_NODE)
            FAIL("item %zu did not run", i);
        local += lies[i] != NO_NODE && ran[i] == (lies[i] + (int)shifted) % (int)machine.nodes;
    }
    CHECK(report.iterations == PAGES);
    *reported = percent(report.iterations_local, found.present);
    return percent(local, found.present);
}

static void check_content(const char *data) {
    for (size_t i = 0; i < PAGES; i++)
        CHECK(data[i * page] == (i % ABSENT ? 1 + (char)(i % 100) : 0));
}

int main(int argc, char **argv) {
    shifted = argc > 1 && !strcmp(argv[1], "--shifted");
    machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (machine.nodes < 2) {
        printf("one node: nothing can lie elsewhere\n");
        return 77;
    }
    pool = start_pool();
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    scatter(data);
    weft_array *array;
    OK(weft_array_adopt(&array, pool, data, PAGES, page, NULL));
    double reported, share = local_share(array, data, &reported);
    printf("scattered: %.1f %% of the items ran where their page lies (reported: %.1f %%)\n", share, reported);
    CHECK(share >= 99.5 && reported >= 99.5);

    weft_migration migration;
    OK(weft_array_migrate(array, &migration));
    printf("repaired: %zu moved, %zu were there, %zu absent, %zu refused\n", migration.moved, migration.there_already,
           migration.absent, migration.refused);
    CHECK(migration.pages == PAGES && migration.moved > PAGES / 4 && !migration.refused);
    CHECK(migration.absent == (PAGES - 1) / ABSENT + 1);
    weft_placement placement;
    OK(weft_array_query(array, (weft_range){0, PAGES}, WEFT_QUERY_EXACT, &placement, NULL, 0));
    CHECK(placement.pages_expected == PAGES - migration.absent);
    share = local_share(array, data, &reported);
    size_t changes = 0;
    for (size_t i = 1, last = 1; i < PAGES; i++)
        if (lies[i] != NO_NODE) {
            changes += lies[i] != lies[last];
            last = i;
        }
    printf("repaired: %.1f %% local (reported: %.1f %%), pages change nodes %zu times\n", share, reported, changes);
    CHECK(share >= 99.5 && reported >= 99.5 && changes == machine.nodes - 1);
    check_content(data);
    weft_array_destroy(array);
    OK(weft_pool_destroy(pool));
    check_content(data);
    return 0;
}
