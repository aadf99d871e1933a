/*
 * Submitted tasks from their making to their end, and the end of a pool that takes no more.
 *
 * Counting: a lane counts the tasks that outside threads put into it (inbox.h), a worker counts those that its own tasks submit
 * (`made`, before anybody can find the task) and those that it has run (`ended`). Each count has one writer at a time, and
 * while the pool is open nobody reads them. Who closes it
 *
 *   1 sets `closed` (seq_cst) and closes all lanes   2 sums `ended` of all workers   3 sums `made` and the lanes' counts
 *   4 is done if these are equal, else sleeps until a worker that runs out of work wakes it, and goes to 2
 *
 * Why equal sums prove that nothing is left: each count only grows, and no task has ended before it was counted. With E, M the sums at
 * a moment between 2 and 3: sum of 2 <= E <= M <= sum of 3. If the outer ones are equal, E = M at that moment: no task waited or ran;
 * and as lanes are closed, only tasks make tasks, so none ever will. (A count of `made` that is taken back, because there
 * was no memory, belongs to a task that runs.)
 * Why the wake is not lost: a worker that runs out of work stores `ended` and then looks at `closed`; the closer sets `closed` and
 * then reads `ended` (all seq_cst).
 *
 * A worker tells of ended tasks in batches: it counts tasks of the same group that it runs one after the other, and tells the
 * group (group.h) and then `ended` before it runs anything else, before it takes from an inbox, and before it searches. So
 * `ended` never runs ahead of a group, and a group that waits for a running task waits for no other one's news.
 *
 * Rejected: one count per node of accepted tasks that have not ended (its line goes back and forth for every task). A pool with a limit
 * keeps one all the same, beside these (room.h).
 */
#ifndef WF_SCHEDULER_SUBMIT_H
#define WF_SCHEDULER_SUBMIT_H

#include "scheduler/pool.h"

/* The slow half of wf_task_claim(). */
bool wf_task_claim_record(struct wf_worker *worker, struct wf_task *task);

/* A task that came out of an inbox or ready queue: whether it is the caller's to run; if not, its group's side has it. */
static inline bool wf_task_claim(struct wf_worker *worker, struct wf_task *task) {
    return WF_LIKELY(task->fn != NULL) || wf_task_claim_record(worker, task);
}

/* Run a task that the caller has claimed. */
void wf_task_run(struct wf_worker *worker, const struct wf_task *task);

/* The slow half of wf_tasks_tell(). True: their group goes on. */
bool wf_tasks_tell_now(struct wf_worker *worker);

/* Tell of the tasks that have ended here. */
static inline void wf_tasks_tell(struct wf_worker *worker) {
    if (worker->ended_count)
        wf_tasks_tell_now(worker);
}

/* Before anything but a task of the same group runs. */
static inline void wf_tasks_tell_but(struct wf_worker *worker, const weft_group *group) {
    if (worker->ended_group != group)
        wf_tasks_tell(worker);
}

/* A worker has run out of work: tells, and wakes who closes the pool. */
void wf_tasks_idle(struct wf_worker *worker);

/* Refuse further tasks; wait until those that were accepted have ended. Loops from outside are over in between. */
void wf_tasks_refuse(weft_pool *pool);
void wf_tasks_drain(weft_pool *pool);

/* The caller has moved `count` tasks into its ready queue unseen: show them. */
void wf_tasks_share(struct wf_worker *worker, unsigned count);

/* weft_submit() with everything checked. */
weft_status wf_submit(weft_pool *pool, unsigned node, const struct wf_task *task, weft_full full);

/* The same whatever the pool's limit, and never blocking: for the few tasks in whose name others were accepted. */
weft_status wf_submit_always(weft_pool *pool, unsigned node, const struct wf_task *task);

/* A worker adds a task to a group from inside a task, on its home or the worker's node: it is never refused, and the pool's end waits
 * for it. WEFT_ENOMEM. */
weft_status wf_submit_inside(struct wf_worker *worker, const struct wf_task *task);

/* List all tasks of groups that lie in an inbox or ready queue and are not listed. The caller counts in group_waiters. */
void wf_tasks_list(struct wf_worker *worker);

#endif
