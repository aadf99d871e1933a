/*
 * Logical threads as coroutines, the choices that make a schedule, and the strategies that make choices: a search of all
 * schedules with a bounded number of choices against the default, and random ones. command.c holds main() and mutants.
 */
#include "internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "strategy.h"

#define STACK_BYTES ((size_t)64 * 1024)
#define LOCALS 2u
#define PATIENCE 300u /* steps in a row after which a thread is taken to spin, and others go first */

struct fiber {
    jmp_buf jump;
    ucontext_t context;
    bool made;
    void *locals[LOCALS];
    void (*body)(void);
};

struct thread explore_threads[EXPLORE_THREADS];
int explore_current = -1;
bool explore_tracing;
char explore_failure[512];

static struct fiber fibers[EXPLORE_THREADS];
static _Alignas(64) unsigned char stacks[EXPLORE_THREADS][STACK_BYTES];
static struct fiber outside;
static jmp_buf end_of_schedule;
static unsigned thread_count;
static void **locals[LOCALS];
static unsigned local_count;
static uint64_t clock_ns;

void explore_local(void **variable) {
    if (local_count < LOCALS)
        locals[local_count++] = variable;
}

bool explore_is_local(const void *variable) {
    for (unsigned i = 0; i < local_count; i++)
        if (locals[i] == variable)
            return true;
    return false;
}

unsigned explore_self(void) {
    return (unsigned)explore_current;
}

uint64_t explore_now(void) {
    return clock_ns += 1000000000;
}

_Noreturn void explore_fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(explore_failure, sizeof explore_failure, format, arguments);
    va_end(arguments);
    _longjmp(end_of_schedule, 1);
}

void explore_trace(const struct explore_place *place, const void *object, const char *format, ...) {
    if (!explore_tracing)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("    T%d  %-24s %4d  %-24s %-9s %s [%p]  ", explore_current, place->file, place->line, place->function,
           place->operation, place->object, object);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
}

static void jump(struct fiber *from, struct fiber *to) {
    if (!_setjmp(from->jump))
        _longjmp(to->jump, 1);
}

static struct fiber *fiber_of(int thread) {
    return thread < 0 ? &outside : &fibers[thread];
}

static void switch_to(int thread) {
    if (thread == explore_current)
        return;
    struct fiber *from = fiber_of(explore_current), *to = fiber_of(thread);
    for (unsigned i = 0; i < local_count; i++) {
        from->locals[i] = *locals[i];
        *locals[i] = to->locals[i];
    }
    explore_current = thread;
    jump(from, to);
}

/* The next thread to run, the current one first if it may go on. */
static int pick_thread(bool may_go_on) {
    int options[EXPLORE_THREADS];
    unsigned count = 0;
    for (unsigned round = 0; round < 2 && !count; round++) {
        for (unsigned i = 0; i < thread_count; i++) {
            unsigned id = explore_current < 0 ? i : ((unsigned)explore_current + i) % thread_count;
            const struct thread *thread = &explore_threads[id];
            if (!thread->finished && !thread->blocked && !thread->yields && (may_go_on || (int)id != explore_current))
                options[count++] = (int)id;
        }
        for (unsigned i = 0; i < thread_count && !count; i++) { /* all that could run have yielded: another round */
            explore_threads[i].yields = false;
            explore_threads[i].running = 0;
        }
        may_go_on = may_go_on || !count;
    }
    if (!count)
        return -1;
    return options[strategy_thread(options, count, !may_go_on || options[0] != explore_current)];
}

static void report_deadlock(void) {
    char text[400];
    int used = snprintf(text, sizeof text, "deadlock:");
    for (unsigned i = 0; i < thread_count && used < (int)sizeof text; i++) {
        const struct explore_place *last = explore_threads[i].last;
        if (!explore_threads[i].finished)
            used += snprintf(text + used, sizeof text - (size_t)used, " T%u sleeps in %s (%s:%d);", i,
                             last ? last->operation : "its begin", last ? last->file : "", last ? last->line : 0);
    }
    explore_fail("%s", text);
}

static void leave(bool may_go_on) {
    int next = pick_thread(may_go_on);
    if (next < 0)
        report_deadlock();
    switch_to(next);
}

static void fiber_main(void) {
    struct fiber *self = fiber_of(explore_current);
    explore_current = -1;
    jump(self, &outside); /* made; comes back when it is to run for the first time */
    for (;;) {
        self->body();
        explore_threads[explore_current].finished = true;
        explore_threads[explore_current].seen.of[explore_current]++;
        explore_unblock(&explore_threads[explore_current], EXPLORE_THREADS);
        bool all = true;
        for (unsigned i = 0; i < thread_count; i++)
            all = all && explore_threads[i].finished;
        if (all)
            switch_to(-1);
        else
            leave(false);
    }
}

static void make_fiber(unsigned id) {
    struct fiber *fiber = &fibers[id];
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = stacks[id];
    fiber->context.uc_stack.ss_size = STACK_BYTES;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, fiber_main, 0);
    explore_current = (int)id;
    if (!_setjmp(outside.jump))
        setcontext(&fiber->context);
    fiber->made = true;
}

void explore_step(void) {
    if (!strategy_step())
        explore_fail("no end in sight: more than %u steps", STRATEGY_STEPS);
    if (explore_threads[explore_current].running++ >= PATIENCE) {
        explore_threads[explore_current].running = 0;
        explore_threads[explore_current].yields = true;
    }
    leave(!explore_threads[explore_current].yields);
}

void explore_yield(void) {
    if (explore_current < 0 || !strategy_step())
        explore_fail("no end in sight: more than %u steps", STRATEGY_STEPS);
    explore_threads[explore_current].yields = true;
    leave(false);
}

void explore_block(const void *what) {
    explore_threads[explore_current].blocked = what;
    leave(false);
}

void explore_unblock(const void *what, unsigned count) {
    unsigned waiting[EXPLORE_THREADS], left = 0;
    for (unsigned i = 0; i < thread_count; i++)
        if (explore_threads[i].blocked == what)
            waiting[left++] = i;
    for (; left && count; count--) {
        unsigned which = count >= left ? 0 : explore_choose(left);
        explore_threads[waiting[which]].blocked = NULL;
        waiting[which] = waiting[--left];
    }
}

int explore_join(unsigned thread) {
    while (!explore_threads[thread].finished)
        explore_block(&explore_threads[thread]);
    explore_learn(&explore_threads[thread].seen);
    return 0;
}

static void run(const struct explore_case *what) {
    explore_memory_reset();
    clock_ns = 0;
    what->set_up();
    for (unsigned i = 0; i < thread_count; i++) {
        if (!fibers[i].made)
            make_fiber(i);
        fibers[i].body = what->threads[i];
        memset(fibers[i].locals, 0, sizeof fibers[i].locals);
        explore_threads[i] = (struct thread){0};
        explore_threads[i].seen.of[i] = 1;
    }
    explore_current = -1;
    switch_to(pick_thread(true));
    if (what->check)
        what->check();
}

bool explore_run(const struct explore_case *what) {
    for (thread_count = 0; thread_count < EXPLORE_THREADS && what->threads[thread_count];)
        thread_count++;
    if (!_setjmp(end_of_schedule)) {
        run(what);
        return true;
    }
    explore_current = -1;
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        fibers[i].made = false;
    for (unsigned i = 0; i < local_count; i++)
        *locals[i] = NULL;
    return false;
}
