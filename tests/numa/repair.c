/*
 * Repairs of adopted memory while others write to it, and repairs that are stopped: no value is lost, what is told as tried is in place,
 * the counts add up, and loops follow the pages afterwards, whatever has moved.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "adopted.h"

#define PAGES 180 /* 20 periods of 9 turns */
#define WRITERS 2

static struct machine machine;
static weft_pool *pool;
static size_t page;

/* What the caller of a repair is told. */
struct teller {
    size_t calls, stop_at; /* 0: never */
    size_t done;
    void (*each)(void);
};

static bool tell(void *arg, size_t done, size_t pages) {
    struct teller *teller = arg;
    CHECK(pages == PAGES && done >= teller->done && done <= pages);
    teller->done = done;
    if (teller->each && done < pages)
        teller->each();
    return ++teller->calls != teller->stop_at;
}

static int nodes[PAGES], wanted[PAGES];

/* Every step-th page on the node behind the one where it is wanted. */
static void displace(char *data, size_t step) {
    for (size_t i = 0; i < PAGES; i++)
        nodes[i] = (wanted[i] + (i % step == 0)) % (int)machine.nodes;
    pages_put(data, PAGES, nodes);
}

static size_t in_place(const char *data) {
    size_t count = 0;
    pages_ask(data, PAGES * page, nodes);
    for (size_t i = 0; i < PAGES; i++)
        count += nodes[i] == wanted[i];
    return count;
}

static char *make_memory(void) {
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    for (size_t i = 0; i < PAGES; i++)
        memset(data + i * page, 1 + (int)(i % 101), page);
    return data;
}

static void check_content(const char *data) {
    for (size_t i = 0; i < PAGES; i++)
        CHECK(data[i * page] == (char)(1 + i % 101) && data[i * page + page - 1] == (char)(1 + i % 101));
}

/*
 * With turns that are exact every worker has several of them, so that some are left when it is told to stop after its first, and all pages are
 * displaced. Others may have their turns begin with any node, and follow most of the pages: a third is displaced.
 */
static void check_stop(const struct adopted *adopted, size_t stop_at) {
    bool exact = adopted->place == WEFT_WEIGHTED;
    size_t step = adopted->place == WEFT_INTERLEAVED ? 3 : 1;
    displace(adopted->data, step);
    struct teller teller = {.stop_at = stop_at};
    weft_migrate_options telling = {WEFT_MIGRATE_OPTIONS_INIT, tell, &teller};
    weft_migration report = {.pages = 99};
    weft_status status = weft_array_migrate_with(adopted->array, &telling, &report);
    size_t right = in_place(adopted->data);
    printf("%s: stopped at call %zu of progress, which told %zu pages: %s, %zu are in place\n", adopted->name, teller.calls,
           teller.done, weft_status_name(status), right);
    if (status == WEFT_OK) /* all were tried before progress was called so often */
        CHECK(right == PAGES && teller.done == PAGES && report.pages == PAGES);
    else
        CHECK(status == WEFT_ECANCELED && teller.calls == stop_at && right >= teller.done && report.pages == 99);
    CHECK(!exact || stop_at > 1 || (status == WEFT_ECANCELED && right < PAGES));
    adopted_follows(adopted);
    report = adopted_repair(adopted, NULL);
    CHECK(report.there_already == right && report.moved == PAGES - right && in_place(adopted->data) == PAGES);
    check_content(adopted->data);
}

/* Every page has a word for each writer, and one for the loops; a writer alone counts what it has written there. */
static char *shared;
static _Atomic(bool) ended;
static struct writer {
    pthread_t thread;
    unsigned slot;
    _Atomic(size_t) rounds; /* A: relaxed, a count */
    unsigned wrote[PAGES];  /* O: by the thread, until it is joined */
} writers[WRITERS];

static unsigned *word(size_t i, unsigned slot) {
    return (unsigned *)(void *)(shared + i * page) + slot;
}

static void *write_pages(void *arg) {
    struct writer *writer = arg;
    unsigned seed = writer->slot;
    while (!atomic_load_explicit(&ended, memory_order_relaxed)) {
        for (int i = 0; i < 64; i++) {
            size_t at = ((seed = seed * 1103515245u + 12345u) >> 8) % PAGES;
            ++*word(at, writer->slot);
            writer->wrote[at]++;
        }
        atomic_fetch_add_explicit(&writer->rounds, 1, memory_order_relaxed);
    }
    return NULL;
}

