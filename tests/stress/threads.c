/*
 * The k-th thread of a pool cannot be had, for every k: by a limit (RLIMIT_NPROC, in a process of a user of its own, since root is
 * not bound by it), and by a pthread_create() that fails with each error it may give. Each time creation fails with a status and a
 * text that counts the threads, no thread and no memory is left, and the next creation works.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress.h"
#include "weft.h"

#define WORKERS 8
#define PASSES 3
#define SHAPE "node:4 core:2 pu:1" /* WORKERS workers */

static unsigned refused_thread; /* the how manieth is refused; 0: none. Only the creator's thread counts */
static int refused_error;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *arg) {
    typedef int (*create_fn)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create_fn real;
    if (!real)
        *(void **)(void *)&real = dlsym(RTLD_NEXT, "pthread_create");
    if (refused_thread && !--refused_thread)
        return refused_error;
    return real(thread, attributes, run, arg);
}

/* Address space of the process, kB. */
static long address_space(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = -1;
    CHECK(file && fscanf(file, "%ld", &pages) == 1);
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static size_t heap_in_use(void) { /* 0 under the sanitizers, which have an allocator of their own */
    struct mallinfo2 heap = mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

struct state {
    unsigned threads;
    long space;
};

static struct state state_now(void) {
    return (struct state){stress_count_threads(), address_space()};
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__) /* they keep memory of their own */
/* How many stacks the C library keeps depends on how many threads lived at once, which is at most these and the watch. */
static long kept_stacks(void) {
    pthread_attr_t attributes;
    size_t stack = 0, guard = 0;
    CHECK(!pthread_getattr_default_np(&attributes));
    CHECK(!pthread_attr_getstacksize(&attributes, &stack) && !pthread_attr_getguardsize(&attributes, &guard));
    pthread_attr_destroy(&attributes);
    return (long)((WORKERS + 1) * (stack + guard) / 1024);
}
#else
static long kept_stacks(void) {
    return LONG_MAX / 2;
}
#endif

static void expect_nothing_left(const struct state *before) {
    CHECK(stress_threads_are(before->threads));
    struct state now = state_now();
    CHECK(now.space - before->space <= kept_stacks()); /* a leak shows more often than that */
}

static void make_whole_pool(void) {
    weft_pool *pool = NULL;
    weft_status status = weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = SHAPE});
    if (status)
        fprintf(stderr, "%s: %s\n", weft_status_name(status), weft_error_detail());
    CHECK(!status && weft_pool_workers(pool) == WORKERS);
    CHECK(!weft_pool_destroy(pool));
}

static void expect_refusal(unsigned k, weft_status expected, const char *topology) {
    weft_pool *pool = NULL;
    char count[32];
    snprintf(count, sizeof count, "thread %u of ", k);
    weft_status status = weft_pool_create(&pool, &(weft_pool_options){WEFT_POOL_OPTIONS_INIT, .topology = topology});
    if (status != expected || !strstr(weft_error_detail(), count))
        fprintf(stderr, "thread %u: %s: %s\n", k, weft_status_name(status), weft_error_detail());
    CHECK(status == expected && !pool);
    CHECK(strstr(weft_error_detail(), count));
}

/* The C library keeps stacks and arenas of ended threads for new ones: compared is with the state after whole pools. */
static struct state warm_up(void) {
    for (int i = 0; i < 3; i++)
        make_whole_pool();
    return state_now();
}

/* Run one round several times: the first may fill caches of the C library. */
static void expect_no_leak(void (*round)(const struct state *, const char *, unsigned), const char *topology, unsigned workers) {
    struct state before = warm_up();
    size_t heap = SIZE_MAX / 2;
    for (unsigned pass = 0; pass < PASSES; pass++) {
        round(&before, topology, workers);
        size_t now = heap_in_use();
        CHECK(now <= heap + 64); /* the rest of a chunk too small to split; a leak shows at least WORKERS times */
        heap = now;
    }
}

