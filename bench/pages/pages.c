/*
 * Asking where pages are, and moving them to a node: by weft, and by the bare calls of move_pages(2) that this takes, whose list of
 * addresses is there already, and whose answers nobody looks at. Both take turns on the same memory; what they found and moved is checked
 * after each run, which is not timed. The row in which pages move takes two nodes: with one they can only be asked to go where they are.
 *
 * Threads: the main thread; an array's pages are moved by the pool's workers, and asked for by as many threads of a plain pool beside them.
 */
#include <linux/mempolicy.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <weft.h>

#include "harness/bench.h"
#include "harness/memory.h"
#include "harness/thread_pool.h"
#include "harness/threads.h"

#define VERSION "weft " BENCH_WEFT_VERSION
#define BATCH 4096 /* pages in each call; as weft's migration, its queries have less */
#define PAGES 65536
#define FEW_PAGES 10240 /* in their place where nothing is timed */
#define ITEM_BYTES sizeof(double)
#define NODES 64
#define MOST_WORKERS 64

static weft_pool *pool;
static struct thread_pool *threads;
static size_t page_bytes;

static void *addresses[PAGES];
static int answers[PAGES], targets[PAGES];

/* What a row is about. */
struct pages {
    void *start;
    size_t count;
    weft_array *array;        /* NULL: no array's */
    int from, to;             /* nodes; from -1: they are there already */
    size_t per_node[NODES];   /* how many lie where, by the bare calls; in the last also those of higher nodes */
    size_t found[NODES];      /* the same, by weft */
    weft_placement placement; /* weft's last answers */
    weft_migration report;
};

/* The calls for pages [first, last) of the list: to ask, and with `move` to move as well. */
struct calls {
    size_t first, last;
    bool move, failed;
};

static void call(void *arg) {
    struct calls *calls = arg;
    for (size_t at = calls->first; at < calls->last; at += BATCH) {
        size_t count = calls->last - at < BATCH ? calls->last - at : BATCH;
        if (syscall(SYS_move_pages, 0, count, addresses + at, NULL, answers + at, 0) ||
            (calls->move && syscall(SYS_move_pages, 0, count, addresses + at, targets + at, answers + at, MPOL_MF_MOVE)))
            calls->failed = true;
    }
}

static bool call_alone(const struct pages *pages, bool move) {
    struct calls calls = {.last = pages->count, .move = move};
    call(&calls);
    return !calls.failed;
}

static bool bare_query(void *what) {
    return call_alone(what, false);
}

static bool bare_move(void *what) {
    return call_alone(what, true);
}

/* As many threads as weft has workers, a part each. */
static bool bare_query_together(void *what) {
    const struct pages *pages = what;
    struct calls parts[MOST_WORKERS];
    bool failed = false;
    for (unsigned i = 0; i < bench_workers; i++) {
        parts[i] = (struct calls){.first = weft_partition(pages->count, bench_workers, 1, i),
                                  .last = weft_partition(pages->count, bench_workers, 1, i + 1)};
        failed |= !thread_pool_submit(threads, call, &parts[i]);
    }
    thread_pool_wait(threads);
    for (unsigned i = 0; i < bench_workers; i++)
        failed |= parts[i].failed;
    return !failed;
}

static bool count_answers(const struct pages *pages, size_t *per_node) {
    memset(per_node, 0, NODES * sizeof *per_node);
    for (size_t i = 0; i < pages->count; i++) {
        if (answers[i] < 0)
            return false;
        per_node[answers[i] < NODES ? answers[i] : NODES - 1]++;
        answers[i] = -1; /* the next call has to say it again */
    }
    return true;
}

static bool check_answers(void *what) {
    const struct pages *pages = what;
    size_t per_node[NODES];
    return count_answers(pages, per_node) && !memcmp(per_node, pages->per_node, sizeof per_node);
}

static bool memory_query(void *what) {
    struct pages *pages = what;
    return !weft_memory_query(pages->start, pages->count * page_bytes, WEFT_QUERY_EXACT, &pages->placement, pages->found, NODES);
}

static bool array_query(void *what) {
    struct pages *pages = what;
    return !weft_array_query(pages->array, (weft_range){0, weft_array_count(pages->array)}, WEFT_QUERY_EXACT, &pages->placement,
                             pages->found, NODES);
}

static bool check_placement(void *what) {
    struct pages *pages = what;
    const weft_placement *found = &pages->placement;
    bool right = found->pages == pages->count && found->pages_asked == pages->count && !found->pages_absent &&
                 (!pages->array || found->pages_expected == pages->count) &&
                 !memcmp(pages->found, pages->per_node, sizeof pages->found);
    memset(pages->found, 0, sizeof pages->found);
    return right;
}

static bool memory_migrate(void *what) {
    struct pages *pages = what;
    return !weft_memory_migrate(pages->start, pages->count * page_bytes, (unsigned)pages->to, &pages->report);
}

static bool array_migrate(void *what) {
    struct pages *pages = what;
    return !weft_array_migrate(pages->array, &pages->report);
}

/* The kernel says again that the pages are where they were to go. Both ways have it, and have slept as long before the next run. */
static bool ask_again(struct pages *pages) {
    return call_alone(pages, false) && check_answers(pages);
}

static bool check_bare_migration(void *what) {
    return check_answers(what) && ask_again(what);
}

static bool check_migration(void *what) {
    struct pages *pages = what;
    const weft_migration *report = &pages->report;
    bool right = report->pages == pages->count && (pages->from < 0 ? report->there_already : report->moved) == pages->count;
    pages->report = (weft_migration){0};
    return right && ask_again(pages);
}

