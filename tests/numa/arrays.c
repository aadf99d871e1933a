/*
 * Arrays lie where their options say, and a second loop over them runs where they lie. Where a page is says move_pages(2); where
 * an iteration ran says the CPU it ran on. Weft's own reports are only compared with that.
 *
 * arrays --one-thread   touches an array from one thread instead; the checks must then find it misplaced (exit 1)
 */
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "numa.h"

#define WANTED 99.0
#define PASSES 16 /* over a page that is computed on */
#define AHEAD 2   /* pages that a worker may have done more than another */

static struct machine machine;
static weft_pool *pool;
static size_t page;

/* Bytes of the array under test, and the node on which each page's iterations ran last. */
struct record {
    char *data;
    size_t count;
    int *ran, *lies;
    size_t part;           /* pages of each worker, which compute in step; 0: they only touch their pages */
    size_t done[MAX_CPUS]; /* A: in step: pages that each worker has done */
};

static struct record record_make(void *data, size_t bytes) {
    struct record record = {.data = data, .count = pages_in(bytes)};
    record.ran = malloc(record.count * sizeof *record.ran);
    record.lies = malloc(record.count * sizeof *record.lies);
    CHECK(record.ran && record.lies);
    return record;
}

static void record_release(struct record *record) {
    free(record->ran);
    free(record->lies);
}

/*
 * Emulated CPUs take turns on the real ones. Workers that wait for whoever is AHEAD pages behind are as fast as each other: when the
 * first ends its part, no other has more than AHEAD pages left and one at work, and that is all there can be to steal.
 */
static void keep_step(struct record *record) {
    unsigned self = (unsigned)weft_current_worker(), workers = weft_pool_workers(pool);
    size_t done = __atomic_add_fetch(&record->done[self], 1, __ATOMIC_RELAXED); /* a count; nothing is published by it */
    for (unsigned other = 0; other < workers && done < record->part; other++)
        for (unsigned waited = 0; __atomic_load_n(&record->done[other], __ATOMIC_RELAXED) + AHEAD < done; waited++) {
            if (waited > 100000)
                FAIL("worker %u did nothing for 10 s", other);
            work_us(100);
        }
}

/* One iteration is one page. */
static void visit(void *arg, weft_range range) {
    struct record *record = arg;
    int node = machine.cpu_node[sched_getcpu()];
    for (size_t i = range.first; i < range.last; i++) {
        for (unsigned left = record->part ? PASSES : 1; left; left--)
            for (size_t byte = 0; byte < page; byte += 64)
                record->data[i * page + byte]++;
        record->ran[i] = node;
        if (record->part)
            keep_step(record);
    }
}

/* Pages that lie where their iterations ran. */
static size_t matching(struct record *record) {
    size_t same = 0;
    struct pages pages = pages_ask(record->data, record->count * page, record->lies);
    CHECK(pages.present == record->count);
    for (size_t i = 0; i < record->count; i++)
        same += record->lies[i] == record->ran[i];
    return same;
}

static void demand(const char *what, size_t part, size_t whole) {
    printf("%-44s %6zu of %6zu pages (%.2f %%)\n", what, part, whole, percent(part, whole));
    if (percent(part, whole) < WANTED)
        FAIL("less than %.0f %%", WANTED);
}

static void print_steals(const weft_loop_report *report) {
    printf("%" PRIu64 " chunks by %u workers; ranges taken: cache %" PRIu64 ", node %" PRIu64 ", remote %" PRIu64 " and %" PRIu64
           "\n",
           report->chunks, report->workers, report->steals_cache, report->steals_node, report->steals_remote[0],
           report->steals_remote[1]);
}

