/* scheduler/: pools and the life of the process: fork in all its places, exec, exit, tasks that sleep. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft.h"

static void count(void *arg) {
    atomic_fetch_add((_Atomic(int) *)arg, 1);
}

static void body(void *arg, weft_range range) {
    atomic_fetch_add((_Atomic(int) *)arg, (int)(range.last - range.first));
}

static void leaf(void *arg, weft_range range, void *sum) {
    (void)arg;
    *(size_t *)sum += range.last - range.first;
}

static void join(void *arg, void *left, const void *right) {
    (void)arg;
    *(size_t *)left += *(const size_t *)right;
}

static weft_pool *make(void) {
    weft_pool *pool = NULL;
    cr_assert_eq(weft_pool_create(&pool, NULL), WEFT_OK, "%s", weft_error_detail());
    return pool;
}

/* What the child finds; 0: all as promised, else the line that was not. */
#define EXPECT(condition)                                                                                                        \
    do {                                                                                                                         \
        if (!(condition))                                                                                                        \
            return __LINE__ % 250 + 1;                                                                                           \
    } while (0)

static int child(weft_pool *parents, weft_group *group) {
    _Atomic(int) ran = 0;
    size_t sum = 0;
    weft_array *array;
    alarm(20);
    EXPECT(weft_current_pool() == NULL);
    EXPECT(weft_submit(parents, count, &ran, NULL) == WEFT_EFORK);
    EXPECT(strstr(weft_error_detail(), "fork"));
    EXPECT(weft_group_spawn(group, count, &ran) == WEFT_EFORK);
    EXPECT(weft_group_wait(group) == WEFT_EFORK);
    EXPECT(weft_for(parents, 100, body, &ran, NULL) == WEFT_EFORK);
    EXPECT(weft_reduce(parents, 100, leaf, join, NULL, &sum, sizeof sum, NULL) == WEFT_EFORK);
    EXPECT(weft_array_create(&array, parents, 10, 8, NULL) == WEFT_EFORK);
    EXPECT(weft_spawn(count, &ran) == WEFT_EINVAL);
    EXPECT(weft_pool_destroy(parents) == WEFT_OK);
    weft_pool *own;
    EXPECT(weft_pool_create(&own, NULL) == WEFT_OK);
    EXPECT(weft_for(own, 1000, body, &ran, NULL) == WEFT_OK);
    EXPECT(weft_pool_destroy(own) == WEFT_OK);
    EXPECT(ran == 1000);
    return 0;
}

static void expect_exit_0(pid_t pid) {
    int status;
    cr_assert_gt(pid, 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status), "the child ended by signal %d", WTERMSIG(status));
    cr_assert_eq(WEXITSTATUS(status), 0, "line %% 250 + 1 is %d", WEXITSTATUS(status));
}

struct submitters {
    weft_pool *pool;
    _Atomic(int) stop, ran, submitted;
};

static void *submit_for_ever(void *arg) {
    struct submitters *state = arg;
    weft_group *group;
    _Atomic(int) bodies = 0;
    weft_group_create(&group, state->pool);
    while (!state->stop) {
        for (int i = 0; i < 10; i++)
            state->submitted += weft_group_spawn(group, count, &state->ran) == WEFT_OK;
        weft_group_wait(group);
        weft_for(state->pool, 100, body, &bodies, NULL);
    }
    weft_group_destroy(group);
    return NULL;
}

#define SUBMITTERS 2

Test(forked, gives_the_child_statuses_and_leaves_the_parent_alone, .timeout = 100) {
    struct submitters state = {.pool = make()};
    weft_group *group;
    pthread_t threads[2];
    cr_assert_eq(weft_group_create(&group, state.pool), WEFT_OK);
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_create(&threads[i], NULL, submit_for_ever, &state);
    for (int round = 0; round < 30; round++) { /* other threads hold locks at some of these moments */
        pid_t pid = fork();
        if (!pid)
            _exit(child(state.pool, group));
        expect_exit_0(pid);
    }
    state.stop = 1;
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(state.ran, state.submitted);
    cr_assert_eq(weft_group_destroy(group), WEFT_OK);
    cr_assert_eq(weft_pool_destroy(state.pool), WEFT_OK);
}

struct forker {
    weft_pool *pool;
    weft_group *group;
    pid_t pid;
};

static void fork_inside(void *arg) {
    struct forker *forker = arg;
    forker->pid = fork();
    if (!forker->pid)
        _exit(child(forker->pool, forker->group));
}

Test(forked, may_be_called_inside_a_task) {
    struct forker forker = {.pool = make()};
    weft_group *group;
    weft_group_create(&group, forker.pool);
    weft_group_create(&forker.group, forker.pool);
    cr_assert_eq(weft_group_spawn(group, fork_inside, &forker), WEFT_OK);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    expect_exit_0(forker.pid);
    weft_group_destroy(forker.group);
    weft_group_destroy(group);
    weft_pool_destroy(forker.pool);
}

Test(fork, then_exec_runs_the_program) {
    weft_pool *pool = make();
    pid_t pid = fork();
    if (!pid) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(99);
    }
    expect_exit_0(pid);
    weft_pool_destroy(pool);
}

static _Atomic(int) handled, handled_on_worker;

static void on_signal(int number) {
    (void)number;
    handled++;
    handled_on_worker += weft_current_worker() >= 0;
}

static void busy(void *arg) {
    for (volatile int i = 0; i < 20000; i++)
        ;
    count(arg);
}

