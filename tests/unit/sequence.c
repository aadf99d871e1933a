/* parallel/sequence: steps run in order, each part once, whoever is there; and what is refused. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

#include "on_pool.h"
#include "weft.h"

#define N 1000u
#define STEPS 40u

static weft_pool *pool_of(const char *topology) {
    return pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
}

static weft_sequence *make(weft_pool *pool, unsigned width) {
    weft_sequence *sequence = NULL;
    cr_assert_eq(weft_sequence_create(&sequence, pool, &(weft_sequence_options){WEFT_SEQUENCE_OPTIONS_INIT, .width = width}),
                 WEFT_OK, "%s", weft_error_detail());
    return sequence;
}

/* What a step reads and writes: `to` gets one more than the greatest of all of `from`, or of the same part. Plain memory. */
struct layer {
    uint32_t *from, *to;
    bool own; /* reads its own iterations only */
    atomic_uint calls;
};

static void next_layer(void *arg, weft_range range) {
    struct layer *layer = arg;
    uint32_t greatest = 0;
    for (size_t i = layer->own ? range.first : 0; i < (layer->own ? range.last : N); i++)
        greatest = layer->from[i] > greatest ? layer->from[i] : greatest;
    for (size_t i = range.first; i < range.last; i++)
        layer->to[i] = greatest + 1;
    atomic_fetch_add(&layer->calls, 1);
}

struct net {
    uint32_t cells[2][N];
    struct layer layers[STEPS];
};

/* Every fourth step works in place, on its own part. */
static void add_layers(weft_sequence *sequence, struct net *net, unsigned width) {
    unsigned at = 0;
    memset(net, 0, sizeof *net);
    for (unsigned s = 0; s < STEPS; s++) {
        net->layers[s].own = s % 4 == 3;
        net->layers[s].from = net->cells[at];
        at = net->layers[s].own ? at : 1 - at;
        net->layers[s].to = net->cells[at];
        weft_step_options options = {WEFT_STEP_OPTIONS_INIT, .width = width,
                                     .after = net->layers[s].own ? WEFT_AFTER_PART : WEFT_AFTER_ALL};
        cr_assert_eq(weft_sequence_add(sequence, N, next_layer, &net->layers[s], &options), WEFT_OK, "%s", weft_error_detail());
    }
}

static void check_layers(const struct net *net, unsigned runs, unsigned width) {
    for (unsigned i = 0; i < N; i++)
        cr_assert_eq(net->cells[0][i], STEPS * runs);
    for (unsigned s = 0; s < STEPS; s++)
        cr_assert_eq(net->layers[s].calls, width * runs);
}

static void run_net(const char *topology, unsigned width) {
    static struct net net;
    weft_pool *pool = pool_of(topology);
    weft_sequence *sequence = make(pool, width);
    add_layers(sequence, &net, 0);
    for (unsigned run = 1; run <= 50; run++) {
        cr_assert_eq(weft_sequence_run(sequence), WEFT_OK, "%s", weft_error_detail());
        check_layers(&net, run, width ? width : weft_pool_workers(pool));
    }
    cr_assert_eq(weft_sequence_destroy(sequence), WEFT_OK);
    weft_pool_destroy(pool);
}

Test(sequence, steps_follow_each_other_in_every_run) {
    run_net(NULL, 0);
    run_net("core:1 pu:1", 0);
    run_net("node:2 core:3 pu:1", 0);
    run_net("node:2 core:3 pu:1", 4);
    run_net("core:3 pu:1", 1);
}

Test(sequence, a_hot_pool_runs_them_as_well) {
    static struct net net;
    weft_pool *pool = pool_of(NULL);
    weft_sequence *sequence = make(pool, 0);
    add_layers(sequence, &net, 0);
    cr_assert_eq(weft_hot_begin(pool, 0), WEFT_OK);
    for (unsigned run = 1; run <= 200; run++)
        cr_assert_eq(weft_sequence_run(sequence), WEFT_OK);
    check_layers(&net, 200, weft_pool_workers(pool));
    cr_assert_eq(weft_hot_end(pool), WEFT_OK);
    weft_sequence_destroy(sequence);
    weft_pool_destroy(pool);
}

