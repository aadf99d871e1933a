/* The command line of a case program, and the mutants that it can make of the code while it runs. See README.md. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "strategy.h"

#define RANDOM_DEFAULT 20u /* thousands of random schedules per case */
#define SEARCH_MOST 40000u /* schedules of the exhaustive search per case */
#define BOUND_DEFAULT 2u
#define REPLAY_MOST 60000u

extern char explore_failure[512];
bool explore_run(const struct explore_case *what);

static struct {
    const char *only;   /* name of a case */
    const char *mutant; /* place that is changed */
    enum change { NO_MUTANT, WEAKEN, WEAKEN_FAIL, SKIP, FORCE } change;
    enum explore_order order;
    uint64_t value;
    uint64_t seed; /* of the fresh schedules, or of the only one */
    bool one_seed, places, fixed_only;
    unsigned percent;
    uint16_t replay[REPLAY_MOST];
    unsigned replay_count;
    bool replays;
} options;

static struct explore_place *places;
static unsigned long long schedules;

static const char *order_names[] = {"relaxed", "acquire", "release", "acq_rel", "seq_cst"};

/* The last two parts of a path. */
static const char *short_path(const char *path) {
    const char *start = path + strlen(path);
    for (unsigned slashes = 0; start > path && (start[-1] != '/' || ++slashes < 2);)
        start--;
    return start;
}

/* "scheduler/deque.h:150:cas(&deque->word)": unique, as no line has two equal operations on equal names. */
static const char *name_of(const struct explore_place *place) {
    static char name[200];
    snprintf(name, sizeof name, "%s:%d:%s(%s)", place->file, place->line, place->operation, place->object);
    return name;
}

static void enlist(struct explore_place *place) {
    place->listed = true;
    place->next = places;
    places = place;
    place->file = short_path(place->file);
    place->mutant = options.mutant && !strcmp(name_of(place), options.mutant);
}

struct explore_mutation explore_begin(struct explore_place *place, enum explore_order order) {
    if (!place->listed)
        enlist(place);
    if (place->mutant >= 0)
        place->order = (signed char)order;
    if (strcmp(place->function, "wf_count")) { /* nobody reads the counters meanwhile: no scheduling point */
        explore_threads[explore_current].last = place;
        explore_step();
    }
    struct explore_mutation mutation = {.order = order};
    if (place->mutant > 0 && options.change == WEAKEN)
        mutation.order = options.order;
    else if (place->mutant > 0)
        mutation = (struct explore_mutation){order, options.change == SKIP, options.change == FORCE, options.value};
    return mutation;
}

enum explore_order explore_fail_order(struct explore_place *place, enum explore_order fail) {
    place->fail = (signed char)fail;
    return place->mutant > 0 && options.change == WEAKEN_FAIL ? options.order : fail;
}

void explore_point(const char *name, const void *object) {
    static struct explore_place point = {"system", "", "", "", 0, true, -1, -1, -1, NULL};
    if (explore_current < 0)
        return;
    point.operation = name;
    explore_begin(&point, WF_RELAXED);
    explore_trace(&point, object, " ");
    explore_barrier(object);
}

static void print_places(void) {
    for (const struct explore_place *place = places; place; place = place->next)
        if (place->order >= 0)
            printf("place %s %s %s %s\n", name_of(place), place->function, order_names[place->order],
                   place->fail >= 0 ? order_names[place->fail] : "-");
}

/* The schedule that has just failed, once more with every step printed. */
static int report(const struct explore_case *what, const char *how) {
    unsigned count;
    const uint16_t *picks = strategy_picks(&count);
    printf("FAILED %s after %llu schedules, %s: %s\n", what->name, schedules, how, explore_failure);
    if (options.mutant)
        return 1;
    static uint16_t copy[REPLAY_MOST];
    count = count < REPLAY_MOST ? count : REPLAY_MOST;
    memcpy(copy, picks, count * sizeof *copy);
    explore_tracing = true;
    strategy_replay(copy, count);
    explore_run(what);
    printf("  to repeat: --case %s --replay ", what->name);
    for (unsigned i = 0; i < count; i++)
        printf("%s%u", i ? "," : "", copy[i]);
    printf("%s\n", count ? "" : "0");
    return 1;
}

static int run_random(const struct explore_case *what, uint64_t seed, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        strategy_random(seed + i);
        schedules++;
        if (!explore_run(what)) {
            char how[64];
            snprintf(how, sizeof how, "seed %" PRIu64, seed + i);
            return report(what, how);
        }
    }
    return 0;
}

