/*
 * Every call by which the library gets memory, threads, files or answers of the system fails once, in turn (inject.c has the list
 * of them). Each time the library's call gives a status with a text, or does without; nothing leaks, no thread is left. Where a
 * topology is loaded, hwloc's own calls do not fail: it does not survive that (see runtime/machine/topology.c).
 *
 * faults --table       prints which call failed, made by which function, and the statuses that came of it
 */
#include <dirent.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inject.h"
#include "stress.h"
#include "weft.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
int main(void) {
    printf("skipped: the sanitizers have allocators of their own\n");
    return 77;
}
#else

#define PASSES 4

static weft_pool *pool;    /* a healthy one, for the scenarios that need it */
static weft_pool *devices; /* and one of a machine with devices */
static char distances[64]; /* path of a file of measured latencies */

static weft_status make_plan_of(const char *topology) {
    weft_plan *plan = NULL;
    weft_status status = weft_plan_create(&plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = topology});
    CHECK(!status == !!plan);
    weft_plan_destroy(plan);
    return status;
}

static weft_status make_plan(void) {
    return make_plan_of(NULL);
}

static weft_status make_plan_of_xml(void) {
    return make_plan_of(WEFT_TEST_TOPOLOGIES "/hybrid.xml");
}

static weft_status make_plan_of_text(void) {
    return make_plan_of("node:2 core:2 pu:2");
}

static weft_status make_plan_with_distances(void) {
    weft_plan *plan = NULL;
    weft_status status = weft_plan_create(
        &plan, &(weft_plan_options){WEFT_PLAN_OPTIONS_INIT, .topology = "node:2 core:2 pu:1", .distances = distances});
    CHECK(!status == !!plan && (status || weft_plan_distance_source(plan) == WEFT_DISTANCE_MEASURED));
    weft_plan_destroy(plan);
    return status;
}

/* "/" has a sys/devices/system/cpu and is this machine, loaded anew. */
static weft_status make_plan_of_root(void) {
    return make_plan_of("/");
}

static weft_status make_pool(void) {
    weft_pool *made = NULL;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .stack_bytes = 256 << 10};
    weft_status status = weft_pool_create(&made, &options);
    CHECK(!status == !!made);
    CHECK(!weft_pool_destroy(made));
    return status;
}

static _Atomic(int) ran;

static void task(void *arg) {
    (void)arg;
    ran++;
}

static weft_status use_group(void) {
    weft_group *group = NULL;
    ran = 0;
    weft_status status = weft_group_create(&group, pool);
    CHECK(!status == !!group);
    int spawned = 0;
    for (int i = 0; i < 5 && group; i++) {
        weft_status spawn = weft_group_spawn(group, task, NULL);
        spawned += !spawn;
        status = status ? status : spawn;
    }
    if (group)
        CHECK(!weft_group_wait(group));
    CHECK(ran == spawned);
    CHECK(!weft_group_destroy(group));
    return status;
}

static weft_status visit(void *arg) {
    (void)arg;
    ran++;
    return WEFT_OK;
}

static weft_status give(void *arg, void **value) {
    (void)arg;
    (void)value;
    ran++;
    return WEFT_OK;
}

static weft_status follow(void *arg, weft_status status, void *before, void **value) {
    (void)status;
    (void)before;
    return give(arg, value);
}

/* What could be made is done in the end, as it was said. */
static weft_status use_future(void) {
    weft_future *first = NULL, *next = NULL, *all = NULL;
    int descriptor;
    ran = 0;
    weft_status status = weft_async(pool, &first, give, NULL, NULL);
    status = status ? status : weft_future_then(first, &next, follow, NULL, NULL);
    status = status ? status : weft_future_all(&all, pool, (weft_future *[]){first, next}, 2);
    status = status ? status : weft_future_eventfd(next, &descriptor);
    if (first)
        CHECK(!weft_future_wait(first, NULL));
    if (next) {
        weft_status came = weft_future_wait(next, NULL);
        CHECK(ran == 1 + !came);
        status = status ? status : came;
    }
    if (all)
        CHECK(weft_future_wait(all, NULL) == status || status == WEFT_EPERM);
    weft_future_release(first);
    weft_future_release(next);
    weft_future_release(all);
    return status;
}

