/*
 * A worker: one thread with its deque, ready queue, loop ranges and counters, in memory of its own node that it touched
 * itself. Field letters: I fixed after start, O the worker only, A atomic.
 *
 * A worker rests while the current plan has no role for it (replan.h): its bit in the pool's `resting` is set. It ends the task it
 * runs and what its own queue holds, and then takes no work but its own parts of static loops, which nobody else may run.
 *
 * To rest, a worker gives up the role of a searcher, with the duty that goes with it (park.h): what was offered while it counted
 * as one is offered on. So an offer that relied on it is not lost. Then it sleeps as a waiting worker does: own bit in `waiting`,
 * a look at resting, stop, its queue and its static parts, sleep until HINT.
 * To rouse: 1 clear the bit in resting   2 HINT. To retire: 1 set the bit   2 wake it if it is parked, so that no offer finds it.
 * An offerer of a loop looks at `resting` after the loop is live: a part whose worker rests is offered to the others as work.
 */
#ifndef WF_SCHEDULER_WORKER_H
#define WF_SCHEDULER_WORKER_H

#include <pthread.h>

#include "memory/pages.h"
#include "memory/record_pool.h"
#include "scheduler/broadcast.h"
#include "scheduler/deque.h"
#include "scheduler/park.h"
#include "scheduler/ready_queue.h"
#include "scheduler/scratch_cache.h"
#include "scheduler/stats.h"
#include "weft/plan.h"

/* One running task on a worker's stack. */
struct wf_frame {
    struct wf_frame *outer;        /* what the worker ran before, on the same stack */
    const struct wf_frame *parent; /* the task that waits for this one, wherever it runs; NULL: none */
    const weft_group *group;       /* the group this task counts in; NULL: none */
    uint32_t base;                 /* slots below belong to outer tasks */
    bool in_loop;                  /* inside the body of a loop: further loops split by demand */
    unsigned home;                 /* 1 + the node this task was placed on; 0: its parent's home. See placed.h */
    weft_group *placed;            /* its children on other nodes; NULL: none so far */
};

/* What a loop with this body cost last time it was called here. */
#define WF_LOOP_HINTS 16u
struct wf_loop_hint {
    uintptr_t body;
    uint32_t calls; /* since it was found too long */
    uint32_t take;  /* iterations that make a chunk of a loop that is too short to be shared; 0: it was not */
};

struct wf_worker {
    weft_pool *pool;                 /* I */
    const weft_plan_worker *planned; /* I: victims, PU */
    unsigned id, node;               /* I: index in the pool; index of the node in the plan */
    wf_atomic_u32 tid;               /* A: for the kernel; 0: its thread has not begun, see wf_worker_tid() */
    struct wf_area area;             /* I: this struct; start NULL: it is the C library's memory */
    struct wf_area slots;            /* I: the deque's */
    struct wf_frame *frame;          /* O: innermost running task; NULL: idle */
    weft_slot *serving;              /* O: the stolen slot that runs innermost; its owner may sleep for it */
    unsigned serving_owner;          /* O */
    uint8_t *classes;                /* I: per worker, class of a steal from it: 0 cache, 1 node, 2 + rank of the distance */
    unsigned last_victim;            /* O: where the last steal succeeded */
    unsigned vain;                   /* O: rounds of this search that found nothing */
    bool thorough;                   /* O: its next round looks at everything: there is work that rounds did not find */
    uint64_t random;                 /* O */
    uint64_t dispatches;             /* O */
    struct wf_loop_hint loop_hints[WF_LOOP_HINTS]; /* O */
    uint64_t loop_ns;                              /* O: when the last loop that began alone did so */
    bool lingers;                                  /* O: has just run a part of a job that was offered to all */
    uint64_t next_wake_ns;                         /* O: no wake for a spawn before this time */
    struct wf_record_pool records;                 /* O to allocate; any thread frees */
    weft_group *ended_group;                       /* O: group of the tasks that have ended and are not told yet, see submit.h */
    uint32_t ended_count;                          /* O: how many these are */
    uint32_t inbox_pause;                          /* O: see search.c */
    WF_LINE_ALIGNED struct wf_deque deque;
    WF_LINE_ALIGNED struct wf_signal signal; /* HINT: for whoever is the worker (seat.h) and waits inside a task, or rests */
    wf_atomic_u32 give_way;                  /* A: a caller on this worker's CPU wants its seat; relaxed */
    WF_LINE_ALIGNED struct wf_signal token;  /* TOKEN: for its thread, which sleeps idle */
    wf_atomic_u64 token_ns;                  /* A: when it was set; relaxed */
    WF_LINE_ALIGNED wf_atomic_u64 made; /* A: tasks that this worker's tasks have submitted; written by the worker, see pool.h */
    wf_atomic_u64 ended;                /* A: submitted tasks that it has run to their end and told */
    WF_LINE_ALIGNED struct wf_counters counters;
    struct wf_scratch_slot scratch;
    struct wf_ready_queue ready;
    struct wf_broadcast_line lines[WF_BROADCASTS]; /* A: see broadcast.h */
    wf_atomic_u64 served[WF_BROADCASTS];    /* A: the last static word of each line that was claimed; relaxed, written by O */
    wf_atomic_u32 took_part[WF_BROADCASTS]; /* A: in a job whose offerer wants to know; relaxed, read after the job's end */
};

/* The calling thread's worker, NULL outside pools. */
extern _Thread_local struct wf_worker *wf_self __attribute__((tls_model("initial-exec")));

/* Stack addresses of the calling thread from which on it may help anybody while it waits (wf_wait_for()); 0: none, as for callers. */
extern _Thread_local uintptr_t wf_help_from __attribute__((tls_model("initial-exec")));

/* The worker whose deque it is. */
static inline struct wf_worker *wf_worker_of(weft_deque *deque) {
    return WF_CONTAINER_OF(WF_CONTAINER_OF(deque, struct wf_deque, face), struct wf_worker, deque);
}

/* The calling thread's worker if it belongs to pool. */
static inline struct wf_worker *wf_self_in(const weft_pool *pool) {
    struct wf_worker *self = wf_self;
    return self && self->pool == pool ? self : NULL;
}

/* What a worker's thread is started with; lives as long as the pool. */
struct wf_worker_start {
    weft_pool *pool;
    unsigned id;
    bool parked; /* its bit in `parked` was set before the thread began */
    bool begun;  /* the creator's: there is a thread to join */
};

/*
 * Make the node's part, or a worker without its thread, and enter it in the pool's table. Where memory has several nodes the worker
 * calls it on its own thread, so that it touches the memory first; elsewhere the creator does. WEFT_ENOMEM.
 */
weft_status wf_setup_reserve(weft_pool *pool); /* before, where the creator does */
weft_status wf_node_make(weft_pool *pool, unsigned node);
weft_status wf_worker_make(weft_pool *pool, unsigned id);

/* After the threads have ended. */
struct wf_node;
void wf_worker_release(struct wf_worker *worker);
void wf_node_release(struct wf_node *node);

/* The kernel's id of its thread. Waits until the thread has begun. Any thread. */
pid_t wf_worker_tid(struct wf_worker *worker);

/* Name its thread, which lies on OS node `os_node`: "weft:n0w3". Any thread. */
void wf_worker_name(const struct wf_worker *worker, int os_node, pthread_t thread);

/* Thread function of a worker: see start.h. Works until the pool stops. */
void *wf_worker_main(void *start);

#endif
