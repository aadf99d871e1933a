/*
 * Node pools: objects of all sizes lie on the node they were asked for, a thread's own ones on the node of its CPU, also after objects
 * have long been freed on other nodes than they were allocated on; and a producer on one node with a consumer on another reach a state
 * in which no more memory is used.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "numa.h"

#define OBJECTS 3000 /* of one batch */
#define WARM_UP 10   /* rounds */
#define ROUNDS 60
#define GROWTH_KIB 128 /* of other things than objects; a batch is more than ten times as much */

static weft_pool *pool;
static struct machine machine;

/* All pages of an object that has been written to. */
static void check_on(const void *object, size_t bytes, int node, const char *what) {
    struct pages pages = pages_ask(object, bytes, NULL);
    if (!pages.present || pages.on[node] != pages.present)
        FAIL("%s of %zu bytes: %zu of %zu pages on node %d", what, bytes, pages.on[node], pages.present, node);
}

static void check_sizes(void) {
    unsigned checked = 0;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
        for (size_t bytes = 1; bytes < (size_t)6 << 20; bytes = bytes * 2 + 1)
            for (int round = 0; round < 3; round++, checked++) {
                char *object = weft_node_alloc(pool, node, bytes);
                CHECK(object);
                memset(object, 1, bytes);
                check_on(object, bytes, os_node(pool, node), "an object");
                CHECK((object = weft_realloc(object, bytes + bytes / 2 + 1)));
                memset(object, 1, bytes + bytes / 2 + 1);
                check_on(object, bytes + bytes / 2 + 1, os_node(pool, node), "an object that grew");
                if (round) /* one of each size stays, so that others come from elsewhere */
                    weft_free(object);
            }
    printf("%u objects on the nodes they were asked for\n", checked);
}

/* The node that the calling thread is bound to; NO_NODE: it may run on several, as the main thread, which helps in loops. */
static int own_node(void) {
    cpu_set_t set;
    int node = machine.cpu_node[sched_getcpu()];
    CHECK(!sched_getaffinity(0, sizeof set, &set));
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (CPU_ISSET(cpu, &set) && machine.cpu_node[cpu] != node)
            return NO_NODE;
    return node;
}

static atomic_uint bound;

static void use_home(void *arg, weft_range range) {
    (void)arg;
    int node = own_node();
    for (size_t i = range.first; node != NO_NODE && i < range.last; i++) {
        char *object = weft_local_alloc(pool, 100 + i % 9 * 5000);
        CHECK(object);
        *object = 1;
        check_on(object, 1, node, "a worker's object");
        weft_free(object);
        atomic_fetch_add(&bound, 1);
    }
}

static void bind_to_node(int node) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++)
        if (machine.cpu_node[cpu] == node)
            CPU_SET(cpu, &set);
    CHECK(!sched_setaffinity(0, sizeof set, &set));
}

/* Two batches: one is filled while the other one is freed. */
static struct traffic {
    pthread_barrier_t barrier;
    char *objects[2][OBJECTS];
    int producer, consumer; /* nodes */
    size_t resident[ROUNDS];
} traffic;

/* Pages of the whole process. statm is told by counters that lag behind, this is counted. */
static size_t resident_kib(void) {
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");
    while (file && !kib && fgets(line, sizeof line, file))
        sscanf(line, "Rss: %zu", &kib);
    if (file)
        fclose(file);
    return kib;
}

static size_t bytes_of(unsigned round, unsigned i) {
    unsigned mixed = (i * 2654435761u) ^ (round * 40503u);
    return 16 + mixed % 1009;
}