static void refuse_by_call(const struct state *before, const char *topology, unsigned workers) {
    static const struct {
        int error;
        weft_status status;
    } refusals[] = {{EAGAIN, WEFT_EPERM}, {ENOMEM, WEFT_ENOMEM}};
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        for (unsigned k = 1; k <= workers; k++) {
            refused_thread = k;
            refused_error = refusals[i].error;
            expect_refusal(k, refusals[i].status, topology);
            refused_thread = 0;
            expect_nothing_left(before);
            make_whole_pool();
            expect_nothing_left(before);
        }
}

/* This user's only process: its threads are the user's, so the limit at which the k-th more is refused is known. */
static void refuse_by_limit(const struct state *before, const char *topology, unsigned workers) {
    struct rlimit limit;
    CHECK(!getrlimit(RLIMIT_NPROC, &limit));
    rlim_t most = limit.rlim_cur;
    for (unsigned k = 1; k <= workers; k++) {
        limit.rlim_cur = before->threads + k - 1;
        CHECK(!setrlimit(RLIMIT_NPROC, &limit));
        expect_refusal(k, WEFT_EPERM, topology);
        CHECK(strstr(weft_error_detail(), "ulimit -u"));
        expect_nothing_left(before);
        limit.rlim_cur = before->threads + workers;
        CHECK(!setrlimit(RLIMIT_NPROC, &limit));
        make_whole_pool();
        expect_nothing_left(before);
    }
    limit.rlim_cur = most;
    CHECK(!setrlimit(RLIMIT_NPROC, &limit));
}

/* Whether somebody runs as this user. */
static bool user_is_busy(uid_t user) {
    bool busy = false;
    DIR *directory = opendir("/proc");
    for (struct dirent *entry; directory && (entry = readdir(directory));) {
        char path[300], line[256];
        unsigned real = 0;
        snprintf(path, sizeof path, "/proc/%s/status", entry->d_name);
        FILE *file = entry->d_name[0] >= '0' && entry->d_name[0] <= '9' ? fopen(path, "r") : NULL;
        while (file && fgets(line, sizeof line, file))
            if (sscanf(line, "Uid: %u", &real) == 1)
                busy = busy || real == user;
        if (file)
            fclose(file);
    }
    if (directory)
        closedir(directory);
    return busy;
}

static int run_as_a_user_of_its_own(void) {
    uid_t user = 61000 + (uid_t)(getpid() % 4000);
    while (user_is_busy(user))
        user++;
    int status;
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (!child) {
        alarm(100);
        if (setuid(user))
            _exit(77);
        expect_no_leak(refuse_by_limit, SHAPE, WORKERS);
        printf("RLIMIT_NPROC, each of %u threads: WEFT_EPERM; with room for %u the pool is made\n", WORKERS, WORKERS);
        exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

int main(int argc, char **argv) {
    weft_plan *plan;
    unsigned workers;
    (void)argc;
    stress_count_heap_exactly(argv);
    alarm(200);
    mallopt(M_ARENA_MAX, 1); /* one more arena would look like a leak of address space */
    CHECK(!weft_plan_create(&plan, NULL));
    weft_plan_workers(plan, &workers);
    weft_plan_destroy(plan);
    int code = getuid() ? 77 : run_as_a_user_of_its_own(); /* before this process has had threads */
    CHECK(!code || code == 77);
    expect_no_leak(refuse_by_call, SHAPE, WORKERS);
    expect_no_leak(refuse_by_call, NULL, workers);
    printf("pthread_create() refused, each of %u and of %u threads: EAGAIN is WEFT_EPERM, ENOMEM is WEFT_ENOMEM\n", WORKERS,
           workers);
    if (code == 77)
        printf("skipped: RLIMIT_NPROC was not tried, which takes root (to become a user without other processes)\n");
    return code;
}
