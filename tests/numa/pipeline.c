/*
 * Tokens live on their home node: buffers and arenas, also of batches, lie there whoever writes to them first, and workers of that node
 * run their stages while it has idle ones. Where pages are says move_pages(2), where a stage ran says its CPU.
 *
 * pipeline --wrong-node   compares with another node than the token's; the checks must then fail (exit 1)
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "numa.h"

#define TOKEN_BYTES ((size_t)300 << 10)
#define BATCH_BYTES ((size_t)500 << 10)
#define SCRATCH_BYTES ((size_t)3 << 20)
#define PIECE_BYTES ((size_t)200 << 10)
#define PIECES 12 /* of an arena: it has grown several times then, to huge pages */
#define BATCH 3
#define PER_WORKER 2 /* tokens */
#define ROUNDS 2
#define WORK_US 2000
#define HOME_PERCENT_LEAST 75 /* where nobody is late all stay at home; two nodes at random would be 50 */

static struct machine machine;
static weft_pool *pool;
static unsigned wrong; /* added to the node that pages should be on */

/* Pages that are present, and of these the ones where they belong. */
static struct tally {
    const char *what;
    size_t present, home; /* L: under `lock` */
} buffers = {"buffers of tokens", 0, 0}, arenas = {"arenas of tokens", 0, 0}, batch_buffers = {"buffers of batches", 0, 0},
  batch_arenas = {"arenas of batches", 0, 0}, given = {"given buffers", 0, 0};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void add(struct tally *tally, const void *start, size_t bytes, int home) {
    struct pages pages = pages_ask(start, bytes, NULL);
    CHECK(home >= 0 && home < MAX_NODES && pages.present == pages.count);
    pthread_mutex_lock(&lock);
    tally->present += pages.present;
    tally->home += pages.on[((unsigned)home + wrong) % machine.nodes];
    pthread_mutex_unlock(&lock);
}

static void check(const struct tally *tally) {
    printf("%-18s %5zu of %5zu pages on their node\n", tally->what, tally->home, tally->present);
    CHECK(tally->present && tally->home == tally->present);
}

static void add_arena(struct tally *tally, const weft_token *token, int home) {
    for (unsigned i = 0; i < PIECES; i++) {
        char *piece = weft_scratch_alloc(token->scratch, PIECE_BYTES);
        CHECK(piece);
        memset(piece, 1, PIECE_BYTES);
        add(tally, piece, PIECE_BYTES, home);
    }
}

static uint64_t filled, most;                           /* the source's */
static size_t homes[MAX_NODES], batch_homes[MAX_NODES]; /* tokens seen by the source, and batches, by their node */

/* On a thread of its own, which stays on the last node: without a policy all pages would lie there. */
static weft_status move_away(void *arg, unsigned thread) {
    (void)arg;
    (void)thread;
    unsigned last = machine.nodes - 1;
    while (last && !machine.node_cpus[last])
        last--;
    run_on_node(&machine, (int)last);
    return WEFT_OK;
}

static weft_status fill(void *arg, weft_token *token) {
    (void)arg;
    if (filled == most)
        return weft_token_end(token);
    filled++;
    homes[token->node]++;
    memset(token->buffer, 1, TOKEN_BYTES);
    add(&buffers, token->buffer, TOKEN_BYTES, os_node(pool, token->node));
    add_arena(&arenas, token, os_node(pool, token->node));
    return WEFT_OK;
}

static weft_status gather(void *arg, weft_token *token) {
    int *node_of_buffers = arg; /* NULL: the batch's home */
    int home = os_node(pool, token->node);
    for (size_t i = 0; i < token->member_count; i++)
        CHECK(*(const char *)token->members[i]->buffer == 1);
    batch_homes[token->node]++;
    memset(token->buffer, 2, BATCH_BYTES);
    add(node_of_buffers ? &given : &batch_buffers, token->buffer, BATCH_BYTES, node_of_buffers ? *node_of_buffers : home);
    add_arena(&batch_arenas, token, home);
    return WEFT_OK;
}

