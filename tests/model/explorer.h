/*
 * A schedule explorer: runs the logical threads of a case as coroutines of one OS thread, switches between them at every atomic
 * operation, futex call and lock, and lets loads return every value that the C11 orders allow. See README.md beside this file
 * for the memory model and its limits, and for the command line of a case program.
 *
 * The code under test is compiled with -fsanitize=thread but without its run-time library: the explorer is told of every plain
 * access and reports those that no order separates.
 */
#ifndef WEFT_TESTS_MODEL_EXPLORER_H
#define WEFT_TESTS_MODEL_EXPLORER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPLORE_THREADS 4

/* One case. Everything its threads touch is made anew by set_up, which runs before each schedule, as does check after it. */
struct explore_case {
    const char *name;
    void (*set_up)(void);
    void (*threads[EXPLORE_THREADS])(void); /* up to the first NULL */
    void (*check)(void);                    /* NULL: nothing; sees all writes of all threads */
    unsigned schedules;                     /* random schedules per round in units of 1000; 0: the default */
    unsigned bound;                         /* choices against the default in the exhaustive search; 0: the default */
};

/* The main() of a case program. */
int explore_main(int argc, char **argv, const struct explore_case *cases, unsigned count);

/* The schedule is wrong: say why and end it. */
_Noreturn void explore_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define EXPLORE_CHECK(condition) ((condition) ? (void)0 : explore_fail("%s:%d: %s does not hold", __FILE__, __LINE__, #condition))

/* One of 0 ... count - 1, each of which is explored. */
unsigned explore_choose(unsigned count);

/* The calling thread spins: others go first. */
void explore_yield(void);

/* The calling logical thread, 0 ... */
unsigned explore_self(void);

/* A scheduling point of something outside C11, told by its name: no edge comes with it. */
void explore_point(const char *name, const void *object);

/* A variable of which each logical thread has its own value. Called before explore_main(). */
void explore_local(void **variable);

/* Stand-ins for the system's, see shadow/system.h. Freed memory may never be touched again in the same schedule. */
void *explore_calloc(size_t count, size_t bytes);
void explore_free(void *start);
int explore_mutex_init(void *mutex, const void *attributes);
int explore_mutex_destroy(void *mutex);
int explore_mutex_lock(void *mutex);
int explore_mutex_unlock(void *mutex);
int explore_join(unsigned thread);
uint64_t explore_now(void);

#endif
