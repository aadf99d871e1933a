/*
 * Task groups: a count of tasks that have not ended, and a list of those that nobody has begun, for workers that wait.
 *
 * `state` holds the count (times 2) and a bit that says somebody sleeps for it, in one word: the last task to end takes the
 * count to zero and does not touch the group afterwards, it wakes by the group's address (waiters.h).
 *
 *   edge                 operation                         order and partner
 *   add                  fetch_add(state, 2)               relaxed: the task is handed over after it
 *   end                  fetch_sub(state, 2 * n)           acq_rel: writes of the tasks; the waiter's acquire
 *   wait                 fetch_or(state, SLEEPER)          seq_cst; then the tasks are looked for once more
 *   list a task          list, look at state               both under the lock
 *   claim                exchange(record, claimed)         acq_rel: decides between the two sides
 *
 * A worker that waits for a group runs the group's tasks meanwhile, wherever they lie: there may be nobody else. A task that is made
 * inside a task is a record with two sides from the beginning: it is listed by its group, and an entry in a ready queue or
 * backlog points to it. Who claims it first runs it. The side of the list claims under the lock, reads the record before it
 * claims it, and does not touch it afterwards; the side of the queue frees the record, after taking it off the list if it won.
 *
 * A task from outside is an entry by value, in an inbox and then in a ready queue, and no list knows it: most groups are waited for by
 * threads outside. Before a worker sleeps for a group, it lists all such tasks (wf_tasks_list(): makes records of them), and
 * as long as one sleeps, so does everybody who moves such tasks:
 *
 *   sleeper     1 enter waiters.h      2 group_waiters += 1, SLEEPER   3 list what lies in lanes and ready queues   4 look at the list   5 sleep
 *   submitter   1 put into a lane      2 look at group_waiters; not 0: wake
 *   mover       1 publish in the own ready queue   2 look at group_waiters; not 0: list what lies there (which looks at SLEEPER)
 *
 * All sequentially consistent: the sleeper's step 3 finds the task, or the other one's step 2 finds the sleeper. A mover's one
 * task in hand needs none of it: it runs next. What lies in a backlog or is listed once needs no second look.
 *
 * Rejected: group tasks as slots of the worker's deque (a task below a waiting child of its spawner could be reached by nobody
 * when all workers wait); every task a listed record (two locks, a claim and a record per task that nobody waits for).
 */
#ifndef WF_SCHEDULER_GROUP_H
#define WF_SCHEDULER_GROUP_H

#include <pthread.h>

#include "scheduler/pool.h"

#define WF_PLACED_PATIENCE 4u /* spin budgets for which a parent leaves its placed children to nodes that are waking up */

#define WF_GROUP_SLEEPER 1u
#define WF_GROUP_ONE 2u

/* A task of a group that lies in a queue and in the group's list. */
struct wf_task_record {
    struct wf_task task;                            /* I */
    struct wf_task_record *group_next, *group_prev; /* L: the group's lock */
    struct wf_record_pool *origin;                  /* I: where it goes back to */
    wf_atomic_u32 claimed;                          /* A: somebody runs it, or has */
};
_Static_assert(sizeof(struct wf_task_record) <= WF_LINE, "a record is one cache line");

struct weft_group {
    WF_LINE_ALIGNED wf_atomic_u64 state; /* A: see above; on a line of its own, waiters spin on it */
    WF_LINE_ALIGNED weft_pool *pool;     /* I */
    const struct wf_frame *parent;       /* I: the task whose placed children these are (placed.h); NULL: anybody's tasks */
    pthread_mutex_t lock;
    struct wf_task_record *first, *last; /* L: oldest and newest; claimed ones are on their way out */
};

static inline void wf_group_add(struct weft_group *group, uint64_t count) {
    wf_fetch_add(&group->state, count * WF_GROUP_ONE, WF_RELAXED);
}

/* `count` tasks have ended, at least one. True: others have not; the group may be gone all the same. */
bool wf_group_end(struct weft_group *group, uint64_t count);

/* List a task before an entry points to it, and wake workers that sleep for the group. It may have ended when this returns. */
void wf_group_list(struct weft_group *group, struct wf_task_record *record);

/* A worker waits for a group inside a task, all own slots of which are joined. */
void wf_group_join(struct wf_worker *worker, struct weft_group *group);

/* A worker runs the newest listed task of the group that nobody has begun. False: there is none. */
bool wf_group_help(struct wf_worker *worker, struct weft_group *group);

/* Whether the running task, or one that waits for it, counts in the group. */
bool wf_group_inside(const struct wf_worker *worker, const struct weft_group *group);

/* The side of the queue: claim a record, and take it off the list; false: the other side has it, only the record's memory is left. */
bool wf_group_claim(struct wf_task_record *record);

#endif