/* A balanced loop runs where the pages are, although idle workers steal. */
static void check_second_loop(weft_array *array, struct record *record) {
    weft_loop_report report;
    record->part = record->count / weft_pool_workers(pool);
    OK(weft_for_array(array, visit, record, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .report = &report}));
    record->part = 0;
    size_t local = matching(record);
    print_steals(&report);
    demand("partitioned: second loop, stealing, ran there", local, record->count);
    CHECK(report.iterations == record->count && report.iterations_local == local && !report.iterations_unknown);
}

/* The owner of a page is the node of the worker that a static loop gives it to. */
static void check_partitioned(size_t count) {
    weft_array *array;
    OK(weft_array_create(&array, pool, count, page, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_BASE}));
    struct record record = record_make(weft_array_data(array), count * page);
    struct pages pages = pages_ask(record.data, count * page, NULL);
    CHECK(pages.present == count);
    OK(weft_for_array(array, visit, &record, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    demand("partitioned: on the owner's node", matching(&record), count);
    check_second_loop(array, &record);
    OK(weft_for(pool, count, visit, &record,
                &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = page}));
    demand("partitioned: a first-touch loop over it", matching(&record), count);
    weft_placement placement;
    size_t per_node[MAX_NODES];
    OK(weft_array_placement(array, &placement, per_node, MAX_NODES));
    CHECK(!memcmp(per_node, pages.on, sizeof per_node));
    record_release(&record);
    weft_array_destroy(array);
}

/* Memory of our own, touched through weft, or (to see the check fail) by this thread. */
static void check_touched(size_t count, bool one_thread) {
    char *data = mmap(NULL, count * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, count * page, MADV_NOHUGEPAGE));
    struct record record = record_make(data, count * page);
    if (one_thread)
        memset(data, 1, count * page);
    else
        OK(weft_touch(pool, data, count * page, page));
    OK(weft_for(pool, count, visit, &record, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    demand(one_thread ? "touched by one thread" : "mmap and weft_touch: on the owner's node", matching(&record), count);
    record_release(&record);
    munmap(data, count * page);
}

static void check_interleaved(size_t count) {
    weft_array *array;
    OK(weft_array_create(&array, pool, count, page,
                         &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_INTERLEAVED, .pages = WEFT_PAGES_BASE}));
    struct pages pages = pages_ask(weft_array_data(array), count * page, NULL);
    size_t least = SIZE_MAX, most = 0;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        size_t on = pages.on[os_node(pool, node)];
        least = on < least ? on : least;
        most = on > most ? on : most;
    }
    printf("%-44s %zu to %zu pages per node\n", "interleaved", least, most);
    CHECK(pages.present == count && most - least <= 1);
    weft_array_destroy(array);
}

/* Nodes with more weight come first; every period of pages has each node's share, wherever it begins. */
static void check_weighted(size_t count, weft_pages kind, unsigned heavy, bool strict, bool untouched) {
    unsigned nodes = weft_pool_nodes(pool), weights[MAX_NODES], period = 0;
    for (unsigned node = 0; node < nodes; node++)
        period += weights[node] = node % 2 ? 1 : heavy;
    weft_array *array;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_WEIGHTED, .pages = kind, .strict = strict};
    options.weights = weights;
    options.weight_count = nodes;
    options.untouched = untouched;
    OK(weft_array_create(&array, pool, count, page, &options));
    if (untouched)
        OK(weft_array_touch(array));
    int *lies = malloc(count * sizeof *lies);
    CHECK(lies);
    struct pages pages = pages_ask(weft_array_data(array), count * page, lies);
    size_t unit = kind == WEFT_PAGES_THP ? ((size_t)2 << 20) / page : 1;
    CHECK(pages.present == count);
    for (size_t first = 0; first + period * unit <= count; first += unit)
        for (unsigned node = 0; node < nodes; node++) {
            size_t on = 0;
            for (size_t i = first; i < first + period * unit; i++)
                on += lies[i] == os_node(pool, node);
            CHECK(on == weights[node] * unit);
        }
    weft_placement placement;
    OK(weft_array_placement(array, &placement, NULL, 0));
    CHECK(placement.pages_expected == count && (!*placement.reason || machine.nodes == 1));
    printf("weighted %u:1, %s%s pages: %zu of %zu in their turn\n", heavy, strict ? "strict, " : "",
           kind == WEFT_PAGES_THP ? "huge" : "base", placement.pages_expected, count);
    free(lies);
    weft_array_destroy(array);
}

