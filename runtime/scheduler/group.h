/*
 * Task groups: a count of tasks that have not ended, and the list of those that nobody has begun.
 *
 * `state` holds the count (times 2) and a bit that says somebody sleeps for it, in one word: the last task to end takes the
 * count to zero and does not touch the group afterwards, it wakes by the group's address (waiters.h). A task of a group is
 * a record that is reachable from two sides, a ready queue or inbox and the group's list, so that a worker that waits for
 * the group can run it wherever it lies: there may be nobody else. Whoever sets WF_RECORD_CLAIMED runs it.
 *
 *   edge                 operation                         order and partner
 *   add                  fetch_add(state, 2)               relaxed: the task is handed over after it
 *   end                  fetch_sub(state, 2)               acq_rel: writes of the tasks; the waiter's acquire
 *   wait                 fetch_or(state, SLEEPER)          seq_cst; then the list is looked at once more
 *   list a task          list, then load(state)            seq_cst: sees the sleeper that did not see the task
 *   claim                fetch_or(record, CLAIMED)         acq_rel: decides between the two sides
 *
 * The side of the queue claims first and then takes the record off the list, under the lock; it may touch the group because
 * the task it has claimed has not ended. The waiter's side claims under the lock and passes over what is claimed already.
 *
 * Rejected: group tasks as slots of the worker's deque. A task that lies below a waiting child of its spawner could be
 * reached by nobody when all workers wait.
 */
#ifndef WF_SCHEDULER_GROUP_H
#define WF_SCHEDULER_GROUP_H

#include <pthread.h>

#include "scheduler/pool.h"

#define WF_GROUP_SLEEPER 1u
#define WF_GROUP_ONE 2u

struct weft_group {
    weft_pool *pool;               /* I */
    const struct wf_frame *parent; /* I: the task whose placed children these are (placed.h); NULL: anybody's tasks */
    wf_atomic_u64 state;           /* A: see above */
    pthread_mutex_t lock;
    struct wf_task_record *first, *last; /* L: oldest and newest; claimed ones are on their way out */
};

static inline void wf_group_add(struct weft_group *group) {
    wf_fetch_add(&group->state, WF_GROUP_ONE, WF_RELAXED);
}

/* One task has ended. */
void wf_group_end(struct weft_group *group);

/* List a task that was submitted with two holders, unless it has begun, and wake workers that sleep for the group. */
void wf_group_list(struct weft_group *group, struct wf_task_record *record);

/* A worker waits for a group inside a task, all own slots of which are joined. */
void wf_group_join(struct wf_worker *worker, struct weft_group *group);

/* The side of the queue has claimed a task: it leaves the list. */
void wf_group_unlist(struct weft_group *group, struct wf_task_record *record);

#endif
