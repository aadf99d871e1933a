/*
 * soak: a mixed load for WEFT_SOAK_SECONDS, ten minutes by default. Drivers make one pool after another and end it with
 * work in flight; submitters share pools that live long and change the CPUs of their own threads meanwhile; all submit, spawn,
 * fill groups, nest loops, reduce, make arrays and sleep, beside threads and a process that spin and take CPUs away. The affinity
 * mask of the process changes all the time, and pools follow it.
 *
 * Conservation is checked all along: every task that was accepted ran once, by pool; every loop covered its iterations. An actor
 * that does not get on for WEFT_SOAK_STALL_SECONDS is a failure that tells where everybody is.
 */
#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "stress.h"
#include "weft.h"

#define DRIVERS 5
#define SUBMITTERS 3
#define SHARED 2 /* pools that live long */
#define SPINNERS 2
#define ACTORS (DRIVERS + SUBMITTERS)
#define DEPTHS 8
#define STEP_KINDS 7

static const char *const shapes[] = {NULL, "core:1 pu:1", "core:3 pu:1", "node:2 core:2 pu:1", "node:4 core:2 pu:1"};
static _Atomic(bool) stop;
static _Atomic(uint64_t) tasks, pools, loops_run, arrays_made, masks_set;
static uint64_t seed;
static cpu_set_t allowed; /* when the program began */

/* A pool and what it owes: tasks that were accepted and tasks that ran. */
struct account {
    weft_pool *pool;
    _Atomic(uint64_t) accepted, ran;
    struct branch {
        struct account *account;
        unsigned depth;
    } branch[DEPTHS]; /* arguments of tree() */
};

/* A thread that uses pools, as the watch sees it. */
struct actor {
    uint64_t random;
    _Atomic(uint64_t) steps;
    const char *_Atomic doing;
    struct account *_Atomic account; /* what it uses now */
    uint64_t seen_steps;             /* the watch's */
    unsigned seconds_still;
};

static struct actor actors[ACTORS];
static struct account shared[SHARED];

static uint64_t *own_random(void) {
    static _Thread_local uint64_t random;
    static _Atomic(uint64_t) next;
    if (!random)
        random = seed * 31 + atomic_fetch_add(&next, 1) + 1;
    return &random;
}

static void ran_one(struct account *account) {
    atomic_fetch_add_explicit(&account->ran, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&tasks, 1, memory_order_relaxed);
}

static void task(void *arg) {
    uint64_t *random = own_random();
    if (wf_rng_below(random, 400) == 0)
        usleep(wf_rng_below(random, 2000));
    for (volatile uint32_t work = wf_rng_below(random, 300); work; work--)
        ;
    ran_one(arg);
}

static void tree(void *arg) {
    struct branch *branch = arg;
    for (int i = 0; branch->depth && i < 3; i++) {
        atomic_fetch_add_explicit(&branch->account->accepted, 1, memory_order_relaxed);
        CHECK(!weft_spawn(tree, &branch->account->branch[branch->depth - 1]));
    }
    ran_one(branch->account);
}

struct nest {
    weft_pool *pool;
    _Atomic(uint64_t) count;
};

static void innermost(void *arg, weft_range range) {
    ((struct nest *)arg)->count += range.last - range.first;
}

static void outer(void *arg, weft_range range) {
    struct nest *nest = arg;
    for (size_t i = range.first; i < range.last; i++)
        CHECK(!weft_for(nest->pool, 30, innermost, nest, NULL));
}

static void use_loops(struct account *account, uint64_t *random) {
    struct nest nest = {account->pool, 0};
    size_t n = wf_rng_below(random, 100);
    weft_loop_report report;
    weft_for_options options = {WEFT_FOR_OPTIONS_INIT, .schedule = (weft_schedule)wf_rng_below(random, 2), .report = &report};
    CHECK(!weft_for(account->pool, n, outer, &nest, &options));
    CHECK(nest.count == n * 30 && report.iterations == n);
    loops_run++;
}

