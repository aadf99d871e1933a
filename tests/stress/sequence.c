/*
 * Sequences on pools of several shapes, run from outside, from tasks and side by side, with steps of all widths and costs: members sleep,
 * come late, and find their parts run by others. Conservation: each part of each step runs once per run, after all that it comes
 * after, whose plain writes it reads.
 */
#include <pthread.h>
#include <time.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define STEPS_MOST 24u
#define PARTS_MOST 6u
#define ACTORS 2u

struct net;
struct step {
    struct net *net;
    unsigned index, width;
    bool own;                  /* comes after its own part only */
    unsigned slow_us;          /* the first part sleeps so long */
    uint64_t runs[PARTS_MOST]; /* plain, a part's own: the last run in which it ran */
};

struct net {
    weft_pool *pool;
    weft_sequence *sequence;
    uint64_t run; /* plain: number of the current run; written before it begins */
    unsigned count;
    struct step steps[STEPS_MOST];
};

/* One iteration per part, so that an index is a part. */
static void visit(void *arg, weft_range range) {
    struct step *step = arg;
    const struct net *net = step->net;
    CHECK(range.last == range.first + 1 && range.first < step->width);
    size_t part = range.first;
    CHECK(step->runs[part] + 1 == net->run);
    if (step->index) {
        const struct step *before = step - 1;
        for (unsigned i = 0; i < before->width; i++)
            CHECK((step->own && i != part) || before->runs[i] == net->run);
    }
    if (step->slow_us && !part)
        nanosleep(&(struct timespec){.tv_nsec = step->slow_us * 1000L}, NULL);
    step->runs[part] = net->run;
}

static void make_net(struct net *net, weft_pool *pool, uint64_t *random) {
    unsigned workers = weft_pool_workers(pool), most = 1 + wf_rng_below(random, workers);
    CHECK(!weft_sequence_create(&net->sequence, pool, &(weft_sequence_options){WEFT_SEQUENCE_OPTIONS_INIT, .width = most}));
    net->pool = pool;
    net->run = 0;
    net->count = 1 + wf_rng_below(random, STEPS_MOST);
    for (unsigned s = 0; s < net->count; s++) {
        struct step *step = &net->steps[s];
        bool own = s && wf_rng_below(random, 3) == 0;
        *step = (struct step){.net = net, .index = s, .own = own};
        step->width = own ? step[-1].width : wf_rng_below(random, 2) ? most : 1 + wf_rng_below(random, most);
        step->slow_us = wf_rng_below(random, 40) == 0 ? 300 : 0;
        weft_step_options options = {WEFT_STEP_OPTIONS_INIT, .width = step->width,
                                     .after = own ? WEFT_AFTER_PART : WEFT_AFTER_ALL};
        CHECK(!weft_sequence_add(net->sequence, step->width, visit, step, &options));
    }
}

static void run_once(void *arg) {
    struct net *net = arg;
    net->run++;
    CHECK(!weft_sequence_run(net->sequence));
    for (unsigned s = 0; s < net->count; s++)
        for (unsigned part = 0; part < net->steps[s].width; part++)
            CHECK(net->steps[s].runs[part] == net->run);
}

struct actor {
    weft_pool *pool;
    uint64_t random, rounds;
};

static void *act(void *arg) {
    struct actor *actor = arg;
    static _Thread_local struct net net;
    for (uint64_t round = 0; round < actor->rounds; round++) {
        make_net(&net, actor->pool, &actor->random);
        bool hot = wf_rng_below(&actor->random, 2);
        CHECK(!hot || !weft_hot_begin(actor->pool, 100));
        for (unsigned run = 0; run < 20; run++)
            if (wf_rng_below(&actor->random, 2))
                run_once(&net);
            else
                CHECK(!weft_run(actor->pool, run_once, &net));
        CHECK(!hot || !weft_hot_end(actor->pool));
        CHECK(!weft_sequence_destroy(net.sequence));
    }
    return NULL;
}

static void race(const char *topology, uint32_t spin_us, weft_help help, uint64_t seed) {
    weft_pool *pool;
    CHECK(!weft_pool_create(
        &pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology, .spin_us = spin_us, .help = help}));
    CHECK(weft_pool_workers(pool) <= PARTS_MOST);
    struct actor actors[ACTORS];
    pthread_t threads[ACTORS];
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i] = (struct actor){pool, seed + i, stress_scale(60)};
        CHECK(!pthread_create(&threads[i], NULL, act, &actors[i]));
    }
    for (unsigned i = 0; i < ACTORS; i++)
        pthread_join(threads[i], NULL);
    weft_stats stats;
    CHECK(!weft_pool_stats(pool, -1, &stats));
    printf("%-20s %" PRIu64 " sleeps\n", topology, stats.parks);
    CHECK(!weft_pool_destroy(pool));
}

int main(void) {
    uint64_t seed = stress_seed();
    race("core:2 pu:1", 0, WEFT_HELP_SUBTREE, seed);
    race("node:2 core:3 pu:1", 0, WEFT_HELP_ANY, seed + 10);
    race("core:4 pu:1", WEFT_SPIN_NONE, WEFT_HELP_SUBTREE, seed + 20);
    return 0;
}
