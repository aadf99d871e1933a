/*
 * On which nodes a process runs: the CPU time of its threads between looks, counted on the node of the CPU that each last ran on; where
 * they used next to none, the CPUs that they may use.
 * Threading: one thread.
 */
#ifndef WF_CLI_PAGES_CPU_H
#define WF_CLI_PAGES_CPU_H

#include "cli/pages_process.h"

enum wf_running_by {
    WF_RUNNING_SAMPLED, /* by CPU time */
    WF_RUNNING_ALLOWED, /* nothing ran: by the affinity of the threads */
    WF_RUNNING_ANYWHERE /* nothing ran, and it may run on every node that has CPUs: nothing is known */
};

struct wf_running {
    enum wf_running_by by;
    unsigned node_count;
    size_t threads;
    double cpu_seconds, seconds; /* of CPU time, of the clock */
    double *share;               /* of each node; the sum is 1, or ANYWHERE all are 0 */
};

struct wf_seen_thread {
    int thread;
    unsigned cpu;
    uint64_t ticks;
};

struct wf_cpu_watch {
    const struct wf_machine_nodes *nodes;
    size_t count;
    struct wf_seen_thread *seen; /* in the order of their numbers */
    uint64_t *ticks;             /* per node */
    bool begun;                  /* the first look has been */
};

/* WEFT_ENOMEM. `nodes` stay the caller's and must live as long. */
weft_status wf_cpu_watch_begin(struct wf_cpu_watch *watch, const struct wf_machine_nodes *nodes);

/* Look once. The first look counts nothing; threads that are new in a later one count with all that they have used. As wf_process_read(). */
weft_status wf_cpu_watch_look(struct wf_cpu_watch *watch, const struct wf_process *process);

/* The half of it that counts: the threads that were seen, in any order. Takes `seen` over, which is memory of its own. */
void wf_cpu_watch_count(struct wf_cpu_watch *watch, struct wf_seen_thread *seen, size_t count);

/* What came of it in that many seconds. `running` is released by wf_running_release(). As wf_process_read(). */
weft_status wf_cpu_watch_end(struct wf_cpu_watch *watch, const struct wf_process *process, double seconds,
                             struct wf_running *running);
void wf_cpu_watch_release(struct wf_cpu_watch *watch);
void wf_running_release(struct wf_running *running);

#endif