/* All batches are here at once, so that every node has some; twice. */
static void take_batches(weft_pipeline *pipeline, unsigned count) {
    weft_token *tokens[MAX_CPUS], *last;
    OK(weft_pipeline_start(pipeline, 0));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < count; i++) {
            OK(weft_pipeline_next(pipeline, &tokens[i]));
            CHECK(tokens[i] && tokens[i]->member_count == BATCH);
        }
        for (unsigned i = 0; i < count; i++)
            weft_token_release(tokens[i]);
    }
    OK(weft_pipeline_next(pipeline, &last));
    CHECK(!last);
    OK(weft_pipeline_wait(pipeline));
}

/* A batch per worker. buffers NULL: the pipeline's own. */
static void run_batches(void *const *buffer_of_batch, int *node_of_buffers) {
    unsigned workers = weft_pool_workers(pool);
    const weft_stage stages[] = {
        {WEFT_STAGE_INIT, .name = "fill", .run = fill, .kind = WEFT_STAGE_ORDERED, .threads = 1, .begin = move_away},
        {WEFT_STAGE_INIT, .name = "gather", .run = gather, .arg = node_of_buffers, .kind = WEFT_STAGE_BATCH, .threads = 1,
         .begin = move_away, .batch = BATCH, .batches = workers, .batch_bytes = BATCH_BYTES, .buffers = buffer_of_batch},
    };
    const weft_pipeline_options options = {WEFT_PIPELINE_OPTIONS_INIT, .token_bytes = TOKEN_BYTES, .scratch_bytes = SCRATCH_BYTES,
                                           .pull = true};
    weft_pipeline *pipeline;
    memset(homes, 0, sizeof homes);
    memset(batch_homes, 0, sizeof batch_homes);
    OK(weft_pipeline_create(&pipeline, pool, stages, 2, workers * PER_WORKER, &options));
    filled = 0;
    most = (uint64_t)BATCH * workers * ROUNDS;
    take_batches(pipeline, workers);
    OK(weft_pipeline_destroy(pipeline));
    for (unsigned node = 0; node < weft_pool_nodes(pool); node++)
        CHECK(homes[node] && batch_homes[node]);
}

/* Buffers that the program gives, near the device, which is beside node 1, and elsewhere than most batches' homes. */
static void run_given(void) {
    enum { MOST_BUFFERS = MAX_CPUS };
    static void *pointers[MOST_BUFFERS];
    unsigned workers = weft_pool_workers(pool);
    weft_array *array;
    int near = 1;
    OK(weft_array_create(&array, pool, workers * BATCH_BYTES, 1,
                         &(weft_array_options){WEFT_ARRAY_OPTIONS_INIT, .place = WEFT_NEAR_DEVICE, .device = "0000:81:01.0"}));
    for (unsigned i = 0; i < workers; i++)
        pointers[i] = (char *)weft_array_data(array) + i * BATCH_BYTES;
    run_batches(pointers, &near);
    weft_array_destroy(array);
}

/* Calls of stages on the pool, by whether the CPU was one of the token's home. */
static size_t calls[2];            /* A */
static size_t calls_on[MAX_NODES]; /* A: by the node that ran them */

static void note_call(const weft_token *token) {
    int ran = machine.cpu_node[sched_getcpu()];
    __atomic_fetch_add(&calls[ran == os_node(pool, token->node)], 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&calls_on[ran], 1, __ATOMIC_RELAXED);
}

static weft_status begin_token(void *arg, weft_token *token) {
    if (filled == most)
        return weft_token_end(token);
    filled++;
    if (!arg) /* on a worker */
        note_call(token);
    return WEFT_OK;
}

static weft_status work(void *arg, weft_token *token) {
    (void)arg;
    note_call(token);
    work_us(WORK_US);
    return WEFT_OK;
}