static void check_on_nodes(size_t count) {
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        weft_array *array;
        weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = node, .strict = node % 2};
        OK(weft_array_create(&array, pool, count, page, &options));
        struct pages pages = pages_ask(weft_array_data(array), count * page, NULL);
        CHECK(pages.present == count && pages.on[os_node(pool, node)] == count);
        weft_array_destroy(array);
    }
    printf("%-44s %zu of %zu pages, on each of %u nodes\n", "on one node", count, count, weft_pool_nodes(pool));
}

/* Whether a node's CPUs are among the nearest to another one, as /sys has the distances. */
static bool is_nearest(const weft_pool *of, int node, int memory) {
    for (unsigned k = 0; k < weft_pool_nodes(of); k++)
        if (machine.distance[os_node(of, k)][memory] < machine.distance[node][memory])
            return false;
    return true;
}

/* All pages on the memory-only node, and a loop's items local where they ran on CPUs nearest to it. */
static void check_on_memory_node(weft_pool *of, unsigned index, weft_pages pages_asked, bool strict, size_t count) {
    weft_array *array;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .node = index, .pages = pages_asked, .strict = strict};
    int memory = weft_plan_memory_nodes(weft_pool_plan(of), NULL)[index].os_index;
    options.place = WEFT_ON_MEMORY_NODE;
    OK(weft_array_create(&array, of, count, page, &options));
    struct record record = record_make(weft_array_data(array), count * page);
    struct pages pages = pages_ask(record.data, count * page, NULL);
    printf("memory node %u (node %d), %s%s pages: %zu of %zu on it", index, memory, strict ? "strict, " : "",
           pages_asked == WEFT_PAGES_THP ? "huge" : "base", pages.on[memory], count);
    CHECK(pages.present == count && pages.on[memory] == count);
    weft_loop_report report;
    weft_placement placement;
    OK(weft_for_array(array, visit, &record, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .report = &report}));
    size_t near = 0;
    for (size_t i = 0; i < count; i++)
        near += is_nearest(of, record.ran[i], memory);
    printf("; %zu ran nearest to it\n", near);
    CHECK(report.iterations == count && report.iterations_local == near && !report.iterations_unknown);
    OK(weft_array_placement(array, &placement, NULL, 0));
    CHECK(placement.pages_expected == count && !*placement.reason);
    record_release(&record);
    weft_array_destroy(array);
}

/* The machine's memory-only nodes, and those that a pool on its first node leaves without workers. */
static void check_memory_nodes(size_t count) {
    weft_pool *first;
    OK(weft_pool_create(&first, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .nodes = "0"}));
    weft_pool *const pools[] = {pool, first};
    for (int i = 0; i < 2; i++) {
        unsigned nodes;
        weft_plan_memory_nodes(weft_pool_plan(pools[i]), &nodes);
        CHECK(i == 0 || nodes == machine.nodes - 1);
        for (unsigned node = 0; node < nodes; node++)
            for (int strict = 0; strict < 2; strict++) {
                check_on_memory_node(pools[i], node, WEFT_PAGES_BASE, strict, count);
                check_on_memory_node(pools[i], node, WEFT_PAGES_THP, strict, (count + 511) / 512 * 512);
            }
        weft_array *none = NULL;
        weft_array_options beyond = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_MEMORY_NODE, .node = nodes};
        CHECK(weft_array_create(&none, pools[i], count, page, &beyond) == WEFT_EINVAL && !none);
        printf("one too many: %s\n", weft_error_detail());
    }
    OK(weft_pool_destroy(first));
}

