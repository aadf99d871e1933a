/*
 * The inbox of one node: where any thread leaves submitted tasks for the node's workers. A liburcu wait-free queue; one
 * worker at a time takes from it, whoever gets the try-lock.
 *
 * `count` is the inbox's word in the sleep protocol: the submitter adds after it enqueued and then looks for sleepers, a
 * worker on its way to sleep announces itself and then reads it (both sequentially consistent). It may differ from the
 * queue's length for the moment between the two steps, never for longer.
 *
 * liburcu's code is not compiled with us, so a race detector cannot see its barriers: the hand-over is also an edge on the
 * record itself, `holders` stored with release before the enqueue and loaded with acquire after the dequeue.
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

/*
 * One submitted task. Written by the submitter before it is enqueued. A record with a group is reachable from two sides,
 * the inbox and the group's list; `claimed` decides who runs it, `holders` who frees it.
 */
struct wf_task_record {
    struct cds_wfcq_node link;
    weft_task_fn fn;
    void *arg;
    weft_group *group;
    struct wf_task_record *group_next; /* L: the group's lock */
    struct wf_record_pool *origin;     /* I: where it goes back to */
    unsigned node;                     /* I: whose inbox it is put in and whose outstanding work it counts as */
    wf_atomic_u32 claimed;             /* A: exchanged to 1 by the one who runs it */
    wf_atomic_u32 holders;             /* A: sides that still point to it */
};

struct wf_inbox {
    WF_LINE_ALIGNED struct cds_wfcq_tail tail;   /* submitters */
    wf_atomic_u32 count;                         /* A: see above */
    WF_LINE_ALIGNED struct __cds_wfcq_head head; /* L: taking */
    wf_atomic_u32 taking;                        /* A: the try-lock */
};

void wf_inbox_init(struct wf_inbox *inbox);

/* Any thread. Everything in the record but `holders` is written; `holders` is the number of sides it is given to. */
void wf_inbox_put(struct wf_inbox *inbox, struct wf_task_record *record, uint32_t holders);

/* Any worker: up to `max` tasks in order; 0 when it is empty or another worker is taking. */
unsigned wf_inbox_take(struct wf_inbox *inbox, struct wf_task_record **records, unsigned max);

/* Any worker: whether a task waits. */
static inline bool wf_inbox_has_work(const struct wf_inbox *inbox) {
    return wf_load(&inbox->count, WF_SEQ_CST) != 0;
}

#endif