/* What weft counts is what the CPUs say, to the call. The source: a worker, or a thread, which takes the nodes' tokens in turn. */
static void run_stages(bool thread) {
    const weft_stage stages[] = {
        {WEFT_STAGE_INIT, .name = "begin", .run = begin_token, .arg = thread ? &filled : NULL, .kind = WEFT_STAGE_ORDERED,
         .threads = thread},
        {WEFT_STAGE_INIT, .name = "work", .run = work},
        {WEFT_STAGE_INIT, .name = "more", .run = work},
    };
    weft_pipeline *pipeline;
    weft_pipeline_stats stats;
    most = (uint64_t)weft_pool_workers(pool) * 40;
    memset(calls, 0, sizeof calls);
    memset(calls_on, 0, sizeof calls_on);
    filled = 0;
    OK(weft_pipeline_create(&pipeline, pool, stages, 3, weft_pool_workers(pool) * PER_WORKER, NULL));
    OK(weft_pipeline_run(pipeline, 0));
    OK(weft_pipeline_get_stats(pipeline, &stats));
    OK(weft_pipeline_destroy(pipeline));
    CHECK(calls[0] + calls[1] == (thread ? 2 : 3) * most);
    CHECK(stats.stages_local == calls[1] && stats.stages_remote == calls[0]);
}

static void check_home(bool thread) {
    run_stages(thread);
    double home = percent(calls[1], calls[0] + calls[1]);
    printf("source on a %s: %.1f %% of %zu calls of stages ran on their token's node\n", thread ? "thread" : "worker", home,
           calls[0] + calls[1]);
    CHECK(home >= HOME_PERCENT_LEAST);
}

static size_t held; /* A: workers that stay where they are until they are told */
static int go_on;   /* A */
static unsigned idle_node;

static void hold(void *arg, weft_range range) {
    (void)arg;
    (void)range;
    if (weft_current_node() == (int)idle_node)
        return;
    __atomic_fetch_add(&held, 1, __ATOMIC_ACQ_REL);
    while (!__atomic_load_n(&go_on, __ATOMIC_ACQUIRE))
        work_us(WORK_US);
}

static void *hold_workers(void *arg) {
    OK(weft_for(pool, weft_pool_workers(pool), hold, arg,
                &(weft_for_options){WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_FIRST_TOUCH, .item_bytes = 4096}));
    return NULL;
}

/* All workers but those of one node are busy with something else: these run the tokens of all nodes. */
static void check_held(unsigned node) {
    pthread_t thread;
    size_t others = weft_pool_workers(pool) - weft_plan_nodes(weft_pool_plan(pool), NULL)[node].worker_count;
    idle_node = node;
    held = 0;
    go_on = 0;
    CHECK(!pthread_create(&thread, NULL, hold_workers, NULL));
    while (__atomic_load_n(&held, __ATOMIC_ACQUIRE) < others)
        work_us(WORK_US);
    run_stages(true);
    __atomic_store_n(&go_on, 1, __ATOMIC_RELEASE);
    CHECK(!pthread_join(thread, NULL));
    printf("node %u alone: %zu calls for its own tokens, %zu for others'\n", node, calls[1], calls[0]);
    CHECK(calls_on[os_node(pool, node)] == calls[0] + calls[1] && calls[0] && calls[1]);
}

int main(int argc, char **argv) {
    machine = machine_read();
    wrong = argc > 1 && !strcmp(argv[1], "--wrong-node");
    pool = start_pool();
    CHECK(weft_pool_nodes(pool) > 1);
    run_batches(NULL, NULL);
    run_given();
    check(&buffers);
    check(&arenas);
    check(&batch_buffers);
    check(&batch_arenas);
    check(&given);
    check_home(false);
    check_home(true);
    check_held(0);
    check_held(weft_pool_nodes(pool) - 1);
    OK(weft_pool_destroy(pool));
    return 0;
}
