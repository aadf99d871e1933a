/*
 * Task groups: a count of tasks that have not ended, and the tasks from outside that nobody has begun.
 *
 * `state` holds the count (times 2) and a bit that says somebody sleeps for it, in one word: the last task to end takes the
 * count to zero and does not touch the group afterwards, it wakes by the group's address (waiters.h). Tasks spawned by workers
 * lie in their deques. Tasks from outside lie in an inbox and in the group's own list, so that a worker that waits for
 * the group can run them itself: with one worker nobody else would.
 *
 *   edge                 operation                         order and partner
 *   add                  fetch_add(state, 2)               relaxed: the task is handed over after it
 *   end                  fetch_sub(state, 2)               acq_rel: writes of the tasks; the waiter's acquire
 *   wait                 fetch_or(state, SLEEPER)          seq_cst; then the list is looked at once more
 *   outside task         list, then load(state)            seq_cst: sees the sleeper that did not see the task
 */
#ifndef WF_SCHEDULER_GROUP_H
#define WF_SCHEDULER_GROUP_H

#include <pthread.h>

#include "scheduler/pool.h"

#define WF_GROUP_SLEEPER 1u
#define WF_GROUP_ONE 2u

struct weft_group {
    weft_pool *pool;     /* I */
    wf_atomic_u64 state; /* A: see above */
    pthread_mutex_t lock;
    struct wf_task_record *first; /* L: tasks from outside, oldest first; claimed ones are dropped when met */
    struct wf_task_record *last;  /* L */
};

static inline void wf_group_add(struct weft_group *group) {
    wf_fetch_add(&group->state, WF_GROUP_ONE, WF_RELAXED);
}

/* One task has ended. */
void wf_group_end(struct weft_group *group);

/* List a task from outside that was submitted with two holders, and wake workers that sleep for the group. */
void wf_group_list(struct weft_group *group, struct wf_task_record *record);

#endif
