/*
 * Which mappings lie on the wrong node for the CPUs that run their process. From outside one sees where pages are and where threads
 * run, and not which thread uses which page; the rule says no more than follows from that.
 *
 * A node runs the process when it had at least 5 % of its CPU time. Of k such nodes each would have an equal part of 1/k. A page on a
 * node with less than that is away by what is missing: on a node that ran nothing entirely, with half an equal part by one half.
 * A mapping's share away is the mean over its pages.
 *
 *   away        memory (anonymous, shared, reserved huge pages; what a process has written in its copy of a file) of which more than
 *               `threshold`, and at least 256 KiB, are away
 *   uneven      interleaved memory is right where its policy puts it: spread over the policy's nodes. It is away only outside of
 *               these, or entirely if none of them runs the process. It is uneven where one node has more than 1.5 equal parts (not
 *               with weights), which a policy that came after the first touch leaves behind
 *   one-sided   nothing is away, yet at least 16 MiB, and 5 % of the process's memory, lie on one node to nine tenths while several
 *               nodes run the process, and that node has a share of its memory that exceeds its share of the CPU time by 25 %: as
 *               when one thread has initialised what all use. It is a question, not a finding: the memory may be one thread's own
 *   cache away  page cache of files that are mapped, of which more than `threshold` and at least 1 MiB are away: whoever read the
 *               file first has put it there, other processes may use it too, and no policy of this process moves it
 *
 * What a policy (bind, preferred) has put on a node without CPUs was wanted there, and is not away.
 *
 * Threading: none of its own.
 */
#ifndef WF_CLI_PAGES_JUDGE_H
#define WF_CLI_PAGES_JUDGE_H

#include "cli/pages_cpu.h"
#include "cli/pages_process.h"

struct wf_node_total {
    uint64_t memory, cache, huge, away; /* bytes; away: of all that is away or uneven */
};

struct wf_judgement {
    double threshold; /* share of a mapping */
    unsigned node_count;
    struct wf_node_total *nodes, all;
    size_t count[WF_VERDICT_FINE + 1]; /* mappings of each verdict */
    uint64_t movable;                  /* bytes of those that are away or uneven */
    int target;                        /* the node that runs the process most, -1: not known */
    unsigned running_nodes;            /* that run it */
    double running_share;              /* of the CPU time that these had, all together */
};

/* Judge all mappings and sort them: gravest first, and what is fine by size. WEFT_ENOMEM. */
weft_status wf_pages_judge(struct wf_judgement *judgement, struct wf_process_mappings *mappings, const struct wf_running *running,
                           const struct wf_machine_nodes *nodes, double threshold);
void wf_judgement_release(struct wf_judgement *judgement);

/* Whether most of a mapping is page cache. */
bool wf_mapping_is_cache(const struct wf_process_mapping *mapping);

/* Whether that node runs the process. */
bool wf_runs_on(const struct wf_running *running, unsigned node);

#endif