/* The machines have a device near node 1, and others that the firmware says nothing of. */
static void check_near_device(size_t count) {
    static const char there[] = "0000:81:01.0", anywhere[] = "0000:00:00.0";
    weft_array *array = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_NEAR_DEVICE, .strict = true, .device = there};
    if (machine.nodes < 2)
        return;
    OK(weft_array_create(&array, pool, count, page, &options));
    struct pages pages = pages_ask(weft_array_data(array), count * page, NULL);
    printf("near %s: %zu of %zu pages on node 1\n", there, pages.on[1], count);
    CHECK(pages.present == count && pages.on[1] == count);
    weft_array_destroy(array);
    array = NULL;
    options.device = anywhere;
    CHECK(weft_array_create(&array, pool, count, page, &options) == WEFT_ESTRICT && !array);
    printf("strict, near %s: %s\n", anywhere, weft_error_detail());
    options.strict = false;
    OK(weft_array_create(&array, pool, count, page, &options));
    weft_placement placement;
    OK(weft_array_placement(array, &placement, NULL, 0));
    CHECK(placement.pages_expected == count && strstr(placement.reason, "does not say where the device is"));
    weft_array_destroy(array);
}

/* A machine's memory-only node stands behind a link, and one whose CPUs have no workers is ordinary. */
static void check_tiers(size_t count) {
    unsigned memory_nodes;
    const weft_plan_memory_node *nodes = weft_plan_memory_nodes(weft_pool_plan(pool), &memory_nodes);
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_IN_TIER, .tier = WEFT_TIER_SLOW, .strict = true};
    weft_array *array = NULL;
    if (memory_nodes) {
        OK(weft_array_create(&array, pool, count, page, &options));
        struct pages pages = pages_ask(weft_array_data(array), count * page, NULL);
        weft_placement placement;
        OK(weft_array_placement(array, &placement, NULL, 0));
        printf("in the slow tier, node %d: %zu of %zu pages\n", nodes[0].os_index, pages.on[nodes[0].os_index], count);
        CHECK(pages.present == count && pages.on[nodes[0].os_index] == count && placement.pages_expected == count);
        weft_array_destroy(array);
        array = NULL;
    } else {
        CHECK(weft_array_create(&array, pool, count, page, &options) == WEFT_EINVAL && !array);
    }
    options.tier = WEFT_TIER_FAST;
    CHECK(weft_array_create(&array, pool, count, page, &options) == WEFT_EINVAL && !array);
    printf("a tier that is not there: %s\n", weft_error_detail());
    CHECK(!!strstr(weft_error_detail(), "slow") == !!memory_nodes);
    options.tier = WEFT_TIER_NORMAL;
    OK(weft_array_create(&array, pool, count, page, &options));
    weft_array_destroy(array);
}

static struct {
    const weft_array *array;
    const char *items;
    size_t bytes;
    void *copy[MAX_CPUS];
} reading;

static void read_copy(void *arg, weft_range range) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++) {
        reading.copy[weft_current_worker()] = weft_array_local(reading.array);
        CHECK(!memcmp(weft_array_local(reading.array), reading.items, reading.bytes));
    }
}