static void *produce(void *arg) {
    bind_to_node(traffic.producer);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char **batch = traffic.objects[round % 2];
        for (unsigned i = 0; i < OBJECTS; i++) {
            CHECK((batch[i] = weft_local_alloc(pool, bytes_of(round, i))));
            batch[i][0] = (char)i;
        }
        for (unsigned i = 0; i < OBJECTS; i += OBJECTS / 20)
            check_on(batch[i], 1, traffic.producer, "a producer's object");
        pthread_barrier_wait(&traffic.barrier);
        traffic.resident[round] = resident_kib();
    }
    pthread_barrier_wait(&traffic.barrier);
    return arg;
}

static void *consume(void *arg) {
    bind_to_node(traffic.consumer);
    for (unsigned round = 0; round < ROUNDS; round++) {
        char *own[16];
        pthread_barrier_wait(&traffic.barrier);
        for (unsigned i = 0; i < OBJECTS; i++) {
            CHECK(traffic.objects[round % 2][i][0] == (char)i);
            weft_free(traffic.objects[round % 2][i]);
        }
        for (unsigned i = 0; i < 16; i++) { /* what it freed is not taken for its own */
            CHECK((own[i] = weft_local_alloc(pool, 64)));
            own[i][0] = 1;
            check_on(own[i], 1, traffic.consumer, "a consumer's object");
        }
        for (unsigned i = 0; i < 16; i++)
            weft_free(own[i]);
    }
    pthread_barrier_wait(&traffic.barrier);
    return arg;
}

static void check_traffic(int producer, int consumer) {
    pthread_t threads[2];
    traffic.producer = producer;
    traffic.consumer = consumer;
    CHECK(!pthread_barrier_init(&traffic.barrier, NULL, 2));
    CHECK(!pthread_create(&threads[0], NULL, produce, NULL) && !pthread_create(&threads[1], NULL, consume, NULL));
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    pthread_barrier_destroy(&traffic.barrier);
    size_t most = 0;
    for (unsigned round = WARM_UP; round < ROUNDS; round++)
        most = traffic.resident[round] > most ? traffic.resident[round] : most;
    printf("node %d to node %d: %zu KiB after %u rounds, %zu at most after %u\n", producer, consumer,
           traffic.resident[WARM_UP - 1], WARM_UP, most, ROUNDS);
    CHECK(traffic.resident[0] && most <= traffic.resident[WARM_UP - 1] + GROWTH_KIB);
}

/* Memory that was made present, of which an object is allocated and not written to. */
static void check_reserved(void) {
    const size_t bytes = (size_t)6 << 20;
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        weft_node_memory memory;
        OK(weft_node_reserve(pool, node, 2 * bytes, WEFT_PAGES_DEFAULT));
        OK(weft_node_stats(pool, node, &memory));
        CHECK(memory.os_node == os_node(pool, node) && memory.present_bytes >= 2 * bytes);
        CHECK(memory.bound == (machine.nodes > 1) && memory.bound == !*memory.reason);
        char *object = weft_node_alloc(pool, node, bytes);
        CHECK(object);
        struct pages pages = pages_ask(object, bytes, NULL);
        if (pages.present * (size_t)sysconf(_SC_PAGESIZE) < bytes)
            FAIL("%zu pages of %zu reserved bytes are present", pages.present, bytes);
        check_on(object, bytes, os_node(pool, node), "a reserved object");
        weft_free(object);
        OK(weft_node_trim(pool, node, 0));
        OK(weft_node_stats(pool, node, &memory));
        CHECK(memory.present_bytes < 2 * bytes);
    }
    printf("reserved memory of %u nodes is on them\n", weft_pool_nodes(pool));
}

int main(void) {
    machine = machine_read();
    pool = start_pool();
    check_reserved();
    check_sizes();
    OK(weft_for(pool, 2000, use_home, NULL,
                &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096}));
    printf("%u objects on the node of the worker that allocated them\n", bound);
    CHECK(bound);
    int first = os_node(pool, 0), last = os_node(pool, weft_pool_nodes(pool) - 1);
    check_traffic(first, last);
    check_traffic(last, first);
    check_sizes();
    OK(weft_pool_destroy(pool));
    return 0;
}