/* A fan whose first and last node are placed where there is somebody. */
static weft_status use_graph(void) {
    weft_graph *graph = NULL;
    weft_graph_node first, last;
    const weft_graph_node_options placed = {WEFT_GRAPH_NODE_OPTIONS_INIT, .name = "ends", .placed = true};
    weft_status status = weft_graph_create(&graph, pool);
    CHECK(!status == !!graph);
    ran = 0;
    status = status ? status : weft_graph_add(graph, &first, visit, NULL, &placed);
    status = status ? status : weft_graph_add(graph, &last, visit, NULL, &placed);
    for (int i = 0; i < 20 && !status; i++) {
        weft_graph_node node;
        status = weft_graph_add(graph, &node, visit, NULL, NULL);
        status = status ? status : weft_graph_precede(graph, first, node);
        status = status ? status : weft_graph_precede(graph, node, last);
    }
    status = status ? status : weft_graph_run(graph);
    CHECK(ran == (status ? 0 : 22));
    CHECK(!weft_graph_destroy(graph));
    return status;
}

static void leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    *(size_t *)sum += range.last - range.first;
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(size_t *)left += *(const size_t *)right;
}

static weft_status use_reduce(void) {
    size_t sum = 0;
    weft_status status = weft_reduce(pool, 100000, leaf, join, NULL, &sum, sizeof sum, NULL);
    CHECK(sum == (status ? 0 : 100000));
    return status;
}

#define ITEMS 40000u

static uint64_t items[ITEMS], others[ITEMS];

static void fill_items(void) {
    for (size_t i = 0; i < ITEMS; i++)
        items[i] = i * UINT64_C(0x9e3779b97f4a7c15);
}

/* Sorted, or as they were filled. */
static void check_items(weft_status status) {
    for (size_t i = 0; i < ITEMS; i++)
        CHECK(status ? items[i] == i * UINT64_C(0x9e3779b97f4a7c15) : !i || items[i - 1] <= items[i]);
}

static int compare(const void *a, const void *b, void *arg) {
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    (void)arg;
    return (left > right) - (left < right);
}

static weft_status use_sort(void) {
    fill_items();
    CHECK(!weft_sort(pool, items, ITEMS, sizeof *items, compare, NULL, NULL)); /* in place, if need be */
    check_items(WEFT_OK);
    fill_items();
    weft_status status = weft_stable_sort(pool, items, ITEMS, sizeof *items, compare, NULL, NULL);
    check_items(status);
    return status;
}

static weft_status use_keys(void) {
    fill_items();
    weft_status status = weft_sort_keys(pool, items, ITEMS, sizeof *items, 0, WEFT_U64);
    check_items(status);
    if (status)
        return status;
    fill_items();
    memcpy(others, items, sizeof items);
    status = weft_radix_sort(pool, WEFT_U64, items, others, sizeof *others, ITEMS);
    check_items(status);
    CHECK(!memcmp(items, others, sizeof items));
    return status;
}

static weft_status use_scan(void) {
    fill_items();
    memset(others, 0, sizeof others);
    weft_status status = weft_scan_sum(pool, WEFT_U64, items, others, ITEMS, NULL);
    uint64_t sum = 0;
    for (size_t i = 0; i < ITEMS; i++)
        CHECK(others[i] == (status ? 0 : (sum += items[i])));
    return status;
}

static bool is_even(void *arg, const void *item) {
    (void)arg;
    return !(*(const uint64_t *)item % 2);
}

static void count_even(void *arg, weft_range range, uint64_t *bins) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        bins[items[i] % 2]++;
}

static weft_status use_partition(void) {
    size_t matched = 0;
    uint64_t bins[2] = {0, 0};
    fill_items();
    weft_status status = weft_partition_if(pool, items, ITEMS, sizeof *items, is_even, NULL, &matched);
    for (size_t i = 0; i < ITEMS; i++)
        CHECK(status ? items[i] == i * UINT64_C(0x9e3779b97f4a7c15) : is_even(NULL, &items[i]) == (i < matched));
    if (!status)
        status = weft_histogram(pool, ITEMS, count_even, NULL, bins, 2);
    CHECK(status ? !bins[0] && !bins[1] : bins[0] == ITEMS / 2 && bins[1] == ITEMS / 2);
    return status;
}