static void leaf(void *arg, weft_range range, void *sum) {
    for (size_t i = range.first; i < range.last; i++)
        *(uint64_t *)sum += ((uint64_t *)arg)[i];
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

static void number(void *arg, weft_range range) {
    for (size_t i = range.first; i < range.last; i++)
        ((uint64_t *)arg)[i] += i;
}

static void use_array(struct account *account, uint64_t *random) {
    size_t n = 1 + wf_rng_below(random, 200000);
    weft_array *array;
    weft_array_options options = {WEFT_ARRAY_OPTIONS_INIT, .place = (weft_place)wf_rng_below(random, 4)};
    CHECK(!weft_array_create(&array, account->pool, n, sizeof(uint64_t), &options));
    CHECK(!weft_for_array(array, number, weft_array_data(array), NULL));
    uint64_t sum = 0;
    CHECK(!weft_reduce(account->pool, n, leaf, join, weft_array_data(array), &sum, sizeof sum, NULL));
    CHECK(sum == (uint64_t)n * (n - 1) / 2);
    weft_array_destroy(array);
    arrays_made++;
}

/* A random part of the CPUs that the program began with; never none. */
static void set_random_mask(pid_t thread, uint64_t *random) {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && wf_rng_below(random, 2))
            CPU_SET(cpu, &mask);
    CHECK(!sched_setaffinity(thread, sizeof mask, CPU_COUNT(&mask) ? &mask : &allowed));
    masks_set++;
}

static void submit_some(struct account *account, weft_group *group, uint64_t *random) {
    for (uint32_t i = wf_rng_below(random, 200); i; i--) {
        weft_submit_options options = {WEFT_SUBMIT_OPTIONS_INIT, .placed = true, .node = i % weft_pool_nodes(account->pool)};
        options.group = i % 2 ? group : NULL;
        atomic_fetch_add_explicit(&account->accepted, 1, memory_order_relaxed);
        CHECK(!weft_submit(account->pool, task, account, &options));
    }
}

static void plant_tree(struct account *account, weft_group *group) {
    atomic_fetch_add_explicit(&account->accepted, 1, memory_order_relaxed);
    CHECK(!weft_group_spawn(group, tree, &account->branch[DEPTHS - 1]));
}

static void one_step(struct actor *actor, struct account *account, weft_group *group) {
    static const char *const names[STEP_KINDS] = {"submits", "plants a tree",     "runs loops",      "uses an array",
                                                  "sleeps",  "waits for a group", "changes its mask"};
    uint32_t kind = wf_rng_below(&actor->random, STEP_KINDS);
    actor->doing = names[kind];
    switch (kind) {
    case 0:
        submit_some(account, group, &actor->random);
        break;
    case 1:
        plant_tree(account, group);
        break;
    case 2:
        use_loops(account, &actor->random);
        break;
    case 3:
        use_array(account, &actor->random);
        break;
    case 4:
        usleep(wf_rng_below(&actor->random, 3000));
        break;
    case 5:
        CHECK(!weft_group_wait(group));
        break;
    default:
        set_random_mask(0, &actor->random);
    }
    atomic_fetch_add(&actor->steps, 1);
}

static void open_account(struct account *account, const char *shape, uint64_t *random) {
    weft_pool_options options = {WEFT_POOL_OPTIONS_INIT, .topology = shape};
    options.spin_us = wf_rng_below(random, 2) ? WEFT_SPIN_NONE : 0;
    options.deque_slots = wf_rng_below(random, 2) ? 64 : 0;
    memset(account, 0, sizeof *account);
    for (unsigned depth = 0; depth < DEPTHS; depth++)
        account->branch[depth] = (struct branch){account, depth};
    weft_status status = weft_pool_create(&account->pool, &options);
    if (status)
        fprintf(stderr, "%s: %s\n", weft_status_name(status), weft_error_detail());
    CHECK(!status);
}

/* Ended with work in flight: all that was accepted has run afterwards. */
static void close_account(struct account *account) {
    CHECK(!weft_pool_destroy(account->pool));
    CHECK(account->accepted == account->ran);
    pools++;
}

static void use_for_a_while(struct actor *actor, struct account *account, uint32_t steps) {
    weft_group *group;
    actor->account = account;
    CHECK(!weft_group_create(&group, account->pool));
    for (; steps && !stop; steps--)
        one_step(actor, account, group);
    actor->doing = "ends its group";
    CHECK(!weft_group_wait(group));
    CHECK(!weft_group_destroy(group));
}

