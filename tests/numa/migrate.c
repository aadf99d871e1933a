/*
 * Migration moves what it says: every page that is present, nothing else, with its content. Where pages are before and after says
 * move_pages(2), and weft's counts are compared with that.
 *
 * migrate --wrong-node   compares with another node than the pages moved to; the checks must then fail (exit 1)
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "numa.h"

#define HOLE 7 /* every so many pages one stays absent */

static struct machine machine;
static weft_pool *pool;
static size_t page;
static unsigned wrong; /* added to the node that pages should be on */

/* Memory with the node of each of its pages, twice. */
struct memory {
    char *data;
    size_t count;
    int *before, *after;
};

static struct memory memory_of(void *data, size_t count) {
    struct memory memory = {data, count, malloc(count * sizeof(int)), malloc(count * sizeof(int))};
    CHECK(data && data != MAP_FAILED && memory.before && memory.after);
    return memory;
}

static void *map(size_t count, int advice) {
    size_t align = (size_t)2 << 20;
    char *raw = mmap(NULL, count * page + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(raw != MAP_FAILED);
    char *data = raw + (align - (uintptr_t)raw % align);
    CHECK(!madvise(data, count * page, advice));
    return data;
}

static void forget(struct memory *memory) {
    free(memory->before);
    free(memory->after);
}

static char content(size_t page_index) {
    return (char)(1 + page_index % 101);
}

/* Touch from a CPU of one node; step > 1: leave every step-th page alone. */
static void touch_on(int node, const struct memory *memory, size_t step) {
    run_on_node(&machine, node);
    for (size_t i = 0; i < memory->count; i++)
        if (step == 1 || i % step)
            memset(memory->data + i * page, content(i), page);
    run_on_node(&machine, NO_NODE);
}

static void displace(const struct memory *memory, int node) {
    int *nodes = malloc(memory->count * sizeof *nodes);
    CHECK(nodes);
    for (size_t i = 0; i < memory->count; i++)
        nodes[i] = node;
    pages_put(memory->data, memory->count, nodes);
    free(nodes);
}

static struct pages ask(const struct memory *memory, int *nodes) {
    return pages_ask(memory->data, memory->count * page, nodes);
}

static size_t changed(const struct memory *memory) {
    size_t pages = 0;
    for (size_t i = 0; i < memory->count; i++)
        pages += memory->before[i] != memory->after[i];
    return pages;
}

static void check_content(const struct memory *memory) {
    for (size_t i = 0; i < memory->count; i++)
        for (size_t byte = 0; memory->after[i] != NO_NODE && byte < page; byte += 512)
            CHECK(memory->data[i * page + byte] == content(i));
}

static void check_counts(const struct memory *memory, const weft_migration *report) {
    CHECK(report->page_bytes == page && report->pages == memory->count);
    CHECK(report->pages == report->moved + report->there_already + report->absent + report->refused);
    CHECK(report->moved == changed(memory));
}

static size_t huge_bytes(void) {
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "AnonHugePages: %zu kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib * 1024;
}

/* All on node `from`, some absent, to node `to`; and once more, which moves nothing. */
static void check_memory(int from, unsigned to, size_t count, bool huge) {
    size_t huge_before = huge_bytes();
    struct memory memory = memory_of(map(count, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE), count);
    touch_on(from, &memory, huge ? 1 : HOLE);
    struct pages before = ask(&memory, memory.before);
    CHECK(before.on[from] == before.present && before.present);
    CHECK(huge == (huge_bytes() >= huge_before + count * page));
    weft_migration report, again;
    OK(weft_memory_migrate(memory.data, count * page, to, &report));
    struct pages after = ask(&memory, memory.after);
    CHECK(after.present == before.present && after.on[(to + wrong) % machine.nodes] == after.present);
    for (size_t i = 0; i < count; i++)
        CHECK((memory.before[i] == NO_NODE) == (memory.after[i] == NO_NODE));
    check_counts(&memory, &report);
    CHECK(report.absent == count - before.present && !report.refused && !*report.reason);
    CHECK(!huge || huge_bytes() >= huge_before + count * page);
    check_content(&memory);
    OK(weft_memory_migrate(memory.data, count * page, to, &again));
    CHECK(!again.moved && again.there_already == before.present && again.absent == report.absent);
    printf("%s pages, node %d to %u: %zu moved, %zu were there, %zu absent; on it now %zu of %zu\n", huge ? "huge" : "base", from,
           to, report.moved, report.there_already, report.absent, after.on[to], after.present);
    munmap(memory.data, count * page);
    forget(&memory);
}

/* An array stays as it was made, and its pages come back when they were moved away. */
static void check_array(const char *what, weft_array_options options, size_t count) {
    int away = options.place == WEFT_ON_MEMORY_NODE ? 0 : (int)machine.nodes - 1;
    weft_array *array;
    options.size = sizeof options;
    OK(weft_array_create(&array, pool, count, page, &options));
    struct memory memory = memory_of(weft_array_data(array), count);
    touch_on(0, &memory, 1); /* content only: the pages are there */
    int *planned = malloc(count * sizeof *planned);
    CHECK(planned && ask(&memory, planned).present == count);
    weft_migration report;
    OK(weft_array_migrate(array, &report)); /* nothing is amiss yet */
    CHECK(!report.moved && report.there_already == count);
    displace(&memory, away);
    struct pages before = ask(&memory, memory.before), after;
    CHECK(before.on[away] == count);
    weft_placement placement;
    OK(weft_array_migrate(array, &report));
    after = ask(&memory, memory.after);
    CHECK(after.present == count);
    check_counts(&memory, &report);
    check_content(&memory);
    CHECK(!report.absent && !report.refused && !*report.reason);
    OK(weft_array_placement(array, &placement, NULL, 0));
    CHECK(placement.pages_expected == placement.pages_asked && placement.pages_asked == count);
    size_t as_planned = 0, spread = 0;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
        spread += after.on[os_node(pool, node)] > count / weft_pool_nodes(pool) + 1;
    for (size_t i = 0; i < count; i++)
        as_planned += memory.after[i] == planned[i];
    CHECK(options.place == WEFT_INTERLEAVED ? !spread : as_planned == count);
    printf("%s: %zu of %zu pages moved back, %zu were there\n", what, report.moved, count, report.there_already);
    OK(weft_array_migrate(array, &report));
    CHECK(!report.moved && report.there_already == count);
    free(planned);
    forget(&memory);
    weft_array_destroy(array);
}

/* Every copy of a replicated array. */
static void *copies[MAX_NODES];

static void note_copy(void *arg, weft_range range) {
    (void)range;
    copies[weft_current_node()] = weft_array_local(arg);
}

static void check_replicated(size_t count) {
    weft_array *array;
    weft_migration report;
    size_t moved = 0, nodes = weft_pool_nodes(pool);
    OK(weft_array_create(&array, pool, count, page, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED}));
    OK(weft_for(pool, weft_pool_workers(pool), note_copy, array,
                &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    for (unsigned node = 0; node < nodes; node++) {
        struct memory memory = memory_of(copies[node], count);
        displace(&memory, os_node(pool, 0));
        moved += os_node(pool, node) == os_node(pool, 0) ? 0 : count;
        forget(&memory);
    }
    OK(weft_array_migrate(array, &report));
    for (unsigned node = 0; node < nodes; node++) {
        struct pages pages = pages_ask(copies[node], count * page, NULL);
        CHECK(pages.present == count && pages.on[os_node(pool, node)] == count);
    }
    CHECK(report.pages == count * nodes && report.moved == moved && report.there_already == count);
    printf("replicated: %zu of %zu pages moved back, each copy is on its node\n", report.moved, report.pages);
    weft_array_destroy(array);
}

/*
 * Pages that cannot move stay, and keep no others from moving: pinned ones (in a pipe), ones shared with a child, and behind them
 * ordinary ones, which the kernel does not try when it is asked for all at once.
 */
static void check_immovable(void) {
    enum { PINNED = 8, SHARED = 5, FREE = 200, ALL = PINNED + SHARED + FREE };
    unsigned to = machine.nodes - 1;
    struct memory memory = memory_of(map(ALL, MADV_NOHUGEPAGE), ALL);
    int pipes[2], parent[2];
    touch_on(0, &memory, 1);
    ask(&memory, memory.before);
    CHECK(!pipe(pipes) && !pipe(parent));
    struct iovec pinned = {memory.data, PINNED * page};
    CHECK(vmsplice(pipes[1], &pinned, 1, 0) == (ssize_t)(PINNED * page));
    CHECK(!madvise(memory.data, PINNED * page, MADV_DONTFORK));
    CHECK(!madvise(memory.data + (PINNED + SHARED) * page, FREE * page, MADV_DONTFORK));
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) { /* maps the pages until its parent is done */
        char end;
        close(parent[1]);
        _exit(read(parent[0], &end, 1) != 0);
    }
    weft_migration report;
    OK(weft_memory_migrate(memory.data, ALL * page, to, &report));
    ask(&memory, memory.after);
    check_counts(&memory, &report);
    check_content(&memory);
    printf("%d pinned, %d shared, %d others: %zu moved, %zu refused (%s)\n", PINNED, SHARED, FREE, report.moved, report.refused,
           report.reason);
    CHECK(report.moved == FREE && report.refused == PINNED + SHARED && strstr(report.reason, "shared"));
    close(parent[1]);
    CHECK(waitpid(child, NULL, 0) == child);
    OK(weft_memory_migrate(memory.data, ALL * page, to, &report));
    CHECK(report.moved == SHARED && report.refused == PINNED && strstr(report.reason, "pinned"));
    close(pipes[0]);
    close(pipes[1]);
    OK(weft_memory_migrate(memory.data, ALL * page, to, &report));
    CHECK(report.moved == PINNED && !report.refused && !*report.reason);
    printf("... %d more when the child has ended, and %d more when the pipe is closed\n", SHARED, PINNED);
    munmap(memory.data, ALL * page);
    forget(&memory);
}

/* More than a node has free: it gets what fits, the rest stays, and nobody is killed. */
static void check_full(unsigned to, int from) {
    size_t count = machine.node_free[to] / page + ((size_t)48 << 20) / page;
    struct memory memory = memory_of(map(count, MADV_NOHUGEPAGE), count);
    touch_on(from, &memory, 1);
    ask(&memory, memory.before);
    weft_migration report;
    OK(weft_memory_migrate(memory.data, count * page, to, &report));
    struct pages after = ask(&memory, memory.after);
    printf("%zu MiB to node %u, which had %zu MiB free: %zu pages moved, %zu refused (%s)\n", count * page >> 20, to,
           machine.node_free[to] >> 20, report.moved, report.refused, report.reason);
    check_counts(&memory, &report);
    check_content(&memory);
    CHECK(after.present == count && after.on[to] == report.moved + report.there_already && report.moved);
    CHECK(report.refused && strstr(report.reason, "no memory left"));
    munmap(memory.data, count * page);
    forget(&memory);
}

/* A node that is there takes pages, one that is not is an error. */
static void check_nodes(void) {
    char here = 1;
    weft_migration report = {.pages = 99};
    CHECK(weft_memory_migrate(&here, 1, machine.nodes, &report) == WEFT_EINVAL && report.pages == 99);
    printf("no such node: %s\n", weft_error_detail());
}

int main(int argc, char **argv) {
    machine = machine_read();
    pool = start_pool();
    page = (size_t)sysconf(_SC_PAGESIZE);
    wrong = argc > 1 && !strcmp(argv[1], "--wrong-node");
    for (int from = 0; from < (int)machine.nodes; from++)
        for (unsigned to = 0; machine.node_cpus[from] && to < machine.nodes; to++)
            check_memory(from, to, 200, false);
    check_memory(0, machine.nodes - 1, 5000, false);
    check_memory(0, machine.nodes - 1, 2048, true);
    check_array("partitioned", (weft_array_options){.pages = WEFT_PAGES_BASE}, 1000);
    check_array("partitioned, huge pages", (weft_array_options){.pages = WEFT_PAGES_THP}, 4096 * weft_pool_workers(pool) / 2);
    for (size_t count = 1021; count < 1023; count++) /* begin on different nodes */
        check_array("interleaved", (weft_array_options){.place = WEFT_INTERLEAVED, .pages = WEFT_PAGES_BASE}, count);
    static const unsigned weights[MAX_NODES] = {2, 1, 1, 1, 1, 1, 1, 1};
    weft_array_options weighted = {.place = WEFT_WEIGHTED, .weights = weights, .weight_count = weft_pool_nodes(pool)};
    check_array("weighted", weighted, 1021);
    check_array("on node 0", (weft_array_options){.place = WEFT_ON_NODE, .strict = true}, 1000);
    check_array("on node 0, huge pages", (weft_array_options){.place = WEFT_ON_NODE, .pages = WEFT_PAGES_THP}, 3 * 512);
    unsigned memory_nodes;
    weft_plan_memory_nodes(weft_pool_plan(pool), &memory_nodes);
    for (unsigned node = 0; node < memory_nodes; node++)
        for (int pages = WEFT_PAGES_BASE; pages <= WEFT_PAGES_THP; pages++)
            check_array("on a memory-only node",
                        (weft_array_options){.place = WEFT_ON_MEMORY_NODE, .node = node, .pages = (weft_pages)pages}, 2 * 512);
    check_replicated(300);
    check_immovable();
    check_nodes();
    for (unsigned node = 1; node < machine.nodes; node++)
        if (machine.node_free[node] < machine.node_free[0] / 4)
            check_full(node, 0);
    OK(weft_pool_destroy(pool));
    return 0;
}
