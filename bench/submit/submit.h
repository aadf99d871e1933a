/*
 * Tasks from a thread outside the runtime. submit.c measures how long it takes until a task has run, when the workers have just worked
 * and when they have slept, and how fast a million go through. Each other file is one peer's ways to submit.
 */
#ifndef BENCH_SUBMIT_SUBMIT_H
#define BENCH_SUBMIT_SUBMIT_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

struct submit_way {
    const char *way;
    bool (*submit)(void (*fn)(void *arg), void *arg); /* run fn(arg) on a worker some time; false: it failed */
    bool (*wait)(void);                               /* until all has run; NULL: there is no such call */
    bool one_at_a_time;                               /* it can only be given the next when the last has run */
};
extern const struct submit_way submit_ways[]; /* of the peer; ended by one without a name */

/* Before the first task and after the last. */
bool submit_begin(void);
bool submit_end(void);

#ifdef __cplusplus
}
#endif
#endif
