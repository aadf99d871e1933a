/*
 * Memory policies and questions refused as in a container (seccomp): everything lies where it belongs by first touch alone, and
 * weft says that the kernel refused. The child has the filter and uses weft; the parent has none and asks the kernel where the
 * child's threads and pages are. (NUMA balancing is off in these machines: it would move pages that have no policy.)
 *
 * refused --one-thread   the child touches its array from one thread; the parent must find it misplaced (exit 1)
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit/refuse.h"
#include "numa.h"

#define PAGES 4096
#define WANTED 99.0

/* What the child tells, in memory that both share. The parent reads while the child waits for it. */
static struct told {
    unsigned workers, nodes;
    struct {
        pid_t thread;
        unsigned pu;
        int node;         /* OS index */
        size_t elsewhere; /* bodies that ran on another CPU than that PU */
        const char *copy; /* REPLICATED: its copy */
    } worker[MAX_CPUS];
    int os_node[MAX_NODES]; /* of the plan */
    const char *data;
    int ran[PAGES]; /* node of the CPU on which each page's iteration ran */
    int on_node;    /* ON_NODE: where */
} * told;

static struct machine machine;
static size_t page;
static int to_parent[2], to_child[2];

/* The child: wait until the parent has looked. */
static void show(char what) {
    char answer;
    CHECK(write(to_parent[1], &what, 1) == 1);
    CHECK(read(to_child[0], &answer, 1) == 1);
}

static void visit(void *arg, weft_range range) {
    char *data = arg;
    unsigned id = (unsigned)weft_current_worker();
    told->worker[id].thread = gettid();
    for (size_t i = range.first; i < range.last; i++) {
        int cpu = sched_getcpu();
        told->worker[id].elsewhere += cpu != (int)told->worker[id].pu;
        told->ran[i] = machine.cpu_node[cpu];
        if (data)
            data[i * page]++;
    }
}

static const weft_for_options fixed = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096};

static void check_words(weft_pool *pool, const weft_array *array, int error) {
    weft_effective lines[32];
    weft_placement placement;
    size_t count = weft_pool_effective(pool, lines, 32);
    bool said = false;
    for (size_t i = 0; i < count && i < 32; i++)
        said = said || (!strcmp(lines[i].feature, "memory") && *lines[i].reason &&
                        !strcmp(lines[i].got, machine.nodes > 1 ? "first touch" : "the only node"));
    CHECK(said);
    CHECK(weft_array_placement(array, &placement, NULL, 0) == (error == EPERM ? WEFT_EPERM : WEFT_ENOTSUP));
    CHECK(strstr(weft_error_detail(), "move_pages"));
}

static void use_array(weft_pool *pool, weft_array_options options, char what, int error) {
    weft_array *array;
    OK(weft_array_create(&array, pool, PAGES, page, &options));
    told->data = weft_array_data(array);
    if (options.untouched) /* --one-thread */
        memset(weft_array_data(array), 1, PAGES * page);
    if (what == 'p')
        OK(weft_for_array(array, visit, weft_array_data(array), &fixed));
    else
        check_words(pool, array, error);
    show(what);
    weft_array_destroy(array);
}

static void find_copy(void *arg, weft_range range) {
    (void)range;
    told->worker[weft_current_worker()].copy = weft_array_local(arg);
}

static void use_replicated(weft_pool *pool) {
    weft_array *array;
    OK(weft_array_create(&array, pool, PAGES, page, &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_REPLICATED}));
    OK(weft_for(pool, told->workers, find_copy, array, &fixed));
    show('r');
    weft_array_destroy(array);
}

static void use_foreign_memory(weft_pool *pool) {
    char *data = mmap(NULL, PAGES * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(data != MAP_FAILED && !madvise(data, PAGES * page, MADV_NOHUGEPAGE));
    OK(weft_touch(pool, data, PAGES * page, page));
    OK(weft_for(pool, PAGES, visit, data, &fixed));
    told->data = data;
    show('p');
    munmap(data, PAGES * page);
}

static void describe(weft_pool *pool) {
    const weft_plan_worker *planned = weft_plan_workers(weft_pool_plan(pool), &told->workers);
    told->nodes = weft_pool_nodes(pool);
    CHECK(told->workers <= MAX_CPUS && told->nodes <= MAX_NODES);
    for (unsigned i = 0; i < told->workers; i++) {
        told->worker[i].pu = planned[i].pu;
        told->worker[i].node = os_node(pool, planned[i].node);
    }
    for (unsigned node = 0; node < told->nodes; node++)
        told->os_node[node] = os_node(pool, node);
}

static void check_strict(weft_pool *pool) {
    weft_array *array = NULL;
    weft_pool *strict = NULL;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_ON_NODE, .strict = true};
    CHECK(weft_array_create(&array, pool, PAGES, page, &options) == WEFT_ESTRICT && !array);
    weft_status status = weft_pool_create(&strict, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .strict = true});
    CHECK(status == (told->nodes > 1 ? WEFT_ESTRICT : WEFT_OK));
    CHECK(!status || strstr(weft_error_detail(), "memory policies are refused"));
    OK(weft_pool_destroy(strict));
}

