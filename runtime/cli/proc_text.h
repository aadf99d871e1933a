/*
 * What Linux writes into /proc/PID, read line by line: numa_maps, smaps, stat, status, and lists of CPUs and nodes. Text in, numbers
 * out; opens nothing. The lines are the kernel's, with names in them that anybody may choose: whatever is no such line is refused.
 * Formats: proc(5), numa(7), and fs/proc/task_mmu.c and mm/mempolicy.c of Linux 6.1 to 6.18.
 * Threading: none of its own.
 */
#ifndef WF_CLI_PROC_TEXT_H
#define WF_CLI_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WF_PROC_NODES 1024 /* numbers of nodes are below, as in every Linux */
#define WF_PROC_CPUS 8192  /* numbers of CPUs are below */

enum wf_mapping_kind {
    WF_MAPPING_ANONYMOUS,
    WF_MAPPING_HEAP,
    WF_MAPPING_STACK,  /* of the first thread */
    WF_MAPPING_SHARED, /* shared memory: memfd, /dev/shm, System V, shared anonymous */
    WF_MAPPING_FILE
};

/* A line of numa_maps. Strings lie in the line that was read, which must live as long. */
struct wf_numa_line {
    uint64_t start;
    const char *policy; /* "default", "bind:1", "prefer (many):0-1" */
    const char *name;   /* path of the file, "" without one */
    enum wf_mapping_kind kind;
    bool reserved_huge;         /* huge pages from the reserve (hugetlb) */
    uint64_t page_bytes;        /* 0: no page is present */
    uint64_t anonymous;         /* pages that are the process's own and no file's */
    uint64_t sharers;           /* of the page that most processes map; 1 where the line says nothing */
    unsigned nodes;             /* one beyond the highest node with pages */
    uint64_t on[WF_PROC_NODES]; /* pages per node, each of page_bytes; only the first `nodes` are set */
};

/* Read a line, which is changed. False: it is none, or has numbers beyond any memory. */
bool wf_proc_numa_line(char *line, struct wf_numa_line *into);

/* A line of smaps or maps that begins a mapping: "7f00-7f01 rw-p 00000000 00:00 0   [heap]". */
struct wf_maps_line {
    uint64_t start, end;
    const char *name; /* in the line; "" without one */
};
bool wf_proc_maps_line(char *line, struct wf_maps_line *into);

/* A line of smaps that tells a size: "AnonHugePages:  2048 kB". The name is in the line, without the colon. */
struct wf_smaps_field {
    const char *name;
    uint64_t bytes;
};
bool wf_proc_smaps_field(char *line, struct wf_smaps_field *into);

/* /proc/PID/stat and /proc/PID/task/TID/stat, as far as it is of use here. */
struct wf_proc_stat {
    char name[64]; /* of the program; bytes of any kind */
    char state;    /* 'R', 'S', 'Z' ... */
    bool kernel_thread;
    uint64_t ticks; /* of CPU time, user's and system's */
    unsigned cpu;   /* that it last ran on */
};
bool wf_proc_stat(const char *text, struct wf_proc_stat *into);

/* The rest of the line "NAME:\tvalue" of status, copied without the blanks at its begin. False: no such line, or no room. */
bool wf_proc_status(const char *text, const char *name, char *value, size_t room);

/*
 * The next range of a list such as "0-3,8": *at goes behind it. False: the list is at its end, or broken, which *at tells (it is at
 * NUL only where all was read). Numbers are below `limit`.
 */
bool wf_proc_range(const char **at, unsigned limit, unsigned *first, unsigned *last);

/* A memory policy as numa_maps names it. */
enum wf_policy_mode { WF_POLICY_DEFAULT, WF_POLICY_PREFERRED, WF_POLICY_BIND, WF_POLICY_INTERLEAVED };

/* Its mode, and through `named` (WF_PROC_NODES of them, cleared here) the nodes that it names. */
enum wf_policy_mode wf_proc_policy(const char *policy, bool *named);

#endif
