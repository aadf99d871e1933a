/*
 * The pool: workers, nodes, sleepers, broadcasts and settings in one place. The internal face of the scheduler for the rooms
 * above it. Field letters: I fixed after start, A atomic, L under the named lock.
 */
#ifndef WF_SCHEDULER_POOL_H
#define WF_SCHEDULER_POOL_H

#include "memory/record_pool.h"
#include "scheduler/broadcast.h"
#include "scheduler/inbox.h"
#include "scheduler/park.h"
#include "scheduler/room.h"
#include "scheduler/scratch_cache.h"
#include "scheduler/settings.h"
#include "scheduler/stack.h"
#include "scheduler/summary.h"
#include "scheduler/worker.h"

/* Another node, as seen from one. */
struct wf_other_node {
    unsigned node;
    unsigned rank; /* of its distance: 0 is the nearest there is */
};

/* The one worker of a node that looks at other nodes. */
struct wf_scout {
    WF_LINE_ALIGNED wf_atomic_u32 out; /* A: a worker is */
    wf_atomic_u64 next_ns;             /* A: not before this time; relaxed */
    wf_atomic_u64 pause_ns;            /* A: after the last round that found nothing; relaxed */
};

/* What one node owns: lies on it, touched by its first worker. */
struct wf_node {
    struct wf_inbox inbox;
    struct wf_parking parking;
    struct wf_summary summary;
    struct wf_scout scout;
    struct wf_room room;
    struct wf_scratch_home scratch;
    WF_LINE_ALIGNED wf_atomic_u32 outstanding; /* A: accepted work that has not ended, and WF_CLOSED; see wf_pool_admit() */
    struct wf_area area;                       /* I: this struct */
    unsigned index;                            /* I */
    struct wf_other_node *others;              /* I: all other nodes, nearest first */
    wf_atomic_u32 memory_node;                 /* A: OS index of the node where its memory is, as an int; relaxed */
};

struct weft_pool {
    weft_plan *plan;                   /* I: the layout, see replan.h */
    struct wf_replan *replan;          /* I; its content L: the lock of watch.h, as settings once the pool runs */
    struct wf_settings settings;       /* L */
    wf_atomic_u64 spin_ns;             /* A: of the settings; relaxed */
    wf_atomic_u64 wake_ns;             /* A: from a waker's TOKEN to the running worker, smoothed; 0: not known yet; relaxed */
    bool spin_measured;                /* I: nobody asked for a budget, so it follows wake_ns */
    wf_atomic_u64 hot;                 /* A: {callers that want it hot, idle_us}; relaxed, see hot.h */
    wf_atomic_u32 active;              /* A: workers that do not rest; relaxed */
    unsigned worker_count, node_count; /* I */
    unsigned submit_limit;             /* I: of the settings, see room.h; 0: none */
    bool placed;                       /* I: where its memory lies makes a difference here, see setup.c */
    struct wf_area space;              /* I after start: address space of nodes and workers, unless placed */
    size_t space_taken;                /* how much of it they have; the creator's */
    struct wf_worker **workers;        /* I after start, see start.h */
    struct wf_node **nodes;            /* the same */
    wf_atomic_u32 *cpus;               /* A: per worker, the CPU of its place, UINT32_MAX: none of this machine; relaxed */
    pthread_t *threads;                /* the creator's and destroyer's */
    struct wf_worker_start *starts;    /* the same; what each was started with */
    struct wf_stack *stacks;           /* the same; one per worker, released when all have ended */
    WF_LINE_ALIGNED wf_atomic_u64 waiting[WF_PARK_WORDS]; /* A: workers asleep inside a task, for what they wait for */
    WF_LINE_ALIGNED wf_atomic_u64 resting[WF_PARK_WORDS]; /* A: see worker.h */
    wf_atomic_ptr node_memory;                            /* A: see node_memory.h; NULL: nobody has allocated */
    struct wf_broadcasts broadcasts;
    struct wf_scratch_settings scratch;
    WF_LINE_ALIGNED wf_atomic_u32 closed; /* A: takes no more submitted tasks; see submit.h */
    wf_atomic_u32 group_waiters;          /* A: workers about to sleep for a group, or asleep; see group.h */
    wf_atomic_u32
        future_waiters;          /* A: workers about to sleep for futures, or asleep; also their key in waiters.h; see future.h */
    wf_atomic_u32 stop;          /* A: workers end when they find nothing */
    wf_atomic_u32 started;       /* A: workers that have set themselves up, see start.h */
    wf_atomic_u32 go;            /* A: set by the creator when all have */
    wf_atomic_u32 start_status;  /* A: first failure of a starting worker */
    char start_detail[256];      /* its text; written by that worker before it counts as started */
    wf_atomic_u32 memory_status; /* A: first refusal of a memory binding */
    uint32_t process;            /* I: forks before its creation, see wf_pool_check() */
    bool help_any;               /* I: workers that wait run whatever there is */
    bool own_stacks;             /* I: of a size that the program has chosen */
    bool core_pinned;            /* as settings: counts among the pools pinned to cores by default */
    weft_status unwatched;       /* as settings: why changes are not followed although they should be */
};

static inline struct wf_parking *wf_parking_of(const struct wf_worker *worker) {
    return &worker->pool->nodes[worker->node]->parking;
}

/* WEFT_EFORK where the pool was made before a fork: its workers are the parent's. */
weft_status wf_pool_check(const weft_pool *pool);

/* The same without the text. */
bool wf_pool_is_foreign(const weft_pool *pool);

#define WF_CLOSED 0x80000000u

/*
 * Accept one piece of outside work that is no submitted task (a loop) on a node: it counts until wf_pool_release(), and weft_pool_destroy() waits for it. Count and
 * WF_CLOSED share one word, so work is either refused or waited for. WEFT_ECLOSED with its text. The one who releases the last
 * piece does not touch the pool afterwards.
 */
weft_status wf_pool_admit(weft_pool *pool, unsigned node);
void wf_pool_release(weft_pool *pool, unsigned node);

/* Let the workers of a closed pool end. */
void wf_pool_end_workers(weft_pool *pool);

/* Offer visible work that lies near a node: to a searcher of the nearest node that has one, or to the nearest sleeper, who is woken
 * (park.h). False: all workers are busy. */
bool wf_pool_offer(weft_pool *pool, unsigned node);

/* How long a thread looks for work, or waits, before it sleeps: what a sleep costs both sides, as measured, at most the pool's
 * setting; at least some rounds of a search, whose last one disturbs busy workers (deque.h: force). */
#define WF_SPIN_LEAST_NS 10000u
uint64_t wf_pool_spin_ns(const weft_pool *pool);

/* A sleeping worker ran so long after its waker's TOKEN. */
#define WF_WAKE_MOST_NS 50000u
void wf_pool_learn_wake(weft_pool *pool, uint64_t took_ns);

/* Wake one sleeping worker if it sleeps; false: it does not. */
bool wf_pool_wake(weft_pool *pool, unsigned worker);

/* Whether DEFAULT may mean CORE for this pool: for one pool of the process at a time, which is that until it ends. L: as settings. */
bool wf_pool_claim_cores(weft_pool *pool);

/* Let a worker rest, or work again. See worker.h. */
void wf_pool_retire(weft_pool *pool, unsigned worker);
void wf_pool_rouse(weft_pool *pool, unsigned worker);

/* OS index of the node where the memory of the workers of node `node` is now, -1: none. */
int wf_pool_memory_node(const weft_pool *pool, unsigned node);

/* The node for work that names none: the calling worker's, else the one the caller runs on, else 0. */
unsigned wf_pool_near(const weft_pool *pool);

#endif