static int count_file(void *arg, const weft_file *file) {
    (void)arg;
    CHECK(file->path);
    ran++;
    return 0;
}

static weft_status use_files(void) {
    const char *paths[] = {"/sys/kernel/mm/transparent_hugepage"}; /* some that do not change */
    weft_files_report report = {0};
    weft_files_options options = {WEFT_FILES_OPTIONS_INIT, .batch = 8, .report = &report};
    ran = 0;
    weft_status status = weft_for_files(pool, paths, 1, count_file, NULL, &options);
    CHECK(report.files == (uint64_t)ran && (status || ran || report.problems[WEFT_FILE_UNREADABLE]));
    return status;
}

static void body(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((char *)arg)[i]++;
}

static weft_status use_array(weft_array_options options) {
    enum { N = 100000 };
    weft_array *array = NULL;
    weft_loop_report report;
    weft_placement placement;
    size_t per_node[8];
    options.size = sizeof options;
    weft_status status = weft_array_create(&array, pool, N, 1, &options);
    CHECK(!status == !!array);
    if (!status)
        status =
            weft_for_array(array, body, weft_array_data(array), &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .report = &report});
    for (size_t i = 0; !status && i < N; i++)
        CHECK(((char *)weft_array_data(array))[i] == 1);
    if (!status)
        status = weft_array_placement(array, &placement, per_node, 8);
    if (!status && options.place == WEFT_REPLICATED) {
        static char other[N];
        status = weft_array_swap(array, other);
        for (size_t i = 0; i < N; i++)
            CHECK(((char *)weft_array_data(array))[i] == (status ? 1 : 0));
        if (!status)
            memset(weft_array_data(array), 1, N);
    }
    if (!status && (status = weft_array_resize(array, 2 * N)))
        CHECK(weft_array_count(array) == N && ((char *)weft_array_data(array))[N - 1] == 1);
    if (!status)
        status = weft_array_migrate(array, NULL);
    weft_array_destroy(array);
    return status;
}

/* Memory that is the caller's, and a reserved huge page that there may not be. */
static weft_status use_memory(void) {
    enum { BYTES = 1 << 20 };
    static char bytes[BYTES];
    weft_placement placement;
    size_t per_node[8];
    weft_array *array = NULL;
    weft_status status = weft_touch(pool, bytes, BYTES, 8);
    if (!status)
        status = weft_memory_placement(bytes, BYTES, &placement, per_node, 8);
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_1G, .locked = true};
    if (!status)
        status = weft_array_create(&array, pool, BYTES, 1, &options);
    weft_array_destroy(array);
    return status;
}

/* Two arenas at once, of which the node keeps one: the other is made anew each time. */
static weft_status use_scratch(void) {
    weft_scratch_options options = {WEFT_SCRATCH_OPTIONS_INIT, .limit_bytes = 16 << 20, .keep_bytes = 1, .idle = 1};
    weft_scratch *two[2] = {NULL, NULL};
    weft_status status = weft_scratch_configure(pool, &options);
    for (int i = 0; i < 2; i++) {
        two[i] = weft_scratch_acquire(pool, 0);
        char *object = two[i] ? weft_scratch_alloc(two[i], 5 << 20) : NULL;
        if (object)
            memset(object, 1, 5 << 20);
        else
            status = WEFT_ENOMEM;
    }
    weft_scratch_release(two[0]);
    weft_scratch_release(two[1]);
    return status;
}

/* Objects of a cache, of chunks and with a mapping of their own, from a pool that had none. */
/* Memory made present and given back, and statistics; a node that has no memory yet. */
static weft_status look_after(weft_pool *made) {
    weft_node_memory memory = {.reason = NULL};
    weft_status status = weft_node_reserve(made, 1, 3 << 20, WEFT_PAGES_HUGE);
    if (!status)
        status = weft_node_stats(made, 1, &memory);
    CHECK(status || memory.reason);
    return status ? status : weft_node_trim(made, 1, 0);
}

