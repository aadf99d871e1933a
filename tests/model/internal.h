/* What the explorer's two halves share: explorer.c chooses and switches, memory.c holds the memory model. */
#ifndef WEFT_TESTS_MODEL_INTERNAL_H
#define WEFT_TESTS_MODEL_INTERNAL_H

#include "atomics.h"
#include "explorer.h"

/* A vector clock: how much of each thread's past is known. set_up comes before all of it, check after. */
struct clock {
    uint32_t of[EXPLORE_THREADS];
};

struct thread {
    struct clock seen;    /* what happens before now; own entry: the time of its next operation */
    struct clock visible; /* stores that loads cannot miss: those, and what liburcu's barriers show (explore_point()) */
    const void *blocked;  /* what it waits for, NULL: it can run */
    bool finished, yields;
    unsigned running;                 /* steps since all that could run had yielded */
    int priority;                     /* of the random strategy by priorities */
    const struct explore_place *last; /* for reports */
};

extern struct thread explore_threads[EXPLORE_THREADS];
extern int explore_current; /* thread that runs, -1: set_up or check */
extern bool explore_tracing;

/* Scheduling point: another thread may run before this returns. */
void explore_step(void);

/* A choice whose first alternative is what a strong machine does. */
unsigned explore_prefer_first(unsigned count);

/* Wait until explore_unblock(); the caller is a logical thread. */
void explore_block(const void *what);

/* Let at most `count` threads that are blocked on something run; which ones is explored. */
void explore_unblock(const void *what, unsigned count);

/* One line of the schedule, where it is printed. */
void explore_trace(const struct explore_place *place, const void *object, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a mutant makes of one operation: its order, whether it is left out, and whether a load's value is replaced. */
struct explore_mutation {
    enum explore_order order;
    bool skipped, forced;
    uint64_t value;
};

/* At the begin of every atomic operation: a scheduling point, and what becomes of the operation. */
struct explore_mutation explore_begin(struct explore_place *place, enum explore_order order);

/* The order of a compare-exchange that fails. */
enum explore_order explore_fail_order(struct explore_place *place, enum explore_order fail);

/* Forget everything about memory; before each schedule. */
void explore_memory_reset(void);

/* The current thread's next accesses come after all that a clock holds. */
void explore_learn(const struct clock *clock);

/* A full barrier of somebody else's code: makes stores visible to who comes to the object later, orders no plain access. */
void explore_barrier(const void *object);

/* Whether this is a variable that each thread has for itself. */
bool explore_is_local(const void *variable);

/* A plain access by the code under test. */
void explore_plain(const void *start, size_t bytes, bool write);

void explore_clock_join(struct clock *clock, const struct clock *other);

#endif