static void run_child(int error, bool one_thread) {
    static const int calls[] = {SYS_mbind, SYS_set_mempolicy, SYS_get_mempolicy, SYS_move_pages, SYS_migrate_pages};
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .pages = WEFT_PAGES_BASE, .untouched = one_thread};
    CHECK(refuse_calls(calls, sizeof calls / sizeof *calls, error));
    weft_pool *pool = start_pool();
    describe(pool);
    OK(weft_for(pool, PAGES, visit, NULL, &fixed));
    show('w');
    use_array(pool, options, 'p', error);
    options.place = WEFT_INTERLEAVED;
    use_array(pool, options, 'i', error);
    static const unsigned weights[MAX_NODES] = {3, 1, 3, 1, 3, 1, 3, 1};
    options.place = WEFT_WEIGHTED;
    options.weights = weights;
    options.weight_count = told->nodes;
    use_array(pool, options, 'g', error);
    options.weights = NULL;
    options.weight_count = 0;
    options.place = WEFT_ON_NODE;
    for (options.node = 0; options.node < told->nodes; options.node++) {
        told->on_node = told->os_node[options.node];
        use_array(pool, options, 'n', error);
    }
    use_replicated(pool);
    use_foreign_memory(pool);
    check_strict(pool);
    OK(weft_pool_destroy(pool));
}

/* The rest is the parent's. */
static void demand(const char *what, size_t part, size_t whole) {
    printf("  %-42s %6zu of %6zu pages (%.2f %%)\n", what, part, whole, percent(part, whole));
    if (percent(part, whole) < WANTED)
        FAIL("less than %.0f %%", WANTED);
}

static void look_at_workers(void) {
    for (unsigned i = 0; i < told->workers; i++) {
        cpu_set_t mask;
        unsigned pu = told->worker[i].pu;
        CHECK(!sched_getaffinity(told->worker[i].thread, sizeof mask, &mask));
        CHECK(CPU_COUNT(&mask) == 1 && CPU_ISSET(pu, &mask));
        CHECK(machine.cpu_node[pu] == told->worker[i].node && !told->worker[i].elsewhere);
    }
    printf("  %u workers, each on its planned CPU\n", told->workers);
}

static void look_at_parts(pid_t child) {
    static int lies[PAGES];
    size_t same = 0;
    struct pages pages = pages_ask_of(child, told->data, PAGES * page, lies);
    CHECK(pages.present == PAGES);
    for (size_t i = 0; i < PAGES; i++)
        same += lies[i] == told->ran[i];
    demand("partitioned by first touch: on its owner's node", same, PAGES);
}

static void look_at_turns(pid_t child) {
    struct pages pages = pages_ask_of(child, told->data, PAGES * page, NULL);
    size_t least = SIZE_MAX, most = 0;
    for (unsigned node = 0; node < told->nodes; node++) {
        size_t on = pages.on[told->os_node[node]];
        least = on < least ? on : least;
        most = on > most ? on : most;
    }
    printf("  %-42s %zu to %zu pages per node\n", "interleaved by first touch", least, most);
    CHECK(pages.present == PAGES && most - least <= 1);
}

/* Weighted 3, 1, 3, 1, ...: as many pages on each node, within one period. */
static void look_at_weights(pid_t child) {
    size_t sum = 0, right = 0;
    struct pages pages = pages_ask_of(child, told->data, PAGES * page, NULL);
    for (unsigned node = 0; node < told->nodes; node++)
        sum += node % 2 ? 1 : 3;
    for (unsigned node = 0; node < told->nodes; node++) {
        size_t on = pages.on[told->os_node[node]], weight = node % 2 ? 1 : 3, least = PAGES / sum * weight;
        right += on >= least && on <= least + (PAGES % sum ? weight : 0);
    }
    printf("  %-42s %zu of %u nodes have their share\n", "weighted by first touch", right, told->nodes);
    CHECK(pages.present == PAGES && right == told->nodes);
}

static void look_at_copies(pid_t child) {
    size_t home = 0;
    for (unsigned i = 0; i < told->workers; i++)
        home += pages_ask_of(child, told->worker[i].copy, PAGES * page, NULL).on[told->worker[i].node];
    demand("replicated by first touch: a worker's copy", home, told->workers * (size_t)PAGES);
}

static void look(pid_t child, char what) {
    switch (what) {
    case 'w':
        look_at_workers();
        break;
    case 'p':
        look_at_parts(child);
        break;
    case 'i':
        look_at_turns(child);
        break;
    case 'g':
        look_at_weights(child);
        break;
    case 'n':
        demand("on one node by first touch", pages_ask_of(child, told->data, PAGES * page, NULL).on[told->on_node], PAGES);
        break;
    default:
        look_at_copies(child);
    }
    fflush(stdout);
}

static int watch_child(int error, bool one_thread) {
    int status;
    char what;
    CHECK(!pipe(to_parent) && !pipe(to_child));
    memset(told, 0, sizeof *told);
    printf("refused with %s:\n", error == EPERM ? "EPERM" : "ENOSYS");
    fflush(stdout);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        close(to_parent[0]);
        close(to_child[1]);
        alarm(60);
        run_child(error, one_thread);
        exit(0);
    }
    close(to_parent[1]);
    close(to_child[0]);
    while (read(to_parent[0], &what, 1) == 1) {
        look(child, what);
        CHECK(write(to_child[1], &what, 1) == 1);
    }
    CHECK(waitpid(child, &status, 0) == child);
    close(to_parent[0]);
    close(to_child[1]);
    return status;
}

int main(int argc, char **argv) {
    static const int errors[] = {EPERM, ENOSYS};
    bool one_thread = argc > 1 && !strcmp(argv[1], "--one-thread");
    machine = machine_read();
    page = (size_t)sysconf(_SC_PAGESIZE);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(told != MAP_FAILED);
    for (size_t e = 0; e < 2; e++)
        CHECK(!watch_child(errors[e], one_thread));
    return 0;
}