static const int asynchronous[] = {SIGUSR1, SIGUSR2, SIGTERM, SIGINT, SIGHUP, SIGALRM, SIGCHLD, SIGPROF, SIGWINCH};
#define ASYNCHRONOUS (sizeof asynchronous / sizeof *asynchronous)

/* While the program's own thread blocks them too, the kernel looks for any thread of the process that does not. */
Test(signals, of_the_process_never_arrive_on_workers) {
    weft_pool *pool = make();
    weft_group *group;
    _Atomic(int) ran = 0;
    sigset_t set, before;
    weft_group_create(&group, pool);
    sigemptyset(&set);
    for (size_t i = 0; i < ASYNCHRONOUS; i++) {
        signal(asynchronous[i], on_signal);
        sigaddset(&set, asynchronous[i]);
    }
    for (int round = 0; round < 200; round++) {
        pthread_sigmask(round % 2 ? SIG_BLOCK : SIG_UNBLOCK, &set, &before);
        for (int i = 0; i < 10; i++)
            weft_group_spawn(group, busy, &ran);
        for (size_t i = 0; i < ASYNCHRONOUS; i++)
            kill(getpid(), asynchronous[i]);
        int seen = handled;
        if (round % 2)
            usleep(500); /* workers run, and nobody takes the signals */
        cr_assert(round % 2 == 0 || handled == seen, "somebody handled a signal that the only other thread blocks");
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(ran, 2000);
    cr_assert_gt(handled, 0);
    cr_assert_eq(handled_on_worker, 0);
    weft_group_destroy(group);
    weft_pool_destroy(pool);
}

static _Thread_local sigjmp_buf way_out;
static char *forbidden; /* a page that nobody may touch */
static _Atomic(int) recovered;

static void on_fault(int number) {
    (void)number;
    siglongjmp(way_out, 1);
}

static void fault(void *arg) {
    if (sigsetjmp(way_out, 1))
        recovered++;
    else
        *(volatile char *)forbidden = 1;
    count(arg);
}

static void map_forbidden(void) {
    forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq((void *)forbidden, MAP_FAILED);
}

Test(signals, of_a_tasks_own_fault_reach_their_handler_on_the_worker) {
    weft_pool *pool = make();
    weft_group *group;
    _Atomic(int) ran = 0;
    struct sigaction action = {.sa_handler = on_fault};
    map_forbidden();
    cr_assert_eq(sigaction(SIGSEGV, &action, NULL), 0);
    weft_group_create(&group, pool);
    for (int i = 0; i < 100; i++)
        weft_group_spawn(group, fault, &ran);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(ran, 100);
    cr_assert_eq(recovered, 100);
    weft_group_destroy(group);
    weft_pool_destroy(pool);
}

static void call_abort(void *arg) {
    (void)arg;
    abort();
}

static void call_exit(void *arg) {
    (void)arg;
    exit(0);
}

static void touch_forbidden(void *arg) {
    (void)arg;
    *(volatile char *)forbidden = 1;
}

/* Run fn in a task of a process of its own, among others. */
static int end_inside(weft_task_fn fn) {
    int status = -1;
    _Atomic(int) ran = 0;
    pid_t pid = fork();
    if (!pid) {
        alarm(20);
        signal(SIGSEGV, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        weft_pool *pool = make();
        for (int i = 0; i < 20; i++)
            weft_submit(pool, i == 10 ? fn : busy, &ran, NULL);
        weft_pool_destroy(pool);
        _exit(99);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

Test(process, ends_when_a_task_exits_aborts_or_faults) {
    map_forbidden();
    int status = end_inside(call_exit);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%d", status);
    status = end_inside(call_abort);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "%d", status);
    status = end_inside(touch_forbidden);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "%d", status);
}

static void raise_one(void *arg) {
    raise(SIGUSR2); /* blocked here: stays pending on this thread */
    count(arg);
}

Test(signals, that_a_task_raises_stay_with_its_worker) {
    weft_pool *pool = make();
    weft_group *group;
    _Atomic(int) ran = 0;
    weft_group_create(&group, pool);
    for (int i = 0; i < 100; i++)
        weft_group_spawn(group, raise_one, &ran);
    cr_assert_eq(weft_group_wait(group), WEFT_OK);
    cr_assert_eq(ran, 100);
    weft_group_destroy(group);
    cr_assert_eq(weft_pool_destroy(pool), WEFT_OK);
}

static void sleep_long(void *arg) {
    (void)arg;
    usleep(300000);
}

Test(process, exits_while_workers_run) {
    pid_t pid = fork();
    if (!pid) {
        weft_pool *pool = make();
        for (int i = 0; i < 100; i++)
            weft_submit(pool, sleep_long, NULL, NULL);
        alarm(20);
        exit(0); /* runs the library's destructors under running workers */
    }
    expect_exit_0(pid);
}

Test(process, a_task_that_sleeps_holds_up_only_itself) {
    weft_pool *pool;
    cr_assert_eq(weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = "core:2 pu:1"}), WEFT_OK);
    weft_group *slow, *quick;
    _Atomic(int) ran = 0;
    weft_group_create(&slow, pool);
    weft_group_create(&quick, pool);
    weft_group_spawn(slow, sleep_long, NULL);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(weft_group_spawn(quick, count, &ran), WEFT_OK);
    cr_assert_eq(weft_group_wait(quick), WEFT_OK);
    cr_assert_eq(ran, 1000);
    cr_assert_eq(weft_group_wait(slow), WEFT_OK);
    weft_group_destroy(slow);
    weft_group_destroy(quick);
    weft_pool_destroy(pool);
}