static void *drive(void *argument) {
    struct actor *actor = argument;
    struct account account;
    while (!stop) {
        actor->doing = "makes a pool";
        open_account(&account, shapes[wf_rng_below(&actor->random, 5)], &actor->random);
        use_for_a_while(actor, &account, 1 + wf_rng_below(&actor->random, 60));
        actor->doing = "ends its pool";
        close_account(&account);
        actor->account = NULL;
    }
    return NULL;
}

static void *share(void *argument) {
    struct actor *actor = argument;
    while (!stop)
        use_for_a_while(actor, &shared[wf_rng_below(&actor->random, SHARED)], 1 + wf_rng_below(&actor->random, 20));
    return NULL;
}

static void spin_a_while(uint64_t *random) {
    for (volatile uint32_t work = wf_rng_below(random, 20000000); work && !stop; work--)
        ;
    usleep(wf_rng_below(random, 50000));
}

static void *spin(void *argument) {
    while (!stop)
        spin_a_while(argument);
    return NULL;
}

/* A process that competes for the CPUs; it ends with this one. */
static pid_t start_competitor(void) {
    pid_t parent = getpid(), child = fork();
    CHECK(child >= 0);
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    uint64_t random = seed;
    while (getppid() == parent)
        spin_a_while(&random);
    _exit(0);
}

/* As taskset -a does, so that pools follow; threads may end meanwhile. */
static void set_all_masks(uint64_t *random) {
    cpu_set_t mask;
    set_random_mask(getpid(), random);
    CHECK(!sched_getaffinity(getpid(), sizeof mask, &mask));
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; directory && (entry = readdir(directory));)
        if (*entry->d_name != '.')
            sched_setaffinity(atoi(entry->d_name), sizeof mask, &mask);
    closedir(directory);
}

/* The mask of the process bounds the pools made meanwhile; the one that lives long and runs on this machine follows it. */
static void *remask(void *argument) {
    uint64_t *random = argument;
    while (!stop) {
        usleep(20000 + wf_rng_below(random, 500000));
        if (wf_rng_below(random, 2)) {
            set_all_masks(random);
        } else {
            set_random_mask(getpid(), random);
            CHECK(!weft_pool_replan(shared[0].pool));
        }
    }
    CHECK(!sched_setaffinity(getpid(), sizeof allowed, &allowed));
    return NULL;
}

static int changes_followed(const weft_pool *pool) {
    weft_effective lines[32];
    size_t count = weft_pool_effective(pool, lines, 32);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(lines[i].feature, "changes"))
            return atoi(lines[i].got);
    return -1;
}

static void show_pool(const char *whose, struct account *account) {
    weft_effective lines[32];
    weft_stats stats;
    printf("%s: %" PRIu64 " tasks accepted, %" PRIu64 " ran\n", whose, (uint64_t)account->accepted, (uint64_t)account->ran);
    size_t count = weft_pool_effective(account->pool, lines, 32);
    for (size_t i = 0; i < count && i < 32; i++)
        printf("    %s: asked %s, got %s (%s)\n", lines[i].feature, lines[i].asked, lines[i].got, lines[i].reason);
    for (int worker = -1; worker < (int)weft_pool_workers(account->pool); worker++)
        if (!weft_pool_stats(account->pool, worker, &stats))
            printf("    worker %d: tasks %" PRIu64 ", of inboxes %" PRIu64 ", steals %" PRIu64 "/%" PRIu64 "/%" PRIu64
                   ", empty rounds %" PRIu64 ", parks %" PRIu64 ", wakes %" PRIu64 "\n",
                   worker, stats.tasks, stats.inbox_tasks, stats.steals_cache, stats.steals_node, stats.steals_remote[0],
                   stats.failed_rounds, stats.parks, stats.wakes);
}