static weft_status use_node_memory(void) {
    static const size_t sizes[] = {64, 3 << 20, (size_t)100 << 20};
    weft_pool *made = NULL;
    weft_status status = weft_pool_create(&made, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:1 pu:1"});
    for (int i = 0; i < 6 && made; i++) {
        char *object = weft_node_alloc(made, (unsigned)i % 2, sizes[i / 2]);
        if (object)
            object[0] = object[sizes[i / 2] - 1] = 1;
        else
            status = WEFT_ENOMEM;
        weft_free(object);
    }
    if (made && !status)
        status = look_after(made);
    CHECK(!weft_pool_destroy(made));
    return status;
}

static weft_status use_partitioned(void) {
    return use_array((weft_array_options){.place = WEFT_PARTITIONED});
}

static weft_status use_interleaved(void) {
    return use_array((weft_array_options){.place = WEFT_INTERLEAVED});
}

static weft_status use_weighted(void) {
    static const unsigned weights[64] = {3, 1};
    weft_array_options options = {.place = WEFT_WEIGHTED, .weights = weights, .weight_count = weft_pool_nodes(pool)};
    return use_array(options);
}

static weft_status use_near_device(void) {
    weft_array *array = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_NEAR_DEVICE, .device = "3b:00.0"};
    weft_status status = weft_array_create(&array, devices, 1000, 8, &options);
    CHECK(!status == !!array);
    weft_array_destroy(array);
    return status;
}

static weft_status use_adopted(void) {
    enum { N = 100000 };
    static char memory[N];
    weft_array *array = NULL;
    weft_loop_report report;
    memset(memory, 0, N);
    weft_status status = weft_array_adopt(&array, pool, memory, N, 1, NULL);
    CHECK(!status == !!array);
    if (!status)
        status = weft_for_array(array, body, memory, &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .align = 64, .report = &report});
    if (!status)
        status = weft_array_refresh(array);
    if (!status)
        status = weft_array_touch(array);
    if (!status)
        status = weft_array_migrate(array, NULL);
    weft_array_destroy(array);
    CHECK(status || memory[N - 1] == 1);
    return status;
}

static weft_status use_on_node(void) {
    return use_array((weft_array_options){.place = WEFT_ON_NODE});
}

static weft_status use_replicated(void) {
    return use_array((weft_array_options){.place = WEFT_REPLICATED});
}

static const struct {
    const char *name;
    weft_status (*run)(void);
    bool own; /* see inject_arm() */
} scenarios[] = {{"plan", make_plan, false},
                 {"plan of XML", make_plan_of_xml, true},
                 {"plan of text", make_plan_of_text, true},
                 {"plan with distances", make_plan_with_distances, true},
                 {"plan of root", make_plan_of_root, true},
                 {"pool", make_pool, false},
                 {"group", use_group, false},
                 {"future", use_future, false},
                 {"graph", use_graph, false},
                 {"reduce", use_reduce, false},
                 {"scan", use_scan, false},
                 {"sort", use_sort, false},
                 {"sort by keys", use_keys, false},
                 {"partition", use_partition, false},
                 {"files", use_files, false},
                 {"memory", use_memory, false},
                 {"scratch", use_scratch, false},
                 {"node memory", use_node_memory, true},
                 {"partitioned", use_partitioned, false},
                 {"interleaved", use_interleaved, false},
                 {"weighted", use_weighted, false},
                 {"near device", use_near_device, false},
                 {"adopted", use_adopted, true},
                 {"on one node", use_on_node, false},
                 {"replicated", use_replicated, false}};

/* What came of the failures, for --table: one row per call, function and status. */
static struct row {
    struct injected which;
    weft_status status;
    unsigned times;
} rows[512];
static size_t row_count;

static void add_row(struct injected which, weft_status status) {
    for (size_t i = 0; i < row_count; i++)
        if (!strcmp(rows[i].which.call, which.call) && !strcmp(rows[i].which.where, which.where) && rows[i].status == status) {
            rows[i].times++;
            return;
        }
    CHECK(row_count < sizeof rows / sizeof *rows);
    rows[row_count++] = (struct row){which, status, 1};
}