static void write_items(void *arg, weft_range range) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        ++*word(i, WRITERS);
}

static void *write_in_loops(void *arg) {
    size_t loops = 0;
    for (; !atomic_load_explicit(&ended, memory_order_relaxed) || !loops; loops++)
        OK(weft_for_array(arg, write_items, NULL, NULL));
    return (void *)loops;
}

/* In the midst of a repair: it goes on when every writer has written. */
static void wait_for_writers(void) {
    for (unsigned i = 0; i < WRITERS; i++) {
        size_t before = atomic_load_explicit(&writers[i].rounds, memory_order_relaxed);
        while (atomic_load_explicit(&writers[i].rounds, memory_order_relaxed) == before)
            sched_yield();
    }
}

/* A page that a writer waits for may be busy once: a second repair moves it. */
static void repair_under_load(const struct adopted *adopted) {
    weft_migration report;
    size_t calls = 0;
    for (int round = 0;; round++) {
        struct teller teller = {.each = wait_for_writers};
        OK(weft_array_migrate_with(adopted->array, &(weft_migrate_options){WEFT_MIGRATE_OPTIONS_INIT, tell, &teller}, &report));
        printf("%s: %zu moved, %zu were there, %zu refused; progress was told %zu times\n", adopted->name, report.moved,
               report.there_already, report.refused, teller.calls);
        CHECK(report.pages == PAGES && report.moved + report.there_already + report.refused == PAGES && !report.absent);
        CHECK(report.refused_by[WEFT_REFUSED_BUSY] == report.refused && teller.done == PAGES);
        calls += teller.calls;
        if (!report.refused)
            break;
        CHECK(round < 20);
    }
    CHECK(calls > 1);
}

static void check_load(const struct adopted *adopted) {
    pthread_t looping;
    void *loops;
    shared = adopted->data;
    memset(shared, 0, PAGES * page);
    displace(shared, 1);
    atomic_store(&ended, false);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.slot = i};
        CHECK(!pthread_create(&writers[i].thread, NULL, write_pages, &writers[i]));
    }
    CHECK(!pthread_create(&looping, NULL, write_in_loops, adopted->array));
    repair_under_load(adopted);
    atomic_store(&ended, true);
    for (unsigned i = 0; i < WRITERS; i++)
        CHECK(!pthread_join(writers[i].thread, NULL));
    CHECK(!pthread_join(looping, &loops));
    CHECK(in_place(shared) == PAGES);
    for (size_t i = 0; i < PAGES; i++) {
        CHECK(*word(i, WRITERS) == (size_t)loops);
        for (unsigned slot = 0; slot < WRITERS; slot++)
            CHECK(*word(i, slot) == writers[slot].wrote[i]);
    }
    adopted_follows(adopted);
}

/* Where the pages are wanted is where a repair brings them that nobody disturbs. */
static struct adopted begin(const char *name, const weft_array_options *options) {
    struct adopted adopted = adopt(name, &machine, pool, make_memory(), PAGES, page, options);
    adopted_repair(&adopted, NULL);
    pages_ask(adopted.data, PAGES * page, wanted);
    return adopted;
}

static void end(const struct adopted *adopted) {
    weft_array_destroy(adopted->array);
    munmap(adopted->data, PAGES * page);
}

int main(void) {
    machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (machine.nodes < 2) {
        printf("one node: nothing can lie elsewhere\n");
        return 77;
    }
    pool = start_small_pool(&machine);
    static const unsigned weights[MAX_NODES] = {2, 2, 2, 3};
    weft_array_options weighted = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_WEIGHTED, .weights = weights,
                                   .weight_count = weft_pool_nodes(pool)};
    weft_array_options interleaved = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_INTERLEAVED};
    struct adopted adopted = begin("weighted", &weighted);
    check_stop(&adopted, 1);
    end(&adopted);
    adopted = begin("interleaved", &interleaved);
    check_stop(&adopted, 1);
    end(&adopted);
    adopted = begin("partitioned", NULL);
    check_stop(&adopted, 1);
    check_load(&adopted);
    end(&adopted);
    OK(weft_pool_destroy(pool));
    return 0;
}
