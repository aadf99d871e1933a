/* The reporting thread. It never touches what it reports on. */
#include "progress.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { TERMINAL_PERIOD_MS = 100, PLAIN_PERIOD_MS = 3000, BAR_LEAST = 12, BAR_MOST = 40 };

/* What the counters say at one moment. */
struct snapshot {
    const char *name;
    char round[32]; /* "round 2/7, ", or nothing */
    uint64_t items, items_all;
    double share; /* done, 0 to 1; negative: unknown */
    double seconds;
};

static double now_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static struct snapshot look(struct progress *p) {
    struct snapshot s = {.name = atomic_load_explicit(&p->name, memory_order_relaxed),
                         .items = atomic_load_explicit(&p->items, memory_order_relaxed),
                         .items_all = atomic_load_explicit(&p->items_all, memory_order_relaxed),
                         .seconds = now_seconds() - atomic_load_explicit(&p->began, memory_order_relaxed),
                         .share = -1};
    unsigned rounds = atomic_load_explicit(&p->rounds, memory_order_relaxed);
    if (rounds > 0)
        snprintf(s.round, sizeof s.round, "round %u/%u, ", atomic_load_explicit(&p->round, memory_order_relaxed), rounds);
    uint64_t total = atomic_load_explicit(&p->total, memory_order_relaxed);
    if (total > 0)
        s.share = (double)atomic_load_explicit(&p->units, memory_order_relaxed) / (double)total;
    if (s.share > 1)
        s.share = 1;
    return s;
}

/* "  1234/5678, 910/s, 4 s left", as far as it is known. */
static void describe(const struct snapshot *s, char *text, size_t size) {
    size_t used = 0;
    text[0] = '\0';
    if (s->items_all > 0)
        used += (size_t)snprintf(text, size, "  %" PRIu64 "/%" PRIu64 ", %.0f/s", s->items, s->items_all,
                                 s->seconds > 0 ? (double)s->items / s->seconds : 0);
    if (s->share > 0.01 && s->share < 1 && s->seconds > 0.5)
        snprintf(text + used, size - used, ", %.0f s left", s->seconds / s->share * (1 - s->share) + 0.5);
}

static unsigned terminal_columns(void) {
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0)
        return 80;
    return window.ws_col;
}

/* "analyse            [=========>          ]  45 %  1234/5678, ...", cut to the terminal's width. */
static void draw_bar(const struct snapshot *s) {
    char bar[BAR_MOST + 1], tail[128], line[320];
    unsigned columns = terminal_columns(), room = columns < 100 ? BAR_LEAST : BAR_MOST;
    unsigned filled = (unsigned)(s->share > 0 ? s->share * room : 0);
    memset(bar, ' ', room);
    memset(bar, '=', filled);
    bar[room] = '\0';
    if (filled < room && s->share >= 0)
        bar[filled] = '>';
    describe(s, tail, sizeof tail);
    snprintf(line, sizeof line, "%s%-16s [%s] %3.0f %%%s", s->round, s->name, bar, s->share > 0 ? s->share * 100 : 0, tail);
    fprintf(stderr, "\r%.*s\033[K", (int)(columns - 1), line);
}

static void write_line(const struct snapshot *s) {
    char tail[128];
    describe(s, tail, sizeof tail);
    if (s->share >= 0)
        fprintf(stderr, "%s: %s%s: %.0f %%%s\n", program_invocation_short_name, s->round, s->name, s->share * 100, tail);
    else
        fprintf(stderr, "%s: %s%s%s\n", program_invocation_short_name, s->round, s->name, tail);
}

static void *report(void *arg) {
    struct progress *p = arg;
    int result = ETIMEDOUT;
    long period_ms = p->terminal ? TERMINAL_PERIOD_MS : PLAIN_PERIOD_MS;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&p->lock);
    while (!p->stopping) {
        if (result == ETIMEDOUT) {
            next.tv_sec += (next.tv_nsec + period_ms * 1000000) / 1000000000;
            next.tv_nsec = (next.tv_nsec + period_ms * 1000000) % 1000000000;
        }
        result = pthread_cond_timedwait(&p->stop, &p->lock, &next);
        if (result != ETIMEDOUT)
            continue;
        struct snapshot s = look(p);
        (p->terminal ? draw_bar : write_line)(&s);
    }
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

void progress_start(struct progress *p, bool quiet) {
    pthread_condattr_t attributes;
    sigset_t all, before;
    *p = (struct progress){.terminal = isatty(STDERR_FILENO) == 1, .lock = PTHREAD_MUTEX_INITIALIZER};
    progress_stage(p, "start", 0, 0);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&p->stop, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    p->running = !quiet && pthread_create(&p->thread, NULL, report, p) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void progress_stop(struct progress *p) {
    if (!p->running)
        return;
    pthread_mutex_lock(&p->lock);
    p->stopping = true;
    pthread_cond_signal(&p->stop);
    pthread_mutex_unlock(&p->lock);
    pthread_join(p->thread, NULL);
    p->running = false;
    if (p->terminal)
        fputs("\r\033[K", stderr);
}

void progress_stage(struct progress *p, const char *name, uint64_t items, uint64_t units) {
    atomic_store_explicit(&p->name, name, memory_order_relaxed);
    atomic_store_explicit(&p->total, 0, memory_order_relaxed);
    atomic_store_explicit(&p->items, 0, memory_order_relaxed);
    atomic_store_explicit(&p->units, 0, memory_order_relaxed);
    atomic_store_explicit(&p->began, now_seconds(), memory_order_relaxed);
    atomic_store_explicit(&p->items_all, items, memory_order_relaxed);
    atomic_store_explicit(&p->total, units, memory_order_relaxed);
}

void progress_round(struct progress *p, unsigned round, unsigned rounds) {
    atomic_store_explicit(&p->round, round, memory_order_relaxed);
    atomic_store_explicit(&p->rounds, rounds, memory_order_relaxed);
}
