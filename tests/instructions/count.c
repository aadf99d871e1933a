/*
 * Work whose instructions count.py has counted: count CASE prints how many operations the function measured_CASE() does. One worker,
 * and nothing that another thread decides, so that every run takes the same instructions.
 */
#include <weft.h>

#include <semaphore.h>
#include <stdio.h>
#include <string.h>

#define FIB 20
#define FIB_SPAWNS 10945 /* of fib(FIB) */
#define LOOPS 1000
#define SUBMITS 1000

static weft_pool *pool;
static sem_t sem;

static __attribute__((noreturn)) void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, weft_error_detail());
    _Exit(1);
}

static void check(weft_status status, const char *what) {
    if (status)
        fail(what);
}

WEFT_TASK(long, fib, (int, n)) {
    if (n < 2)
        return n;
    WEFT_SPAWN(fib, n - 1);
    long right = WEFT_CALL(fib, n - 2);
    return WEFT_SYNC(fib) + right;
}

struct call {
    int n;
    long result;
};

static void fib_plain(void *arg) {
    struct call *call = arg;
    call->result = call->n;
    if (call->n < 2)
        return;
    struct call left = {.n = call->n - 1}, right = {.n = call->n - 2};
    weft_spawn(fib_plain, &left);
    fib_plain(&right);
    weft_sync();
    call->result = left.result + right.result;
}

static void nothing(void *arg) {
    (void)arg;
}

static void no_items(void *arg, weft_range range) {
    (void)arg;
    (void)range;
}

static void wait_for_sem(void *arg) {
    (void)arg;
    sem_wait(&sem);
}

#define MEASURED __attribute__((noinline))

MEASURED void measured_typed(void *arg);
MEASURED void measured_plain(void *arg);
MEASURED void measured_loop(void *arg);
MEASURED void measured_submit(void *arg);

MEASURED void measured_typed(void *arg) {
    long result = 0;
    check(WEFT_RUN(pool, &result, fib, FIB), "typed");
    *(long *)arg = result;
}

MEASURED void measured_plain(void *arg) {
    struct call call = {.n = FIB};
    fib_plain(&call);
    *(long *)arg = call.result;
}

MEASURED void measured_loop(void *arg) {
    (void)arg;
    for (int i = 0; i < LOOPS; i++)
        check(weft_for(pool, 2, no_items, NULL, NULL), "loop");
}

/* The worker waits meanwhile, so none of these wakes it. */
MEASURED void measured_submit(void *arg) {
    (void)arg;
    for (int i = 0; i < SUBMITS; i++)
        check(weft_submit(pool, nothing, NULL, NULL), "submit");
}

static const struct {
    const char *name;
    void (*measured)(void *arg);
    int operations;
    int inside; /* on the worker */
    long result;
} cases[] = {
    {"typed", measured_typed, FIB_SPAWNS, 1, 6765}, {"plain", measured_plain, FIB_SPAWNS, 1, 6765},
    {"loop_inside", measured_loop, LOOPS, 1, 0},    {"loop_outside", measured_loop, LOOPS, 0, 0},
    {"submit", measured_submit, SUBMITS, 0, 0},
};

int main(int argc, char **argv) {
    unsigned at = 0, last = sizeof cases / sizeof *cases - 1;
    while (argc == 2 && at < last && strcmp(argv[1], cases[at].name))
        at++;
    long result = 0;
    sem_init(&sem, 0, 0);
    check(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .workers = 1, .fixed = true}), "create");
    if (cases[at].inside) {
        check(weft_run(pool, cases[at].measured, &result), "run");
    } else {
        int holds = cases[at].measured == measured_submit;
        if (holds)
            check(weft_submit(pool, wait_for_sem, NULL, NULL), "submit");
        cases[at].measured(&result);
        if (holds)
            sem_post(&sem);
    }
    check(weft_pool_destroy(pool), "destroy");
    if (result != cases[at].result)
        fail("wrong result");
    printf("%d\n", cases[at].operations);
    return 0;
}
