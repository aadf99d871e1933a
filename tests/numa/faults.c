/*
 * Adopting memory that is scattered over several nodes, looking at it again and repairing it, where one call for memory or to the system
 * fails, each in turn (stress/inject.c): a status with a text or a loop that does without, every item once, and no leak.
 */
#include <malloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../stress/inject.h"
#include "../stress/stress.h"
#undef CHECK /* numa.h has one that prints where this machine's output goes */
#include "numa.h"

#define PAGES 8300 /* enough for the workers to ask together, */
#define THERE 200  /* and so many of them are present */
#define PASSES 2

static weft_pool *pool;
static size_t page;
static char *scattered, *repaired;
static weft_array *array;
static unsigned char runs[PAGES];

static void count(void *arg, weft_range range) {
    (void)arg;
    for (size_t i = range.first; i < range.last; i++)
        runs[i]++;
}

/* Whether every item has run that often. */
static bool all_ran(int times) {
    for (size_t i = 0; i < PAGES; i++)
        if (runs[i] != times)
            return false;
    return true;
}

static weft_status loop(void) {
    weft_loop_report report;
    memset(runs, 0, sizeof runs);
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .align = 16, .report = &report};
    weft_status status = weft_for_array(array, count, NULL, &options);
    CHECK(all_ran(status ? 0 : 1));
    return status;
}

static weft_status use_adopted(void) {
    weft_status status = weft_array_adopt(&array, pool, scattered, PAGES, page, NULL);
    CHECK(!status == !!array);
    if (!status)
        status = loop();
    if (!status)
        status = weft_array_refresh(array);
    return status;
}

static weft_status use_repair(void) {
    weft_status status = weft_array_adopt(&array, pool, repaired, PAGES, page, NULL);
    if (!status)
        status = weft_array_migrate(array, NULL);
    return status;
}

/* Fail the n-th call for n = 1, 2, ... until a run needs fewer. What is left after a failure still works. */
static void exhaust(const char *name, weft_status (*run)(void)) {
    unsigned failures = 0, absorbed = 0;
    for (long n = 1;; n++) {
        array = NULL;
        inject_arm(n, true);
        weft_status status = run();
        struct injected which = inject_disarm();
        if (status != WEFT_OK && ((status != WEFT_ENOMEM && status != WEFT_EPERM) || !*weft_error_detail()))
            FAIL("%s: %s in %s: %s: %s", name, which.call, which.where, weft_status_name(status), weft_error_detail());
        if (array)
            OK(loop());
        weft_array_destroy(array);
        if (!which.call) {
            OK(status);
            break;
        }
        failures += status != WEFT_OK;
        absorbed += status == WEFT_OK;
    }
    printf("%s: %u calls failed with a status, %u were done without\n", name, failures, absorbed);
    CHECK(failures > 5);
}

static char *make_memory(unsigned nodes) {
    int on[THERE];
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    for (size_t i = 0; i < THERE; i++) {
        data[i * page] = 1;
        on[i] = (int)(i / 3 % nodes);
    }
    pages_put(data, THERE, on);
    return data;
}

int main(int argc, char **argv) {
    (void)argc;
    stress_count_heap_exactly(argv);
    struct machine machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    if (machine.nodes < 2) {
        printf("one node: nothing can lie elsewhere\n");
        return 77;
    }
    inject_prepare();
    pool = start_small_pool(&machine);
    scattered = make_memory(machine.nodes);
    repaired = make_memory(1);
    size_t used = 0;
    int grew = 0;
    for (int pass = 0; pass < PASSES; pass++) { /* the first fills caches of the C library */
        exhaust("adopted", use_adopted);
        exhaust("repaired", use_repair);
        struct mallinfo2 heap = mallinfo2();
        size_t now = heap.uordblks + heap.hblkhd;
        printf("pass %d: %zu bytes of heap in use\n", pass, now);
        grew += now > used;
        used = now;
    }
    CHECK(grew < PASSES); /* a leak shows in every pass */
    OK(weft_pool_destroy(pool));
    return 0;
}