/* All pages to a node, which is not timed. */
static void move_to(const struct pages *pages, int node) {
    for (size_t i = 0; i < pages->count; i++)
        targets[i] = node;
    call_alone(pages, true);
}

static void move_back(void *what) {
    const struct pages *pages = what;
    move_to(pages, pages->from);
    for (size_t i = 0; i < pages->count; i++)
        targets[i] = pages->to;
}

/* List the pages, and see where they are; false: the kernel does not say, or some are absent. */
static bool begin(struct pages *pages) {
    for (size_t i = 0; i < pages->count; i++)
        addresses[i] = (char *)pages->start + i * page_bytes;
    return call_alone(pages, false) && count_answers(pages, pages->per_node);
}

struct way {
    bool (*run)(void *what), (*check)(void *what);
};

static struct bench_row row_of(const char *row, struct pages *pages, struct way way) {
    return (struct bench_row){.row = row,
                              .way = "",
                              .units = (double)pages->count,
                              .prepare = pages->from < 0 ? NULL : move_back,
                              .run = way.run,
                              .check = way.check,
                              .what = pages};
}

static void measure(const char *row, struct pages *pages, struct way bare, struct way weft) {
    if (!begin(pages)) {
        bench_fail(row, "", "move_pages() does not say where the pages are");
        return;
    }
    if (pages->from >= 0) {
        memset(pages->per_node, 0, sizeof pages->per_node);
        pages->per_node[pages->to] = pages->count;
    }
    struct bench_row calls = row_of(row, pages, bare), own = row_of(row, pages, weft);
    bench_measure_pair(&calls, "move_pages", "move_pages()", &own, VERSION);
}

/* A node other than this one that takes a page; -1: there is none. */
static int other_node(void *page, int node) {
    for (int other = 0; other < NODES; other++) {
        int answer = -1;
        if (other != node && !syscall(SYS_move_pages, 0, 1, &page, &other, &answer, MPOL_MF_MOVE) && answer == other)
            return other;
    }
    return -1;
}

/* Memory of the program's own, on one node. */
static bool map(struct pages *pages) {
    size_t bytes = pages->count * page_bytes;
    pages->start = memory_map(bytes, MEMORY_BASE_PAGES);
    if (!pages->start)
        return false;
    memory_write(pages->start, bytes, MEMORY_BASE_PAGES);
    if (!begin(pages))
        return false;
    for (int node = 0; node < NODES; node++)
        if (pages->per_node[node] > pages->per_node[pages->to])
            pages->to = node;
    move_to(pages, pages->to);
    return begin(pages) && pages->per_node[pages->to] == pages->count;
}

/* Where pages are there already, migration only has to ask. */
static const struct way asks = {bare_query, check_answers}, stays = {bare_query, check_bare_migration},
                        stays_together = {bare_query_together, check_bare_migration}, moves = {bare_move, check_bare_migration};
static const struct way memory_asks = {memory_query, check_placement}, memory_moves = {memory_migrate, check_migration};
static const struct way array_asks = {array_query, check_placement}, array_moves = {array_migrate, check_migration};

static void measure_memory(size_t count) {
    static struct pages pages;
    pages = (struct pages){.count = count, .from = -1};
    if (!map(&pages)) {
        bench_fail("memory", "", "not all of it can be had on one node");
        return;
    }
    measure("query of memory", &pages, asks, memory_asks);
    measure("migration of memory that is there already", &pages, stays, memory_moves);
    pages.from = other_node(pages.start, pages.to);
    if (pages.from >= 0)
        measure("migration of memory from another node", &pages, moves, memory_moves);
    pages.from = -1;
    move_to(&pages, pages.to);
    pages.count = 1;
    measure("query of a page", &pages, asks, memory_asks);
    pages.count = count;
    if (weft_array_adopt(&pages.array, pool, pages.start, count * page_bytes / ITEM_BYTES, ITEM_BYTES, NULL) ||
        weft_array_migrate(pages.array, NULL)) {
        bench_fail("adopted array", "", weft_error_detail());
        return;
    }
    measure("query of an adopted array", &pages, asks, array_asks);
    measure("migration of an adopted array that is there already", &pages, stays_together, array_moves);
    weft_array_destroy(pages.array);
    memory_unmap(pages.start, count * page_bytes);
}

static void measure_array(size_t count, weft_pages kind, const char *query, const char *migration) {
    static struct pages pages;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .pages = kind};
    pages = (struct pages){.count = count, .from = -1};
    if (weft_array_create(&pages.array, pool, count * page_bytes / ITEM_BYTES, ITEM_BYTES, &options)) {
        bench_fail(query, "", weft_error_detail());
        return;
    }
    pages.start = weft_array_data(pages.array);
    measure(query, &pages, asks, array_asks);
    measure(migration, &pages, stays_together, array_moves);
    weft_array_destroy(pages.array);
}

int main(int argc, char **argv) {
    if (!bench_begin(argc, argv, VERSION))
        return 1;
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .workers = bench_workers};
    if (bench_workers > MOST_WORKERS || weft_pool_create(&pool, &options)) /* binds its workers itself */
        return 1;
    threads_bind_new(THREADS_CALLER_WAITS);
    threads = thread_pool_create(bench_workers);
    if (!threads)
        return 1;
    page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    size_t count = bench_milliseconds > 0 ? PAGES : FEW_PAGES;
    measure_memory(count);
    measure_array(count, WEFT_PAGES_BASE, "query of an array", "migration of an array that is there already");
    measure_array(count, WEFT_PAGES_THP, "query of an array in huge pages",
                  "migration of an array in huge pages that is there already");
    thread_pool_destroy(threads);
    if (weft_pool_destroy(pool))
        return 1;
    return bench_end();
}
