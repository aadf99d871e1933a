/*
 * A process as /proc shows it: its mappings with their pages per node, and the nodes of the machine. Read, not judged (pages_judge.h).
 * /proc answers for one moment per file: what is mapped while it is read may be missing in one of them.
 * Threading: one thread.
 */
#ifndef WF_CLI_PAGES_PROCESS_H
#define WF_CLI_PAGES_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/proc_text.h"
#include "weft/status.h"

/* The machine's nodes, from /sys. */
struct wf_machine_nodes {
    unsigned count; /* one beyond the highest node that is online */
    bool *has_cpus, *has_memory;
    unsigned cpu_count;
    int *of_cpu; /* node of each CPU, -1: none */
};

/* WEFT_ENOTSUP: no nodes in /sys below `root` (what may stand before /sys and /proc; "" for this machine's own); WEFT_ENOMEM. */
weft_status wf_machine_nodes_read(struct wf_machine_nodes *nodes, const char *root);
void wf_machine_nodes_release(struct wf_machine_nodes *nodes);

/* What came of a mapping; gravest first (pages_judge.h). */
enum wf_verdict { WF_VERDICT_AWAY, WF_VERDICT_UNEVEN, WF_VERDICT_ONE_SIDED, WF_VERDICT_CACHE_AWAY, WF_VERDICT_FINE };

struct wf_process_mapping {
    uint64_t start, end; /* end 0: not known */
    char *name, *policy;
    enum wf_mapping_kind kind;
    enum wf_policy_mode mode;
    bool reserved_huge;
    uint64_t sharers; /* processes that map its most shared page */
    uint64_t bytes;   /* present */
    uint64_t anonymous_bytes, huge_bytes, locked_bytes;
    uint64_t *on; /* bytes present on each node */
    /* of the judgement */
    enum wf_verdict verdict;
    uint64_t away_bytes, movable_bytes;
    double away; /* share of `bytes` */
};

struct wf_process {
    int directory; /* of /proc/PID: stays this process's, whoever gets its number later */
    pid_t pid;
    char name[64];
};

/*
 * Look a process up. WEFT_EINVAL: there is none, or it has no memory (kernel thread, already ended), or the number is a thread's;
 * WEFT_EPERM: refused; WEFT_ENOTSUP: no /proc.
 */
weft_status wf_process_open(struct wf_process *process, const char *root, pid_t pid);
void wf_process_close(struct wf_process *process);

/* Read the program's name anew: a process may have become another program. Keeps the old one where it cannot be read. */
void wf_process_rename(struct wf_process *process);

/* A whole file of the process as text, which the caller frees. As wf_process_open(), or WEFT_ENOMEM. */
weft_status wf_process_read(const struct wf_process *process, const char *file, char **text);

struct wf_process_mappings {
    unsigned node_count;
    size_t count, room;
    struct wf_process_mapping *list;
    uint64_t *bytes; /* of all lists `on` */
    size_t strange;  /* lines that were not understood */
    bool sizes;      /* smaps was there: ends, huge and locked bytes are known */
};

/* Read them. As wf_process_read(); WEFT_ENOTSUP: a kernel without numa_maps. */
weft_status wf_process_mappings_read(struct wf_process_mappings *mappings, const struct wf_process *process, unsigned node_count);
/* The same from texts, which are changed; smaps NULL: not there. WEFT_ENOMEM. */
weft_status wf_mappings_parse(struct wf_process_mappings *mappings, char *numa_maps, char *smaps, unsigned node_count);
void wf_process_mappings_release(struct wf_process_mappings *mappings);

#endif