Test(sequence, narrow_steps_have_fewer_parts) {
    static struct net net;
    weft_pool *pool = pool_of("node:2 core:2 pu:1");
    weft_sequence *sequence = make(pool, 0);
    memset(&net, 0, sizeof net);
    for (unsigned s = 0; s < STEPS; s++) {
        net.layers[s].from = net.cells[s % 2];
        net.layers[s].to = net.cells[1 - s % 2];
        weft_step_options options = {WEFT_STEP_OPTIONS_INIT, .width = 1 + s % 4};
        cr_assert_eq(weft_sequence_add(sequence, N, next_layer, &net.layers[s], &options), WEFT_OK);
    }
    for (unsigned run = 1; run <= 50; run++)
        cr_assert_eq(weft_sequence_run(sequence), WEFT_OK);
    for (unsigned s = 0; s < STEPS; s++)
        cr_assert_eq(net.layers[s].calls, 50 * (1 + s % 4));
    cr_assert_eq(net.cells[0][N - 1], STEPS * 50);
    weft_sequence_destroy(sequence);
    weft_pool_destroy(pool);
}

static void run_in_task(void *sequence) {
    cr_assert_eq(weft_sequence_run(sequence), WEFT_OK, "%s", weft_error_detail());
}

static void run_in_loop(void *sequences, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        run_in_task(((weft_sequence **)sequences)[i]);
}

Test(sequence, tasks_and_loop_bodies_run_them_side_by_side) {
    enum { SIDES = 4 };
    static struct net nets[SIDES];
    static const weft_help helps[] = {WEFT_HELP_SUBTREE, WEFT_HELP_ANY};
    for (unsigned h = 0; h < 2; h++) {
        weft_pool *pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "core:3 pu:1", .help = helps[h]});
        weft_sequence *sequences[SIDES];
        for (unsigned i = 0; i < SIDES; i++) {
            sequences[i] = make(pool, 0);
            add_layers(sequences[i], &nets[i], 0);
        }
        for (unsigned round = 0; round < 20; round++) {
            run(pool, run_in_task, sequences[0]);
            cr_assert_eq(weft_for(pool, SIDES, run_in_loop, sequences, NULL), WEFT_OK);
        }
        for (unsigned i = 0; i < SIDES; i++) {
            check_layers(&nets[i], i ? 20 : 40, 3);
            weft_sequence_destroy(sequences[i]);
        }
        weft_pool_destroy(pool);
    }
}

static void count_child(void *arg) {
    atomic_fetch_add((atomic_uint *)arg, 1);
}

static atomic_uint children, seen_children;

static void count_range(void *arg, weft_range range) {
    atomic_fetch_add((atomic_uint *)arg, (unsigned)(range.last - range.first));
}

/* Tasks, a loop, and a static loop, which needs every worker. */
static void nest(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        if (weft_current_pool())
            cr_assert_eq(weft_spawn(count_child, &children), WEFT_OK);
        else
            count_child(&children);
    cr_assert_eq(weft_for(arg, 5, count_range, &children, NULL), WEFT_OK);
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = WEFT_SCHEDULE_STATIC};
    cr_assert_eq(weft_for(arg, 5, count_range, &children, &options), WEFT_OK);
}

static void look(void *arg, weft_range range) {
    (void)range;
    (void)arg;
    atomic_store(&seen_children, children);
}

Test(sequence, what_a_body_spawns_ends_with_its_part) {
    static const weft_help helps[] = {WEFT_HELP_SUBTREE, WEFT_HELP_ANY};
    for (unsigned h = 0; h < 2; h++) {
        weft_pool *pool = pool_with(&(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "core:3 pu:1", .help = helps[h]});
        weft_sequence *sequence = make(pool, 0);
        cr_assert_eq(weft_sequence_add(sequence, 30, nest, pool, NULL), WEFT_OK);
        cr_assert_eq(weft_sequence_add(sequence, 1, look, pool, NULL), WEFT_OK);
        for (unsigned round = 0; round < 50; round++) {
            children = 0;
            cr_assert_eq(weft_sequence_run(sequence), WEFT_OK);
            cr_assert_eq(seen_children, 30 + 3 * 10);
        }
        weft_sequence_destroy(sequence);
        weft_pool_destroy(pool);
    }
}

struct inner {
    weft_sequence *sequence;
    weft_status run, add, destroy;
};