/* Name, state and place in the kernel of every thread. */
static void show_threads(void) {
    DIR *directory = opendir("/proc/self/task");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[300], stat[256] = "", wait[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/stat", entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!file)
            continue;
        if (!fgets(stat, sizeof stat, file))
            stat[0] = 0;
        fclose(file);
        snprintf(path, sizeof path, "/proc/self/task/%s/wchan", entry->d_name);
        if ((file = fopen(path, "r"))) {
            if (!fgets(wait, sizeof wait, file))
                wait[0] = 0;
            fclose(file);
        }
        printf("    %.40s in %s\n", stat, wait);
    }
    if (directory)
        closedir(directory);
}

/* Nothing moves, so what is shown stays; a pool that is just being ended is left out. */
static void show_stall(const struct actor *stalled) {
    char name[32];
    printf("seed %" PRIu64 ": actor %d has not got on: it %s\n", seed, (int)(stalled - actors), stalled->doing);
    for (int i = 0; i < ACTORS; i++) {
        printf("actor %d, %" PRIu64 " steps: %s\n", i, (uint64_t)actors[i].steps, actors[i].doing);
        struct account *account = actors[i].account;
        snprintf(name, sizeof name, "pool of actor %d", i);
        if (i < DRIVERS && account && strcmp(actors[i].doing, "ends its pool"))
            show_pool(name, account);
    }
    for (int i = 0; i < SHARED; i++)
        show_pool("shared pool", &shared[i]);
    show_threads();
    fflush(stdout);
    _exit(1);
}

static void watch(unsigned seconds, unsigned stall_seconds) {
    for (unsigned second = 0; second < seconds; second++) {
        sleep(1);
        for (struct actor *actor = actors; actor < actors + ACTORS; actor++) {
            uint64_t steps = actor->steps;
            actor->seconds_still = steps == actor->seen_steps ? actor->seconds_still + 1 : 0;
            actor->seen_steps = steps;
            if (actor->seconds_still >= stall_seconds)
                show_stall(actor);
        }
    }
}

static unsigned number_from(const char *variable, unsigned otherwise) {
    const char *text = getenv(variable);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

int main(void) {
    unsigned seconds = number_from("WEFT_SOAK_SECONDS", 600), stall_seconds = number_from("WEFT_SOAK_STALL_SECONDS", 60);
    pthread_t threads[ACTORS + SPINNERS + 1];
    uint64_t randoms[SPINNERS + 1];
    unsigned count = 0;
    setvbuf(stdout, NULL, _IOLBF, 4096);
    seed = stress_seed();
    CHECK(!sched_getaffinity(0, sizeof allowed, &allowed));
    pid_t competitor = start_competitor();
    alarm(seconds + stall_seconds + 100);
    for (unsigned i = 0; i <= SPINNERS; i++)
        randoms[i] = seed * 7 + i;
    for (unsigned i = 0; i < SHARED; i++)
        open_account(&shared[i], shapes[3 * i], &randoms[0]);
    for (unsigned i = 0; i < ACTORS; i++) {
        actors[i].random = seed * 1000003 + i;
        actors[i].doing = "begins";
        CHECK(!pthread_create(&threads[count++], NULL, i < DRIVERS ? drive : share, &actors[i]));
    }
    for (unsigned i = 0; i < SPINNERS; i++)
        CHECK(!pthread_create(&threads[count++], NULL, spin, &randoms[i]));
    CHECK(!pthread_create(&threads[count++], NULL, remask, &randoms[SPINNERS]));
    watch(seconds, stall_seconds);
    stop = true;
    for (unsigned i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
    int followed = changes_followed(shared[0].pool);
    for (unsigned i = 0; i < SHARED; i++)
        close_account(&shared[i]);
    kill(competitor, SIGKILL);
    waitpid(competitor, NULL, 0);
    printf("%u s: %" PRIu64 " pools, %" PRIu64 " tasks, %" PRIu64 " loops, %" PRIu64 " arrays, %" PRIu64
           " masks set, %d changes followed\n",
           seconds, (uint64_t)pools, (uint64_t)tasks, (uint64_t)loops_run, (uint64_t)arrays_made, (uint64_t)masks_set, followed);
    CHECK(pools > SHARED && tasks && loops_run && arrays_made);
    CHECK(followed > 0 || CPU_COUNT(&allowed) == 1);
    return 0;
}
