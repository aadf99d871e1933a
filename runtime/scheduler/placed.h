/*
 * Children that prefer a node (weft_spawn_at()).
 *
 * A placed child is a record in the inbox of its node and in a group that belongs to its parent's frame, so it is reachable from two
 * sides, and one tag decides (group.h): the workers of the node come first, since they take their own inbox before they look at
 * other nodes; when that node is busy, idle workers of other nodes take from its inbox as they do with submitted tasks; and the
 * parent, when it syncs, runs what nobody has begun. So a placed child is lost to nobody, however busy its node is.
 *
 * The parent that syncs is patient: it leaves a child to its node while a worker there searches or sleeps (the offer has woken
 * one, and who finds work wakes the next), for a few spin budgets. Before it sleeps it claims every child that is left,
 * so nobody ever sleeps for a task that has not begun.
 *
 * Homes: a frame knows the node that its task was placed on; who was placed nowhere has the home of its parent. The chain of parents
 * holds wherever a task runs, because parents wait for their children; it ends at a child that a thief made public by force (deque.h),
 * which has the home of its thief. Nothing is paid for homes until somebody asks.
 *
 * Rejected: a slot in the parent's deque that leads to the record (as oneTBB has it): the parent's neighbours would steal it
 * before a worker of the node wakes up, and a thief of a child that runs already would have to wait for it.
 * Rejected: helping by leapfrog while the child runs elsewhere: the parent's deque may hold older tasks, and then what it runs for a
 * child is not all that others could steal from it (deque.h). What the child makes is done by its home and whoever is idle.
 *
 * Threading: functions here run on the frame's worker.
 */
#ifndef WF_SCHEDULER_PLACED_H
#define WF_SCHEDULER_PLACED_H

#include "scheduler/pool.h"

/* Run a task that was placed, in a frame that knows its home. */
void wf_placed_run(struct wf_worker *worker, const struct wf_task *task);

/* Wait for the placed children of a frame, whose own slots are joined. */
void wf_placed_sync(struct wf_worker *worker, struct wf_frame *frame);

/* The same, at the frame's end. */
WF_COLD void wf_placed_end(struct wf_worker *worker, struct wf_frame *frame);

#endif
