/* A bare hand-off: one thread that sleeps on a futex until it is given a function. Nothing that wakes a thread can be faster. */
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "harness/peers/peer.h"
#include "submit/submit.h"

const bool peer_caller_works = false;
const bool peer_binds = false;

/* Written by the caller before `given` (release), read by the thread after it (acquire). */
static void (*given_fn)(void *arg);
static void *given_arg;
static _Alignas(64) atomic_uint given;
static pthread_t thread;

static void *work(void *unused) {
    for (unsigned taken = 0;; taken++) {
        while (atomic_load_explicit(&given, memory_order_acquire) == taken)
            syscall(SYS_futex, &given, FUTEX_WAIT_PRIVATE, taken, NULL, NULL, 0);
        if (!given_fn)
            return unused;
        given_fn(given_arg);
    }
}

static bool submit(void (*fn)(void *arg), void *arg) {
    given_fn = fn;
    given_arg = arg;
    atomic_fetch_add_explicit(&given, 1, memory_order_release);
    syscall(SYS_futex, &given, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    return true;
}

const char *peer_version(void) {
    return "bare futex";
}

bool peer_start(unsigned workers) {
    (void)workers;
    return !pthread_create(&thread, NULL, work, NULL);
}

bool peer_stop(void) {
    return submit(NULL, NULL) && !pthread_join(thread, NULL);
}

void peer_run(void (*fn)(void *arg), void *arg) {
    fn(arg);
}

bool submit_begin(void) {
    return true;
}

bool submit_end(void) {
    return true;
}

const struct submit_way submit_ways[] = {{"", submit, NULL, true}, {0}};
