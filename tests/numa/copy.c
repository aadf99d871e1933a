/*
 * Copies and fills run where the pages of their destination lie, scattered over the nodes; pages that were absent come to all nodes in
 * equal parts. Where a page is says move_pages(2); where it was written says the CPU that memcpy() and memset() were called on, which
 * the linker leads here.
 */
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "numa.h"

#define PAGES 2003
#define MOVE 2 /* MPOL_MF_MOVE */

static struct machine machine;
static size_t page;
static char *watched; /* PAGES pages: who writes them is noted */
static int wrote[PAGES];

void *__real_memcpy(void *to, const void *from, size_t bytes);
void *__real_memset(void *to, int value, size_t bytes);
void *__wrap_memcpy(void *to, const void *from, size_t bytes);
void *__wrap_memset(void *to, int value, size_t bytes);

static void note(const char *to, size_t bytes) {
    if (!watched || to < watched || to >= watched + PAGES * page)
        return;
    for (size_t at = (size_t)(to - watched) / page; at * page < (size_t)(to - watched) + bytes; at++)
        wrote[at] = machine.cpu_node[sched_getcpu()];
}

void *__wrap_memcpy(void *to, const void *from, size_t bytes) {
    note(to, bytes);
    return __real_memcpy(to, from, bytes);
}

void *__wrap_memset(void *to, int value, size_t bytes) {
    note(to, bytes);
    return __real_memset(to, value, bytes);
}

static char *map(void) {
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    return data;
}

static void scatter(char *data, unsigned count) {
    void *pages[PAGES];
    int nodes[PAGES], answers[PAGES];
    unsigned seed = 4711;
    for (size_t i = 0; i < PAGES; i++) {
        pages[i] = data + i * page;
        nodes[i] = (int)((seed = seed * 1103515245u + 12345u) >> 16) % (int)count;
        memset(pages[i], 1 + (int)(i % 100), page);
    }
    CHECK(!syscall(SYS_move_pages, 0, (unsigned long)PAGES, pages, nodes, answers, MOVE));
}

static void check_share(const char *what, const weft_loop_report *report) {
    int lies[PAGES];
    size_t local = 0;
    pages_ask(watched, PAGES * page, lies);
    for (size_t i = 0; i < PAGES; i++) {
        local += wrote[i] == lies[i];
        wrote[i] = NO_NODE;
    }
    double share = percent(local, PAGES), reported = percent(report->iterations_local, PAGES * page);
    printf("%s: %.1f %% of the pages were written on their node (reported: %.1f %% of the bytes)\n", what, share, reported);
    CHECK(report->iterations == PAGES * page && share >= 99.5 && reported >= 99.5 && !report->iterations_unknown);
}

int main(void) {
    machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (machine.nodes < 2) {
        printf("one node: nothing can lie elsewhere\n");
        return 77;
    }
    weft_pool *pool = start_pool();
    weft_loop_report report;
    weft_copy_options options = {WEFT_COPY_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC, .report = &report};
    char *from = map(), *to = map(), *fresh = map();
    scatter(from, machine.nodes);
    scatter(to, machine.nodes);
    watched = to;
    OK(weft_memset(pool, to, 0, PAGES * page, &options));
    check_share("filled", &report);
    OK(weft_memcpy(pool, to, from, PAGES * page, &options));
    check_share("copied", &report);
    CHECK(!memcmp(to, from, PAGES * page));

    OK(weft_memcpy(pool, fresh, from, PAGES * page, &options));
    struct pages found = pages_ask(fresh, PAGES * page, NULL);
    CHECK(found.present == PAGES && report.iterations_unknown == PAGES * page && !memcmp(fresh, from, PAGES * page));
    for (unsigned node = 0; node < machine.nodes; node++) {
        printf("of pages that were absent node %u has %.1f %%\n", node, percent(found.on[node], PAGES));
        CHECK(found.on[node] * machine.nodes > PAGES / 10 * 9 && found.on[node] * machine.nodes < PAGES / 10 * 11);
    }
    OK(weft_pool_destroy(pool));
    return 0;
}
