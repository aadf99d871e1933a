/*
 * The inbox of one node: where any thread leaves submitted tasks for the node's workers. A liburcu wait-free queue; one
 * worker at a time takes from it, whoever gets the try-lock.
 *
 * `count` is the inbox's word in the sleep protocol: the submitter adds after it enqueued and then looks for sleepers, a
 * worker on its way to sleep announces itself and then reads it (both sequentially consistent). It may differ from the
 * queue's length for the moment between the two steps, never for longer.
 *
 * liburcu's code is not compiled with us, so a race detector cannot see its barriers: the hand-over is also an edge on the
 * record itself, `state` stored with release before the enqueue and loaded with acquire after the dequeue.
 */
#ifndef WF_SCHEDULER_INBOX_H
#define WF_SCHEDULER_INBOX_H

#include <stdbool.h>
#include <stdint.h>
#include <urcu/wfcqueue.h>

#include "base/atomic.h"
#include "base/compiler.h"
#include "weft/task.h"

struct wf_record_pool;

#define WF_RECORD_CLAIMED 1u /* somebody runs it, or has */
#define WF_RECORD_HOLDER 2u  /* one side that still points to it; the last frees it */

/* Bits of a record's node. INSIDE: it counts as work inside the pool (wf_pool_enter()) and not as accepted from outside on a node.
 * PLACED: the node was asked for, it is the task's home. */
#define WF_NODE_INSIDE 0x80000000u
#define WF_NODE_PLACED 0x40000000u
#define WF_NODE_INDEX 0x3fffffffu

/*
 * One task that lies in an inbox, a ready queue or a group's list: one cache line, written by the submitter before it can be
 * found.
 */
struct wf_task_record {
    struct cds_wfcq_node link;
    weft_task_fn fn;
    void *arg;
    weft_group *group;                              /* NULL: none */
    struct wf_task_record *group_next, *group_prev; /* L: the group's lock */
    struct wf_record_pool *origin;                  /* I: where it goes back to */
    uint32_t node;                                  /* I: where it is to run, and bits: see above */
    wf_atomic_u32 state;                            /* A: holders and CLAIMED */
};
_Static_assert(sizeof(struct wf_task_record) == WF_LINE, "a record is one cache line");

struct wf_inbox {
    WF_LINE_ALIGNED struct cds_wfcq_tail tail;   /* submitters */
    wf_atomic_u32 count;                         /* A: see above */
    WF_LINE_ALIGNED struct __cds_wfcq_head head; /* L: taking */
    wf_atomic_u32 taking;                        /* A: the try-lock */
};

void wf_inbox_init(struct wf_inbox *inbox);

/* Any thread. Everything in the record but `state` is written; `holders` is the number of sides it is given to. */
void wf_inbox_put(struct wf_inbox *inbox, struct wf_task_record *record, uint32_t holders);

/* Any worker: up to `max` tasks in order; 0 when it is empty or another worker is taking. */
unsigned wf_inbox_take(struct wf_inbox *inbox, struct wf_task_record **records, unsigned max);

/* Any worker: whether a task waits. */
static inline bool wf_inbox_has_work(const struct wf_inbox *inbox) {
    return wf_load(&inbox->count, WF_SEQ_CST) != 0;
}

#endif
