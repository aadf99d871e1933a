/*
 * Loops over memory that weft did not allocate run where its pages lie, in whatever order these are over the nodes; a repair brings
 * them where the array's place says. Where a page is says move_pages(2); where an item ran says the CPU it ran on.
 *
 * adopt --shifted   compares with the node behind the one where a page lies; the checks must then fail (exit 1)
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adopted.h"

#define ABSENT 17 /* every so many pages one stays absent */

static struct machine machine;
static weft_pool *pool;
static size_t page;
static unsigned shifted;

/* Pages that begin at a multiple of a huge page. */
static char *map(size_t count, int advice) {
    size_t huge = (size_t)2 << 20;
    char *raw = mmap(NULL, count * page + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(raw != MAP_FAILED);
    char *data = raw + (huge - (uintptr_t)raw % huge);
    CHECK(!madvise(data, count * page, advice));
    return data;
}

static char content(size_t i) {
    return (char)(1 + i % 101);
}

/* Touch all but every step-th page, and scatter them. */
static void scatter(char *data, size_t count, size_t step) {
    int *nodes = malloc(count * sizeof *nodes);
    unsigned seed = 12345;
    CHECK(nodes);
    for (size_t i = 0; i < count; i++) {
        nodes[i] = (int)((seed = seed * 1103515245u + 12345u) >> 16) % (int)machine.nodes;
        if (!step || i % step)
            memset(data + i * page, content(i), page);
    }
    pages_put(data, count, nodes);
    free(nodes);
}

static void check_content(const char *data, size_t count, size_t step) {
    for (size_t i = 0; i < count; i++)
        for (size_t byte = 0; byte < page; byte += 512)
            CHECK(data[i * page + byte] == (!step || i % step ? content(i) : 0));
}

static size_t node_changes(const char *data, size_t count) {
    int *lies = malloc(count * sizeof *lies), last = NO_NODE;
    size_t changes = 0;
    CHECK(lies);
    pages_ask(data, count * page, lies);
    for (size_t i = 0; i < count; i++)
        if (lies[i] != NO_NODE) {
            changes += last != NO_NODE && lies[i] != last;
            last = lies[i];
        }
    free(lies);
    return changes;
}

/* An item per page, in any order, with holes. */
static void check_scattered(void) {
    enum { PAGES = 2003 };
    char *data = map(PAGES, MADV_NOHUGEPAGE);
    scatter(data, PAGES, ABSENT);
    struct adopted adopted = adopt("scattered", &machine, pool, data, PAGES, page, NULL);
    adopted.shifted = shifted;
    adopted_follows(&adopted);
    weft_migration report = adopted_repair(&adopted, NULL);
    CHECK(report.moved > PAGES / 4 && !report.refused && report.absent == (PAGES - 1) / ABSENT + 1);
    CHECK(node_changes(data, PAGES) == machine.nodes - 1);
    weft_array_destroy(adopted.array);
    check_content(data, PAGES, ABSENT);
    munmap(data, PAGES * page);
}

/* The first item begins inside a page, the last ends inside one, and items reach over the ends of pages; their neighbours stay. */
static void check_unaligned(size_t offset, size_t item_bytes) {
    enum { PAGES = 200 };
    char *data = map(PAGES, MADV_NOHUGEPAGE);
    scatter(data, PAGES, 0);
    int before[PAGES], after[PAGES];
    pages_ask(data, PAGES * page, before);
    size_t first = page + offset, n = ((PAGES - 1) * page - first - 1) / item_bytes; /* all but the first page and the last */
    struct adopted adopted = adopt("inside pages", &machine, pool, data + first, n, item_bytes, NULL);
    CHECK((first + n * item_bytes) % page);
    adopted_follows(&adopted);
    weft_migration report = adopted_repair(&adopted, NULL);
    CHECK(report.moved > PAGES / 4 && !report.refused && !report.absent);
    CHECK(report.pages == (first + n * item_bytes - 1) / page - first / page + 1);
    pages_ask(data, PAGES * page, after);
    CHECK(before[0] == after[0] && before[PAGES - 1] == after[PAGES - 1]);
    weft_array_destroy(adopted.array);
    check_content(data, PAGES, 0);
    munmap(data, PAGES * page);
}

static bool is_huge(const char *data, size_t bytes) {
    char line[256];
    unsigned long first, last;
    size_t kib = 0;
    bool in = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    CHECK(file);
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%lx-%lx ", &first, &last) == 2)
            in = (uintptr_t)data >= first && (uintptr_t)data < last;
        else if (in && sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
            break;
    fclose(file);
    return kib * 1024 >= bytes;
}

/*
 * Huge pages, the first and the last of them partly the array's: each moves as a whole, to one node, and stays one, also where they are
 * so few that parts are uneven.
 */
static void check_huge(const char *name, size_t huge) {
    size_t huge_pages = ((size_t)2 << 20) / page, count = huge * huge_pages;
    char *data = map(count, MADV_HUGEPAGE);
    int *nodes = malloc(count * sizeof *nodes);
    CHECK(nodes);
    for (size_t i = 0; i < count; i++)
        memset(data + i * page, content(i), page);
    CHECK(is_huge(data, count * page));
    for (size_t i = 0; i < count; i++)
        nodes[i] = (int)((i / huge_pages + 1) % machine.nodes);
    for (size_t i = 0; i < count; i += huge_pages)
        pages_put(data + i * page, 1, nodes + i);
    size_t first = 3 * page + 40, item_bytes = page / 2 + 24, n = (count * page - first - 5 * page) / item_bytes;
    struct adopted adopted = adopt(name, &machine, pool, data + first, n, item_bytes, NULL);
    adopted_follows(&adopted);
    weft_migration report = adopted_repair(&adopted, NULL);
    CHECK(report.moved && !report.absent && !report.refused);
    pages_ask(data, count * page, nodes);
    for (size_t i = 0; i < count; i++)
        CHECK(nodes[i] == nodes[i - i % huge_pages]);
    CHECK(is_huge(data, count * page));
    weft_array_destroy(adopted.array);
    check_content(data, count, 0);
    free(nodes);
    munmap(data, count * page);
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
    check_scattered();
    check_unaligned(1000, 24);
    check_unaligned(8, page + 56);
    check_huge("few huge pages", machine.nodes + 1);
    check_huge("huge pages", 4 * weft_pool_workers(pool) + 1);
    OK(weft_pool_destroy(pool));
    return 0;
}
