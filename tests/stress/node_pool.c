/*
 * Conservation in node pools: threads that come and go allocate objects of random sizes on random nodes, leave them on a board, and free
 * what others left there. Every object has what its maker wrote. When all threads have ended and all objects are freed, each node
 * pool has every object of each class that it ever carved, free in its spans or in its depot. Looks inside for the counts. Another
 * thread looks at statistics, reserves and trims meanwhile.
 * Usage: stress_node_pool; WEFT_TEST_SEED, WEFT_TEST_SCALE. WEFT_HARDENED=0 and 1 are different paths; both are tests.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/rng.h"
#include "memory/node_pool.h"
#include "scheduler/pool.h"
#include "stress.h"
#include "weft.h"

#define BOARD 1000
#define THREADS 4     /* at once */
#define GENERATIONS 6 /* of threads, one after the other */
#define POOLS 3       /* one after the other */
#define WHOLE 4096    /* bytes: of larger objects only both ends are written */

struct object { /* at the beginning of each */
    uint64_t value;
    size_t bytes;
};

static weft_pool *pool;
static uint64_t seed, steps;
static _Atomic(struct object *) board[BOARD];
static atomic_uint_fast64_t made, freed;

/* Mostly small; some above the classes. */
static size_t random_bytes(uint64_t *state) {
    uint32_t kind = wf_rng_below(state, 1000), most = kind < 900 ? 1024 : kind < 990 ? 32 << 10 : kind < 999 ? 1 << 20 : 4 << 20;
    return sizeof(struct object) + wf_rng_below(state, most);
}

/* The byte at a place of the object, behind its struct. */
static unsigned char byte_at(const struct object *object, size_t at) {
    return (unsigned char)(object->value + at * 7);
}

/* The bytes that are written: all, or those near both ends. */
static size_t next_byte(const struct object *object, size_t at) {
    return object->bytes > WHOLE && at == WHOLE / 2 ? object->bytes - WHOLE / 2 : at + 1;
}

static struct object *make(uint64_t *state) {
    size_t bytes = random_bytes(state);
    unsigned node = wf_rng_below(state, 3);
    struct object *object = wf_rng_below(state, 20) ? weft_node_alloc(pool, node < 2 ? node : WEFT_NODE_HOME, bytes)
                                                    : weft_node_aligned_alloc(pool, WEFT_NODE_HOME, 256, bytes);
    CHECK(object);
    *object = (struct object){wf_rng_next(state), bytes};
    for (size_t at = sizeof *object; at < bytes; at = next_byte(object, at))
        ((unsigned char *)object)[at] = byte_at(object, at);
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed); /* summed when the threads have ended */
    return object;
}

static void check(const struct object *object) {
    CHECK(weft_usable_bytes(object) >= object->bytes);
    for (size_t at = sizeof *object; at < object->bytes; at = next_byte(object, at))
        CHECK(((const unsigned char *)object)[at] == byte_at(object, at));
}

static void unmake(struct object *object) {
    check(object);
    weft_free(object);
    atomic_fetch_add_explicit(&freed, 1, memory_order_relaxed); /* as above */
}

/* Its content is kept as far as it goes; what is new is written. */
static struct object *change(struct object *object, uint64_t *state) {
    check(object);
    size_t bytes = random_bytes(state), had = object->bytes;
    struct object *changed = weft_realloc(object, bytes);
    CHECK(changed && changed->bytes == had);
    size_t kept = had < bytes ? had : bytes;
    for (size_t at = sizeof *changed; at < kept && (had <= WHOLE || at < WHOLE / 2); at++)
        CHECK(((const unsigned char *)changed)[at] == byte_at(changed, at));
    changed->bytes = bytes;
    for (size_t at = sizeof *changed; at < bytes; at = next_byte(changed, at))
        ((unsigned char *)changed)[at] = byte_at(changed, at);
    return changed;
}

static void *work(void *arg) {
    uint64_t state = seed * 1000003 + (uintptr_t)arg;
    for (uint64_t i = 0; i < steps; i++) {
        struct object *object = wf_rng_below(&state, 2) ? make(&state) : NULL;
        object = atomic_exchange(&board[wf_rng_below(&state, BOARD)], object);
        if (object && !wf_rng_below(&state, 8)) /* put back, changed */
            object = atomic_exchange(&board[wf_rng_below(&state, BOARD)], change(object, &state));
        if (object)
            unmake(object);
    }
    return NULL;
}

