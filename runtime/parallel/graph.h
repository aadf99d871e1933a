/*
 * A graph as it is built, as it is compiled, and the state of a run. graph.c builds it, graph_compile.c checks and compiles it,
 * graph_run.c runs it.
 *
 * Field letters: B while it is built or compiled, by one thread, and I during a run; A atomic; L under the spill lock.
 */
#ifndef WF_PARALLEL_GRAPH_H
#define WF_PARALLEL_GRAPH_H

#include <pthread.h>

#include "base/status.h"
#include "parallel/graph_ring.h"
#include "weft/graph.h"
#include "weft/task.h"

#define WF_GRAPH_LEVELS 3u /* priorities, 0 is first */
#define WF_GRAPH_NODES_MOST (UINT32_C(1) << 30)

struct wf_graph_node {
    WF_LINE_ALIGNED union {
        weft_graph_fn run;
        weft_graph_choice_fn choose;
    } fn;      /* B */
    void *arg; /* B */

    uint32_t preceded;   /* B: predecessors that are no choices */
    uint32_t begin, end; /* B: its successors, [begin, end) of the graph's */
    uint32_t home;       /* B: 1 + the node it is placed on; 0: none */
    uint32_t next;       /* L: in the spill */
    uint8_t level;       /* B */
    bool chooses;        /* B: fn.choose */
    bool chosen;         /* B: some of its predecessors are choices */
    weft_graph *graph;   /* B: for a placed node on its way */
};
_Static_assert(sizeof(struct wf_graph_node) == WF_LINE, "a node is one cache line");

struct wf_graph_edge {
    uint32_t before, after;
};

/* What a worker holds ready, by priority. */
struct wf_graph_lane {
    struct wf_graph_ring rings[WF_GRAPH_LEVELS];
    uint64_t stolen_ns;   /* the worker's: when it last stole, 0: it has learned from that */
    uint64_t patience_ns; /* the worker's: see graph_run.c */
};

struct weft_graph {
    weft_pool *pool;             /* I */
    weft_group *group;           /* I: what a run consists of: its runners, invitations and placed nodes on their way */
    struct wf_graph_node *nodes; /* B */
    char **names;                /* B: NULL: none was given */
    struct wf_graph_edge *edges; /* B: in the order they were added */
    size_t node_count, node_room, name_room, edge_count, edge_room; /* B */
    uint32_t *successors;                /* B: of all nodes, those of one beside each other, in the order of its edges */
    uint32_t *roots;                     /* B: nodes that begin by themselves */
    wf_atomic_u32 *waits;                /* A: by node, predecessors that have not ended; see graph_run.c */
    uint32_t root_count;                 /* B */
    struct wf_graph_lane *lanes;         /* B: by worker; NULL: never compiled */
    bool compiled;                       /* B: successors and roots are those of the edges */
    bool chooses;                        /* B: has choices: a run may leave `waits` anywhere */
    bool dirty;                          /* B: no run since it was compiled: `waits` are not set */
    uint8_t first_level, last_level;     /* B: of its nodes */
    WF_LINE_ALIGNED wf_atomic_u32 taken; /* A: somebody begins a run */
    wf_atomic_u32 stop;                  /* A: the first status that was not WEFT_OK, see graph_run.c */
    wf_atomic_u32 brief;                 /* A: the last run ended before a sleeper could have woken up; relaxed: a hint */
    uint32_t failed;                     /* the runner that set `stop`: its node; WF_GRAPH_NONE: nobody did; read after the run */
    struct wf_detail detail;             /* the same: its text, empty: none */
    WF_LINE_ALIGNED wf_atomic_u32 busy;  /* A: runners that may hold nodes, and placed nodes on their way */
    WF_LINE_ALIGNED wf_atomic_u32 searching; /* A: runners that hold nothing and look for nodes */
    wf_atomic_u32 invited;                   /* A: an invitation is on its way */
    wf_atomic_u32 spilled;                   /* A: nodes in the spill; written under its lock */
    pthread_mutex_t spill_lock;
    uint32_t spill[WF_GRAPH_LEVELS]; /* L: first of those that did not fit into a ring */
};

/* Whether a run has begun and has not ended. */
bool wf_graph_runs(const weft_graph *graph);

/* The name of a node, or its number, in text that is `bytes` long. */
const char *wf_graph_name(const weft_graph *graph, uint32_t node, char *text, size_t bytes);

#define WF_GRAPH_NAME_BYTES 64u

#endif