static int run_search(const struct explore_case *what, uint64_t most) {
    unsigned bound = what->bound ? what->bound : BOUND_DEFAULT;
    uint64_t count = 0;
    bool more = true;
    for (strategy_search_begin(bound); more && count < most; count++) {
        schedules++;
        if (!explore_run(what))
            return report(what, "search");
        more = strategy_search_next();
    }
    if (!options.mutant)
        printf("%-28s %6" PRIu64 " schedules: %s with at most %u choices against the default\n", what->name, count,
               more ? "the first" : "all", bound);
    return 0;
}

static int run_case(const struct explore_case *what) {
    if (options.replays) {
        explore_tracing = true;
        strategy_replay(options.replay, options.replay_count);
        if (explore_run(what))
            return 0;
        printf("FAILED %s: %s\n", what->name, explore_failure);
        return 1;
    }
    if (options.one_seed)
        return run_random(what, options.seed, 1);
    uint64_t count = (what->schedules ? what->schedules : RANDOM_DEFAULT) * 10 * options.percent;
    if (run_random(what, 1, count) || run_search(what, (uint64_t)SEARCH_MOST * options.percent / 100))
        return 1;
    if (options.fixed_only)
        return 0;
    printf("%-28s %6" PRIu64 " random ones of seeds 1..., as many of seeds %" PRIu64 "...\n", what->name, count, options.seed);
    return run_random(what, options.seed, count);
}

static void usage(const char *program) {
    printf("usage: %s [OPTION ...]\n"
           "  --list               the names of the cases\n"
           "  --case NAME          this one only\n"
           "  --percent N          of the usual number of schedules\n"
           "  --fixed              no fresh random seeds\n"
           "  --seed N             one random schedule\n"
           "  --replay N,N,...     one schedule by its choices, printed step by step\n"
           "  --places             print the atomic operations that were reached\n"
           "  --weaken PLACE=ORDER, --weaken-fail PLACE=ORDER, --skip PLACE, --force PLACE=VALUE   change one operation\n",
           program);
    exit(2);
}

static void parse_mutant(char *text, enum change change, const char *program) {
    char *equals = strrchr(text, '=');
    options.mutant = text;
    options.change = change;
    if (change == SKIP)
        return;
    if (!equals)
        usage(program);
    *equals = 0;
    options.value = strtoull(equals + 1, NULL, 0);
    for (int order = WF_RELAXED; (change == WEAKEN || change == WEAKEN_FAIL) && order <= WF_SEQ_CST; order++)
        if (!strcmp(order_names[order], equals + 1))
            options.order = (enum explore_order)order;
}

static void parse_replay(const char *text) {
    options.replays = true;
    for (char *end; *text && options.replay_count < REPLAY_MOST; text = *end ? end + 1 : end)
        options.replay[options.replay_count++] = (uint16_t)strtoul(text, &end, 10);
}

static void parse(int argc, char **argv) {
    options.percent = 100;
    options.seed = (uint64_t)time(NULL) << 20;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (!strcmp(name, "--places"))
            options.places = true;
        else if (!strcmp(name, "--fixed"))
            options.fixed_only = true;
        else if (++i == argc)
            usage(argv[0]);
        else if (!strcmp(name, "--case"))
            options.only = argv[i];
        else if (!strcmp(name, "--percent"))
            options.percent = (unsigned)strtoul(argv[i], NULL, 10);
        else if (!strcmp(name, "--seed"))
            options.seed = strtoull(argv[i], NULL, 0), options.one_seed = true;
        else if (!strcmp(name, "--replay"))
            parse_replay(argv[i]);
        else if (!strcmp(name, "--weaken"))
            parse_mutant(argv[i], WEAKEN, argv[0]);
        else if (!strcmp(name, "--weaken-fail"))
            parse_mutant(argv[i], WEAKEN_FAIL, argv[0]);
        else if (!strcmp(name, "--skip"))
            parse_mutant(argv[i], SKIP, argv[0]);
        else if (!strcmp(name, "--force"))
            parse_mutant(argv[i], FORCE, argv[0]);
        else
            usage(argv[0]);
    }
}

int explore_main(int argc, char **argv, const struct explore_case *cases, unsigned count) {
    if (argc == 2 && !strcmp(argv[1], "--list")) {
        for (unsigned i = 0; i < count; i++)
            printf("%s\n", cases[i].name);
        return 0;
    }
    parse(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int failed = 0;
    unsigned ran = 0;
    for (unsigned i = 0; i < count && !failed; i++) {
        if (options.only && strcmp(options.only, cases[i].name))
            continue;
        ran++;
        failed = run_case(&cases[i]);
    }
    if (options.places)
        print_places();
    if (options.mutant) {
        bool reached = false;
        for (const struct explore_place *place = places; place; place = place->next)
            reached = reached || place->mutant > 0;
        if (!reached)
            printf("%s was not reached\n", options.mutant);
        if (!failed)
            printf("survived %llu schedules\n", schedules);
    }
    if (!ran)
        usage(argv[0]);
    return failed;
}