static void work_task(void *arg) {
    work(arg);
}

/* On a thread of its own, which hands over its cache when it ends. */
static void *sweep(void *unused) {
    for (unsigned i = 0; i < BOARD; i++) {
        struct object *object = atomic_exchange(&board[i], NULL);
        if (object)
            unmake(object);
    }
    return unused;
}

static void run_threads(uintptr_t first) {
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        CHECK(!pthread_create(&threads[i], NULL, work, (void *)(first + i)));
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(!pthread_join(threads[i], NULL));
}

static atomic_bool ended;

/* Looks at the node pools, makes memory present and gives it back while the others work. */
static void *tend(void *unused) {
    weft_node_memory memory;
    weft_class_memory one;
    for (uint64_t i = 0; !atomic_load(&ended); i++) {
        unsigned node = i % 2;
        CHECK(!weft_node_stats(pool, node, &memory) && memory.peak_bytes >= memory.used_bytes);
        CHECK(!weft_node_class_stats(pool, node, (unsigned)(i % WEFT_SIZE_CLASSES), &one) && one.object_bytes);
        if (i % 8 == 0)
            CHECK(!weft_node_reserve(pool, node, 3 << 20, i % 16 ? WEFT_PAGES_BASE : WEFT_PAGES_DEFAULT));
        if (i % 8 == 4)
            CHECK(!weft_node_trim(pool, node, i % 16 ? 1 << 20 : 0));
        usleep(1000);
    }
    return unused;
}

static size_t depot_objects(struct wf_node_pool *of, unsigned size_class) {
    size_t count = 0;
    for (struct wf_magazine *magazine; (magazine = wf_depot_pop(of->table, &of->depots[size_class].full));)
        count += magazine->count;
    return count;
}

/* Nobody calls. Takes the depots apart: the last look at this pool. */
static void check_conservation(void) {
    struct wf_node_memory *memory = wf_load(&pool->node_memory, WF_ACQUIRE);
    CHECK(memory);
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++) {
        struct wf_node_pool *of = wf_node_pool_if(memory, node);
        weft_node_memory told;
        CHECK(of && !of->large && !of->large_bytes && !of->mappings);
        CHECK(!weft_node_stats(pool, node, &told) && !told.objects && !told.object_bytes);
        for (unsigned k = 0; k < WEFT_SIZE_CLASSES; k++) {
            size_t depot = depot_objects(of, k);
            if (of->classes[k].carved != of->classes[k].free + depot)
                fprintf(stderr, "node %u, class %u: carved %zu, free %zu, in the depot %zu\n", node, k, of->classes[k].carved,
                        of->classes[k].free, depot);
            CHECK(of->classes[k].carved == of->classes[k].free + depot);
        }
    }
}

/* Workers keep their caches, so with tasks the pool's end is what is tested, and without them that nothing is lost. */
static void run_pool(unsigned round, bool with_tasks) {
    weft_group *group;
    pthread_t sweeper, tender;
    CHECK(!weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "node:2 core:2 pu:1"}));
    CHECK(!weft_group_create(&group, pool));
    atomic_store(&ended, false);
    CHECK(!pthread_create(&tender, NULL, tend, NULL));
    for (uintptr_t i = 0; i < 8 && with_tasks; i++)
        CHECK(!weft_group_spawn(group, work_task, (void *)(round * 1000 + 500 + i)));
    for (unsigned generation = 0; generation < GENERATIONS; generation++)
        run_threads(round * 1000 + generation * THREADS);
    CHECK(!weft_group_wait(group) && !weft_group_destroy(group));
    atomic_store(&ended, true);
    CHECK(!pthread_join(tender, NULL));
    CHECK(!pthread_create(&sweeper, NULL, sweep, NULL) && !pthread_join(sweeper, NULL));
    CHECK(atomic_load(&made) == atomic_load(&freed));
    if (!with_tasks)
        check_conservation();
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    seed = stress_seed();
    steps = stress_scale(8000);
    for (unsigned round = 0; round < POOLS; round++)
        run_pool(round, round == 1);
    printf("%" PRIu64 " objects made and freed\n", (uint64_t)atomic_load(&made));
    return 0;
}