static int by_call(const void *left, const void *right) {
    const struct row *a = left, *b = right;
    int order = strcmp(a->which.call, b->which.call);
    return order ? order : strcmp(a->which.where, b->which.where);
}

static void print_table(void) {
    qsort(rows, row_count, sizeof *rows, by_call);
    printf("%-28s %-28s %-14s %s\n", "fails", "called by", "status", "times");
    for (size_t i = 0; i < row_count; i++)
        printf("%-28s %-28s %-14s %u\n", rows[i].which.call, rows[i].which.where,
               rows[i].status ? weft_status_name(rows[i].status) : "does without", rows[i].times);
}

/* Statuses that say what the failed call said. */
static bool is_due(weft_status status, const char *call) {
    switch (status) {
    case WEFT_OK:
        return true;
    case WEFT_ENOMEM:
    case WEFT_EPERM:
        return *weft_error_detail();
    case WEFT_ETOPOLOGY:
        return !strcmp(call, "stat") || !strcmp(call, "read"); /* the file that was named cannot be read */
    case WEFT_EINVAL:                                          /* the same of distances; a size that the system does not take */
        return !strcmp(call, "read") || !strcmp(call, "pthread_attr_setstacksize");
    default:
        return false;
    }
}

/* Fail the n-th call for n = 1, 2, ... until a run needs fewer. */
static void exhaust(size_t scenario, bool tell) {
    unsigned failures = 0, absorbed = 0;
    for (long n = 1;; n++) {
        inject_arm(n, scenarios[scenario].own);
        weft_status status = scenarios[scenario].run();
        struct injected which = inject_disarm();
        if (!which.call) {
            CHECK(!status);
            break;
        }
        if (!is_due(status, which.call))
            fprintf(stderr, "%s: %s in %s: %s: %s\n", scenarios[scenario].name, which.call, which.where, weft_status_name(status),
                    weft_error_detail());
        CHECK(is_due(status, which.call));
        if (tell)
            add_row(which, status);
        failures += status != WEFT_OK;
        absorbed += status == WEFT_OK;
    }
    if (tell)
        printf("%-12s %u calls failed with a status, %u were done without\n", scenarios[scenario].name, failures, absorbed);
}

static void write_distances(void) {
    static const char text[] = "weft distances 1\nnodes 0 1\n0 80 140\n1 150 80\n";
    int file = memfd_create("distances", MFD_CLOEXEC);
    CHECK(file >= 0 && write(file, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    snprintf(distances, sizeof distances, "/proc/self/fd/%d", file);
}

int main(int argc, char **argv) {
    const size_t count = sizeof scenarios / sizeof *scenarios;
    stress_count_heap_exactly(argv);
    alarm(280);
    setvbuf(stdout, NULL, _IOLBF, 4096);
    inject_prepare();
    write_distances();
    CHECK(!weft_pool_create(&pool, NULL));
    CHECK(!weft_pool_create(&devices,
                            &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = WEFT_TEST_TOPOLOGIES "/devices.xml"}));
    unsigned threads = 1 + weft_pool_workers(pool) + weft_pool_workers(devices); /* the caller */
    size_t used = 0;
    int grew = 0;
    for (int pass = 0; pass < PASSES; pass++) { /* the first fills caches of the C library and the topology */
        for (size_t s = 0; s < count; s++)
            exhaust(s, pass == 0);
        CHECK(stress_threads_are(threads));
        struct mallinfo2 heap = mallinfo2();
        size_t now = heap.uordblks + heap.hblkhd;
        printf("pass %d: %zu bytes of heap in use\n", pass, now);
        grew += now > used;
        used = now;
    }
    CHECK(grew < PASSES); /* a leak shows in every pass; the rest of a chunk too small to split does not */
    CHECK(!weft_pool_destroy(pool) && !weft_pool_destroy(devices));
    if (argc > 1 && !strcmp(argv[1], "--table"))
        print_table();
    return 0;
}
#endif