static void check_replicated(size_t count) {
    weft_array *array;
    char *items = malloc(count * page);
    CHECK(items);
    for (size_t i = 0; i < count * page; i++)
        items[i] = (char)(i * 31 + i / page);
    OK(weft_array_create(&array, pool, count, page, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED}));
    OK(weft_array_replicate(array, items));
    reading.array = array;
    reading.items = items;
    reading.bytes = count * page;
    unsigned workers = weft_pool_workers(pool);
    OK(weft_for(pool, workers, read_copy, NULL, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    for (unsigned i = 0; i < workers; i++) {
        unsigned node = weft_plan_workers(weft_pool_plan(pool), NULL)[i].node;
        struct pages pages = pages_ask(reading.copy[i], count * page, NULL);
        CHECK(pages.present == count && pages.on[os_node(pool, node)] == count);
        for (unsigned j = 0; j < i; j++) /* one copy per node, no more and no fewer */
            CHECK((weft_plan_workers(weft_pool_plan(pool), NULL)[j].node == node) == (reading.copy[j] == reading.copy[i]));
    }
    weft_reading old = weft_array_read_begin(array);
    items[0]++;
    OK(weft_array_swap(array, items));
    CHECK(weft_array_read_local(old) == reading.copy[0]);
    weft_array_read_end(old);
    OK(weft_for(pool, workers, read_copy, NULL, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
    for (unsigned i = 0; i < workers; i++) {
        unsigned node = weft_plan_workers(weft_pool_plan(pool), NULL)[i].node;
        struct pages pages = pages_ask(reading.copy[i], count * page, NULL);
        CHECK(pages.present == count && pages.on[os_node(pool, node)] == count);
    }
    printf("%-44s %zu of %zu pages of each copy, %u copies, read from %u workers\n", "replicated, and swapped", count, count,
           weft_pool_nodes(pool), workers);
    weft_array_destroy(array);
    free(items);
}

/* Grown and shrunk arrays lie where new ones of that size would. */
static void check_resized(size_t count) {
    weft_array *array;
    OK(weft_array_create(&array, pool, count, page, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_BASE}));
    const size_t sizes[] = {3 * count, count + 7, 2 * count};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t kept = weft_array_count(array) < sizes[i] ? weft_array_count(array) : sizes[i];
        for (size_t p = 0; p < weft_array_count(array); p++)
            *(size_t *)(void *)((char *)weft_array_data(array) + p * page) = p + i;
        OK(weft_array_resize(array, sizes[i]));
        for (size_t p = 0; p < sizes[i]; p++)
            CHECK(*(size_t *)(void *)((char *)weft_array_data(array) + p * page) == (p < kept ? p + i : 0));
        struct record record = record_make(weft_array_data(array), sizes[i] * page);
        OK(weft_for_array(array, visit, &record, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC}));
        demand("partitioned, resized: on the owner's node", matching(&record), sizes[i]);
        record_release(&record);
    }
    weft_array_destroy(array);
    unsigned last = weft_pool_nodes(pool) - 1;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .node = last, .strict = true};
    OK(weft_array_create(&array, pool, count, page, &options));
    OK(weft_array_resize(array, 2 * count));
    struct pages pages = pages_ask(weft_array_data(array), 2 * count * page, NULL);
    CHECK(pages.present == 2 * count && pages.on[os_node(pool, last)] == 2 * count);
    weft_array_destroy(array);
}

int main(int argc, char **argv) {
    machine = machine_read();
    pool = start_pool();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (argc > 1 && !strcmp(argv[1], "--one-thread")) {
        check_touched(2048, true);
        return 0;
    }
    check_partitioned(4096);
    check_touched(2048, false);
    check_interleaved(4096);
    check_interleaved(1021);
    check_weighted(2000, WEFT_PAGES_BASE, 3, false, false);
    check_weighted(601, WEFT_PAGES_BASE, 5, true, true);
    check_weighted((size_t)2 * 4 * 512 * weft_pool_nodes(pool), WEFT_PAGES_THP, 3, true, false);
    weft_pool *bound = pool; /* workers that may run anywhere put pages in turn all the same */
    OK(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .pin = WEFT_PIN_NONE}));
    check_weighted(2000, WEFT_PAGES_BASE, 3, true, false);
    OK(weft_pool_destroy(pool));
    pool = bound;
    check_on_nodes(1024);
    check_replicated(512);
    check_resized(1000);
    check_memory_nodes(1000);
    check_tiers(1000);
    check_near_device(1000);
    OK(weft_pool_destroy(pool));
    return 0;
}
