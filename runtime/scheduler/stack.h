/*
 * The stack of a worker. Where memory has several nodes it is a mapping of its own, told its node before anybody touches it: the
 * C library's stacks lie where the creator runs, which writes the thread's control block and thread-local storage to the top of
 * each before the thread exists (and takes a whole huge page for it where these are always on). Elsewhere the C library's
 * serve as well, and it keeps them for the next thread.
 * Threading: made and released by the creator and the destroyer of the pool; in between it is the worker's.
 */
#ifndef WF_SCHEDULER_STACK_H
#define WF_SCHEDULER_STACK_H

#include <pthread.h>

#include "memory/pages.h"
#include "weft/plan.h"

/* All zero: the C library makes it, of its default size. */
struct wf_stack {
    struct wf_area area; /* start NULL: the C library makes it */
    size_t guard;        /* bytes at the start of the area that nobody can touch */
    size_t bytes;        /* the stack, with thread-local storage; 0: the C library's default */
};

/*
 * A stack of `bytes` (0: the system's thread default) for a worker of the node, with a guard below. Thread-local storage lies on
 * top of it and takes nothing from `bytes`. WEFT_ENOMEM.
 */
weft_status wf_stack_make(struct wf_stack *stack, const weft_plan *plan, unsigned node, size_t bytes);

/* The half of it that maps: base pages, on the node if that is granted. */
weft_status wf_stack_map(struct wf_stack *stack, const weft_plan *plan, unsigned node, size_t bytes);

/* Have a thread use it. Returns an errno. */
int wf_stack_set(const struct wf_stack *stack, pthread_attr_t *attributes);

/* After the thread has ended. Whoever runs on it himself (the child that a task has forked) keeps it. */
void wf_stack_release(struct wf_stack *stack);

#endif