static void run_itself(void *arg, weft_range range) {
    struct inner *inner = arg;
    (void)range;
    inner->run = weft_sequence_run(inner->sequence);
    inner->add = weft_sequence_add(inner->sequence, 1, look, NULL, NULL);
    inner->destroy = weft_sequence_destroy(inner->sequence);
}

Test(sequence, is_not_touched_while_it_runs) {
    weft_pool *pool = pool_of("core:2 pu:1");
    struct inner inner = {.sequence = make(pool, 0)};
    cr_assert_eq(weft_sequence_add(inner.sequence, 1, run_itself, &inner, NULL), WEFT_OK);
    cr_assert_eq(weft_sequence_run(inner.sequence), WEFT_OK);
    cr_assert_eq(inner.run, WEFT_EAGAIN);
    cr_assert_eq(inner.add, WEFT_EAGAIN);
    cr_assert_eq(inner.destroy, WEFT_EAGAIN);
    weft_sequence_destroy(inner.sequence);
    weft_pool_destroy(pool);
}

Test(sequence, steps_may_be_added_between_runs_and_may_be_empty) {
    weft_pool *pool = pool_of("core:2 pu:1");
    weft_sequence *sequence = make(pool, 0);
    atomic_uint count = 0;
    cr_assert_eq(weft_sequence_run(sequence), WEFT_OK, "no steps");
    for (unsigned round = 1; round <= 40; round++) {
        cr_assert_eq(weft_sequence_add(sequence, round % 3, count_range, &count, NULL), WEFT_OK);
        unsigned before = count, sum = 0;
        for (unsigned i = 1; i <= round; i++)
            sum += i % 3;
        cr_assert_eq(weft_sequence_run(sequence), WEFT_OK);
        cr_assert_eq(count - before, sum);
    }
    weft_sequence_destroy(sequence);
    weft_pool_destroy(pool);
}

static void refused(weft_status status, const char *mentions) {
    cr_assert_eq(status, WEFT_EINVAL);
    cr_assert(strstr(weft_error_detail(), mentions), "\"%s\" does not mention %s", weft_error_detail(), mentions);
}

Test(sequence, refuses_nonsense) {
    weft_pool *pool = pool_of("core:2 pu:1");
    weft_sequence *sequence = NULL;
    refused(weft_sequence_create(&sequence, pool, &(weft_sequence_options){WEFT_SEQUENCE_OPTIONS_INIT, .width = 3}), "3");
    refused(weft_sequence_create(NULL, pool, NULL), "NULL");
    refused(weft_sequence_create(&sequence, NULL, NULL), "NULL");
    refused(weft_sequence_create(&sequence, pool, &(weft_sequence_options){.size = 0}), "size");
    cr_assert_null(sequence, "outputs are written on success only");
    sequence = make(pool, 0);
    refused(weft_sequence_add(sequence, 1, NULL, NULL, NULL), "NULL");
    refused(weft_sequence_add(NULL, 1, look, NULL, NULL), "NULL");
    refused(weft_sequence_add(sequence, 1, look, NULL, &(weft_step_options){WEFT_STEP_OPTIONS_INIT, .width = 3}), "3");
    refused(weft_sequence_add(sequence, 1, look, NULL, &(weft_step_options){WEFT_STEP_OPTIONS_INIT, .after = (weft_after)2}),
            "after");
    cr_assert_eq(weft_sequence_add(sequence, 1, look, NULL, &(weft_step_options){WEFT_STEP_OPTIONS_INIT, .width = 1}), WEFT_OK);
    refused(weft_sequence_add(sequence, 1, look, NULL, &(weft_step_options){WEFT_STEP_OPTIONS_INIT, .after = WEFT_AFTER_PART}),
            "WEFT_AFTER_PART");
    refused(weft_sequence_run(NULL), "NULL");
    cr_assert_eq(weft_sequence_destroy(NULL), WEFT_OK);
    cr_assert_eq(weft_pool_close(pool), WEFT_OK);
    cr_assert_eq(weft_sequence_run(sequence), WEFT_ECLOSED);
    cr_assert_eq(weft_sequence_run(sequence), WEFT_ECLOSED);
    weft_sequence_destroy(sequence);
    weft_pool_destroy(pool);
}
